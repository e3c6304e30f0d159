// The first page of Leger: signing in, and who is signed in. Decides by the path what the card shows.
import { account } from './account.js';
import { call, token } from './api.js';
import { callback } from './callback.js';
import { showWaiting } from './dom.js';
import { nextPath, openedWith } from './judge.js';
import { signIn, signInByCode } from './sign_in.js';

// A code does not stay in the address bar, whatever comes of it.
function takeCode() {
  const opened = openedWith(location.hash);
  if (opened) history.replaceState(null, '', location.pathname + location.search);
  return opened;
}

async function login(opened) {
  const next = nextPath(new URLSearchParams(location.search).get('next'), location.origin);
  const done = () => go(next);
  if (opened) {
    signInByCode(opened, done);
    return;
  }
  // Who is signed in already has nothing to do here.
  if (token.get()) {
    showWaiting('One moment…');
    const me = await call('GET', '/api/auth/me');
    if (me.ok) {
      done();
      return;
    }
    if (me.status === 401) token.drop();
  }
  signIn(null, done);
}

function toLogin() {
  go(`/login?${new URLSearchParams({ next: location.pathname + location.search })}`);
}

// Within the page, so that a sign-in holds where the browser refuses to store the token. `path` is of this origin.
function go(path) {
  history.replaceState(null, '', path);
  start();
}

function start() {
  const opened = takeCode();
  if (location.pathname === '/login') login(opened);
  else if (location.pathname === '/auth/callback') callback(location.search);
  else if (token.get()) account(toLogin);
  else toLogin();
}

start();

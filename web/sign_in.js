// Signing in: who Tailscale says the caller is and one click, or a code of `leger open`.
import { call, onTokenChange, token } from './api.js';
import { button, command, element, paragraph, show, showWaiting } from './dom.js';
import { isLoopbackHost } from './judge.js';
import { holdOff, notice, press } from './notice.js';

// Asks who is calling and offers the sign-in; `done` is called once the token is there. `reason` says why a sign-in is
// needed, null where that is plain.
export async function signIn(reason, done) {
  showWaiting('Asking Tailscale who you are…');
  const peer = await call('GET', '/api/auth/peer', { asStranger: true });
  if (peer.ok) offer(peer.data, reason, done);
  else refuse(peer, reason, done);
}

function offer(peer, reason, done) {
  const place = notice();
  const name = peer.display_name || peer.login_name;
  const label = peer.display_name && peer.display_name !== peer.login_name ? `${name} (${peer.login_name})` : name;
  const go = button('primary', `Sign in as ${label}`, () => press(go, 'Signing in…', place, async () => {
    const answer = await call('POST', '/api/auth/web', { body: {}, asStranger: true });
    return answer.ok ? accept(answer.data, done) : answer;
  }));
  show('Sign in to Leger', reason ? paragraph(reason) : null, person(peer), place, element('div', { class: 'actions' }, go),
    element('p', { class: 'aside' }, 'Tailscale says this is you, so there is no password. Not you? Switch the account in Tailscale on this device, then reload this page.'));
}

// The person, and the device that they are seen on.
function person(peer) {
  const name = peer.display_name || peer.login_name;
  const initial = [...name][0]?.toUpperCase() ?? '?';
  const device = [peer.hostname, peer.tailnet].filter(Boolean).join(' · ');
  return element('div', { class: 'person' },
    element('span', { class: 'avatar', 'aria-hidden': 'true' }, initial),
    element('div', {},
      element('p', { class: 'name' }, name),
      peer.display_name ? element('p', { class: 'soft' }, peer.login_name) : null,
      device ? element('p', { class: 'soft' }, device) : null));
}

function accept(data, done) {
  token.set(data.token);
  done();
  return null;
}

function headingOf(problem) {
  if (problem.status === 0) return 'Leger cannot be reached';
  if (problem.status === 429) return 'One moment, please';
  if (problem.status >= 500) return 'Signing in is not possible now';
  return 'Leger cannot tell who you are';
}

// The caller is nobody that may sign in, or nobody knows; both may change.
function refuse(problem, reason, done) {
  const again = button('primary', 'Try again', () => signIn(reason, done));
  const onHost = problem.status === 403 && isLoopbackHost(location.hostname) && !problem.action.includes('leger open');
  show(headingOf(problem), paragraph(problem.message), problem.action ? paragraph(problem.action) : null,
    onHost ? paragraph('On the host itself run: ', command('leger open')) : null,
    element('div', { class: 'actions' }, again));
  if (problem.retryAfter) holdOff(again, problem.retryAfter);
  // `leger open` signs in by a tab of its own; this one goes on by itself then.
  onTokenChange(() => {
    if (again.isConnected && token.get()) done();
  });
}

// The code that `leger open` put into the address; `opened` is what judge.js made of it.
export async function signInByCode(opened, done) {
  if (opened.kind === 'broken') {
    refuseCode({ message: 'This sign-in address is not complete.', action: '' }, null, done);
    return;
  }
  showWaiting('Signing in…');
  const answer = await call('POST', '/api/auth/exchange', { body: { code: opened.code, verifier: opened.verifier }, asStranger: true });
  if (answer.ok) accept(answer.data, done);
  else refuseCode(answer, opened, done);
}

// A code has one try. Only where legerd cannot have looked at it is the same one worth another.
function refuseCode(problem, opened, done) {
  const untried = opened !== null && [0, 429].includes(problem.status);
  const again = button(untried ? 'primary' : 'quiet', untried ? 'Try again' : 'Sign in another way',
    () => (untried ? signInByCode(opened, done) : signIn(null, done)));
  show(untried ? headingOf(problem) : 'This sign-in link is no longer good',
    paragraph(problem.message), untried && problem.action ? paragraph(problem.action) : null,
    untried ? null : paragraph('Run this on the host for a new one: ', command('leger open')),
    element('div', { class: 'actions' }, again));
  if (untried && problem.retryAfter) holdOff(again, problem.retryAfter);
}

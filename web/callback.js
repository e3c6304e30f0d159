// `/auth/callback`: a CLI asks to sign in by this browser, or tells how that ended.
import { call, token } from './api.js';
import { announce, button, command, copyable, element, paragraph, show, showWaiting } from './dom.js';
import { callbackRequest, redirectWith } from './judge.js';
import { clear, countDown, holdOff, notice, press, tell } from './notice.js';
import { resultWords } from './results.js';
import { signIn } from './sign_in.js';

export function callback(search) {
  const request = callbackRequest(search);
  if (request.kind === 'result') showResult(request.result);
  else if (request.kind === 'broken') showBroken();
  else signedIn(request, 'A CLI asks to sign in. First sign in here yourself.');
}

function showResult(result) {
  const words = resultWords(result);
  show(words.heading, mark(words.good), paragraph(words.text),
    words.command ? paragraph('Run ', command(words.command), ' again.') : null);
}

function showBroken() {
  show('This sign-in address is not complete.', paragraph('Run ', command('leger login'), ' again.'));
}

function mark(good) {
  return element('span', { class: good ? 'mark good' : 'mark bad', 'aria-hidden': 'true' }, good ? '✓' : '!');
}

// Asks the question once there is a token that is good.
async function signedIn(request, reason) {
  if (!token.get()) {
    signIn(reason, () => signedIn(request, reason));
    return;
  }
  showWaiting('One moment…');
  const [me, peer] = await Promise.all([call('GET', '/api/auth/me'), call('GET', '/api/auth/peer', { asStranger: true })]);
  if (me.ok) ask(request, me.data.user, peer.ok ? peer.data.hostname : '');
  else if (me.status === 401) signInAgain(request);
  else showProblem(me, request, reason);
}

function signInAgain(request) {
  token.drop();
  signedIn(request, 'Your sign-in here has ended. Sign in again to go on.');
}

function showProblem(problem, request, reason) {
  const place = notice();
  const again = button('primary', 'Try again', () => signedIn(request, reason));
  show(problem.status === 0 ? 'Leger cannot be reached' : 'That did not work', place, element('div', { class: 'actions' }, again));
  tell(place, problem);
  if (problem.retryAfter) holdOff(again, problem.retryAfter);
}

// A CLI that listens runs on the device of this browser, so the caller's hostname is its hostname too.
function ask(request, user, hostname) {
  const place = notice();
  const yes = button('primary', 'Sign in', () => press(yes, 'One moment…', place, () => grant(request)));
  const no = button('quiet', 'Cancel', () => cancel(request));
  const heading = request.redirect
    ? `Let the CLI on ${hostname || 'this device'} sign in?`
    : `Let a CLI elsewhere sign in as ${user.tailscale_email}?`;
  const text = request.redirect
    ? `It asks to sign in as ${user.tailscale_email} and may then do what you may do here.`
    : 'Only go on if you have just run leger login yourself.';
  show(heading, element('p', { class: request.redirect ? '' : 'warning' }, text), place, element('div', { class: 'actions' }, yes, no));
}

function cancel(request) {
  if (request.redirect) leave(request, { error: 'access_denied' }, 'Cancelled');
  else show('Cancelled', paragraph('The CLI is not signed in. You can close this tab.'));
}

// Gives a problem for the card to tell, or null.
async function grant(request) {
  const asked = Date.now();
  const answer = await call('POST', '/api/auth/code', { body: { challenge: request.challenge } });
  if (answer.status === 401) signInAgain(request);
  else if (!answer.ok) return answer;
  else if (request.redirect) leave(request, { code: answer.data.code }, 'Signing the CLI in…');
  else showCode(request, answer.data.code, answer.data.expires_in - (Date.now() - asked) / 1000);
  return null;
}

function leave(request, answer, heading) {
  show(heading, paragraph('If the browser cannot open the next page, the CLI has ended: run ', command('leger login'), ' again.'));
  location.assign(redirectWith(request.redirect, answer, request.state));
}

// The code for typing in, until it is too old. `seconds` may have a fraction.
async function showCode(request, code, seconds) {
  const place = notice();
  const left = element('p', { class: 'soft', role: 'timer' });
  const shown = element('div', { class: 'code' }, copyable(code, 'Code', 'digits'));
  const another = button('quiet', 'New code', () => press(another, 'One moment…', place, () => grant(request)));
  const how = paragraph('Type this code into your terminal; it is good for 60 seconds.');
  show('Your code', how, shown, left, place, element('div', { class: 'actions' }, another));
  await countDown(seconds, (whole) => { left.textContent = whole === 1 ? '1 second left' : `${whole} seconds left`; }, left);
  if (!left.isConnected) return;
  if (shown.contains(document.activeElement)) another.focus();
  how.remove();
  shown.remove();
  left.textContent = 'This code has expired.';
  announce('This code has expired.');
  another.className = 'primary';
  clear(place);
}

// Who is signed in, and where else.
import { call, onTokenChange, token } from './api.js';
import { announce, button, command, copyable, element, moment, paragraph, show, showWaiting } from './dom.js';
import { holdOff, notice, press, tell } from './notice.js';

// More are shown on request: a person may have a thousand.
const FEW_SESSIONS = 5;

// `toLogin` leaves for the sign-in page.
export async function account(toLogin) {
  // Another tab has signed out, or in as somebody else.
  onTokenChange(() => location.reload());
  await load(toLogin);
}

async function load(toLogin) {
  showWaiting('One moment…');
  const [me, sessions] = await Promise.all([call('GET', '/api/auth/me'), call('GET', '/api/auth/sessions')]);
  const problem = [me, sessions].find((answer) => !answer.ok);
  if (!problem) {
    showAccount(me.data, sessions.data.sessions, toLogin);
  } else if (problem.status === 401) {
    token.drop();
    toLogin();
  } else {
    showProblem(problem, toLogin);
  }
}

function showProblem(problem, toLogin) {
  const place = notice();
  const again = button('primary', 'Try again', () => load(toLogin));
  show(problem.status === 0 ? 'Leger cannot be reached' : 'That did not work', place, element('div', { class: 'actions' }, again));
  tell(place, problem);
  if (problem.retryAfter) holdOff(again, problem.retryAfter);
}

function showAccount(me, sessions, toLogin) {
  const place = notice();
  const user = me.user;
  const out = button('quiet', 'Log out', () => press(out, 'Logging out…', place, () => logOut(toLogin)));
  show(user.display_name || user.tailscale_email,
    element('p', { class: 'soft under' }, user.display_name ? user.tailscale_email : ''),
    element('dl', {},
      ...row('Tailnet', user.tailnet || 'not known yet'),
      ...row('Roles', element('span', { class: 'badges' }, ...me.roles.map((role) => element('span', { class: 'badge' }, role)))),
      element('dt', { class: 'wide' }, 'Leger ID'),
      element('dd', { class: 'wide' }, copyable(user.user_uuid, 'Leger ID', 'uuid'))),
    sessionList(sessions, toLogin),
    element('p', { class: 'aside' }, 'Secrets and releases are managed from a terminal: ', command('leger secrets list')),
    place, element('div', { class: 'actions' }, out));
}

const row = (name, value) => [element('dt', {}, name), element('dd', {}, value)];

// Ended on the server first: a token that is only forgotten here would stay good.
async function logOut(toLogin) {
  const answer = await call('POST', '/api/auth/logout', { body: {} });
  if (!answer.ok && answer.status !== 401) return answer;
  token.drop();
  toLogin();
  return null;
}

function sessionList(sessions, toLogin) {
  const place = notice();
  const heading = element('h2', { tabindex: '-1' }, 'Where you are signed in');
  const sorted = [...sessions.filter((session) => session.current), ...sessions.filter((session) => !session.current)];
  const items = sorted.map((session) => sessionItem(session, heading, place, toLogin));
  const list = element('ul', { class: 'sessions' }, ...items.slice(0, FEW_SESSIONS));
  const rest = items.slice(FEW_SESSIONS);
  if (rest.length === 0) return element('div', {}, heading, list, place);
  const more = button('small', `Show ${rest.length} more`, () => {
    list.append(...rest);
    more.remove();
    heading.focus();
  });
  return element('div', {}, heading, list, place, more);
}

const clientName = (client) => ({ web: 'Browser', cli: 'CLI' })[client] ?? 'Client';
const bindingName = (binding) => (binding === 'local' ? 'on the host itself' : 'over the tailnet');

function sessionItem(session, heading, place, toLogin) {
  const device = session.hostname || 'A device without a name';
  const words = `${clientName(session.client)}, ${bindingName(session.binding)}`;
  const item = element('li', {},
    element('div', {},
      element('p', { class: 'name' }, device, session.current ? element('span', { class: 'badge' }, 'this browser') : null),
      element('p', { class: 'soft' }, words),
      element('p', { class: 'soft' }, `since ${moment(session.created_at)}`)));
  // Logging out ends this one.
  if (session.current) return item;
  const end = button('small', 'Revoke', () => press(end, 'Revoking…', place, async () => {
    const answer = await call('DELETE', `/api/auth/sessions/${encodeURIComponent(session.id)}`);
    if (answer.status === 401) return load(toLogin);
    // Somebody else has ended it already.
    if (!answer.ok && answer.status !== 404) return answer;
    item.remove();
    heading.focus();
    announce(`The session of ${device} is revoked.`);
    return null;
  }));
  end.setAttribute('aria-label', `Revoke the session of ${device}, ${words}, since ${moment(session.created_at)}`);
  item.append(end);
  return item;
}

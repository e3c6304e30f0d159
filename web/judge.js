// What the page makes of its address: nothing in an address is trusted, and none of its text is ever shown.
// Pure, so that node can test it.

const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{0,4})\/$/;
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;
const CODE = /^[A-Za-z0-9-]{1,64}$/;
const MOST_STATE = 200;

// Where to go after a sign-in: `text` if it is a path of this origin, else the start page.
export function nextPath(text, origin) {
  const start = '/';
  if (typeof text !== 'string' || !/^\/(?![/\\])/.test(text)) return start;
  if (!URL.canParse(text, origin)) return start;
  const url = new URL(text, origin);
  // `/.//host` is of this origin until its path is resolved once more.
  if (url.origin !== origin || url.pathname.startsWith('//')) return start;
  // The sign-in page is no place to go after signing in.
  if (url.pathname === '/login') return start;
  return url.pathname + url.search + url.hash;
}

// The address of a CLI's own listener, or null for anything that is not exactly one.
export function redirectTarget(text) {
  const match = LOOPBACK.exec(text);
  if (!match || Number(match[1]) > 65535) return null;
  // As the browser itself reads it: without the port where that is the usual one.
  return new URL(text).href;
}

// What `/auth/callback` is asked for: `{kind: 'result', result}`, `{kind: 'request', redirect, state, challenge}` with
// `redirect` null where the code is typed in, or `{kind: 'broken'}`.
export function callbackRequest(search) {
  const query = new URLSearchParams(search);
  const broken = { kind: 'broken' };
  // A parameter given twice is read differently by different readers.
  if (['result', 'redirect_uri', 'state', 'challenge'].some((name) => query.getAll(name).length > 1)) return broken;
  if (query.has('result')) return { kind: 'result', result: query.get('result') };
  const challenge = query.get('challenge') ?? '';
  const state = query.get('state') ?? '';
  if (!CHALLENGE.test(challenge) || state.length > MOST_STATE) return broken;
  if (!query.has('redirect_uri')) return { kind: 'request', redirect: null, state, challenge };
  const redirect = redirectTarget(query.get('redirect_uri'));
  // A CLI that listens always sends a state: it tells its own answer by it.
  if (!redirect || !state) return broken;
  return { kind: 'request', redirect, state, challenge };
}

// The CLI's listener with an answer for it; `answer` is `{code}` or `{error}`.
export function redirectWith(redirect, answer, state) {
  const url = new URL(redirect);
  url.search = new URLSearchParams({ ...answer, state }).toString();
  return url.href;
}

// What `leger open` put into the fragment: null where there is no code, `{kind: 'broken'}` where it is not whole.
export function openedWith(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  if (!fields.has('code') && !fields.has('verifier')) return null;
  const code = fields.get('code') ?? '';
  const verifier = fields.get('verifier') ?? '';
  return CODE.test(code) && VERIFIER.test(verifier) ? { kind: 'code', code, verifier } : { kind: 'broken' };
}

// The browser runs on the host of legerd and reached it by loopback, where Tailscale knows nobody.
export function isLoopbackHost(hostname) {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

// Calls legerd, and keeps the token of this browser. Every outcome is a value: `{ok: true, data}` or a problem
// `{ok: false, status, code, message, action, retryAfter}`; status 0 where legerd did not answer.

const KEY = 'leger.token';
const WAIT_MS = 20_000;
const MOST_RETRY_S = 3600;

// A browser may refuse storage; then the sign-in lasts as long as the page.
let unstored = null;

export const token = {
  get() {
    try {
      return localStorage.getItem(KEY) ?? unstored;
    } catch {
      return unstored;
    }
  },
  set(value) {
    try {
      localStorage.setItem(KEY, value);
    } catch {
      unstored = value;
    }
  },
  drop() {
    unstored = null;
    try {
      localStorage.removeItem(KEY);
    } catch {
      // Nothing was stored either.
    }
  },
};

// Calls `fn` when another tab signs in or out.
export function onTokenChange(fn) {
  addEventListener('storage', (event) => {
    if (event.key === KEY || event.key === null) fn();
  });
}

// `body` is sent as JSON where there is one. The token goes along unless `asStranger`.
export async function call(method, path, { body, asStranger } = {}) {
  const headers = { Accept: 'application/json' };
  const held = asStranger ? null : token.get();
  if (held) headers.Authorization = `Bearer ${held}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    const answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(WAIT_MS),
    });
    return read(answer.status, answer.headers, await answer.text());
  } catch {
    return unreachable();
  }
}

function read(status, headers, text) {
  const reply = parse(text);
  if (status >= 200 && status < 300 && reply?.success === true) return { ok: true, data: reply.data ?? {} };
  const error = reply?.error;
  if (typeof error?.message !== 'string') return garbled(status);
  const seconds = Number.parseInt(headers.get('Retry-After') ?? '', 10);
  const asked = Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), MOST_RETRY_S) : null;
  return {
    ok: false,
    status,
    code: error.code,
    message: error.message,
    action: typeof error.action === 'string' ? error.action : '',
    retryAfter: asked ?? (status === 429 ? 10 : 0),
  };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function unreachable() {
  return {
    ok: false, status: 0, code: 'unreachable', retryAfter: 0,
    message: 'Leger does not answer.',
    action: 'Check that this device is connected to your tailnet and that legerd runs on its host.',
  };
}

// Something that stands before legerd answers for it.
function garbled(status) {
  return {
    ok: false, status, code: 'garbled', retryAfter: 0,
    message: `The answer (status ${status}) is not one of Leger’s.`,
    action: 'Check what stands between this browser and legerd, then try again.',
  };
}

// How a sign-in of the CLI ended, in words. The CLI names the result in the address; only these words are shown.

const FAILURES = new Map([
  ['wrong_state', 'This answer belongs to another sign-in, so the CLI refused it.'],
  ['used', 'This code was used already.'],
  ['expired', 'This code is older than 60 seconds.'],
  ['verifier', 'This code was made for another CLI.'],
  ['identity', 'This code belongs to somebody else.'],
  ['access_denied', 'You declined the sign-in.'],
]);

// `{good, heading, text, command}`; `command` is what to run next, null where nothing is left to do.
export function resultWords(result) {
  if (result === 'success') {
    return { good: true, heading: 'Login successful! Return to CLI', text: 'You can close this tab.', command: null };
  }
  const text = FAILURES.get(result) ?? 'The CLI could not sign in.';
  return { good: false, heading: 'The CLI is not signed in', text, command: 'leger login' };
}

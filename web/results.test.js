import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resultWords } from './results.js';

test('success has the sentence that the CLI promises', () => {
  assert.equal(resultWords('success').heading, 'Login successful! Return to CLI');
  assert.equal(resultWords('success').good, true);
});

test('each refusal says why and what to run next', () => {
  const texts = {
    wrong_state: 'This answer belongs to another sign-in, so the CLI refused it.',
    used: 'This code was used already.',
    expired: 'This code is older than 60 seconds.',
    verifier: 'This code was made for another CLI.',
    identity: 'This code belongs to somebody else.',
    access_denied: 'You declined the sign-in.',
  };
  for (const [result, text] of Object.entries(texts)) {
    assert.deepEqual(resultWords(result), { good: false, heading: 'The CLI is not signed in', text, command: 'leger login' });
  }
});

test('text from the address is never shown', () => {
  for (const result of ['', 'Success', 'success ', 'constructor', '__proto__', 'toString', '<b>hi</b>', 'call 555-0100']) {
    const words = resultWords(result);
    assert.equal(words.good, false, result);
    assert.equal(words.text, 'The CLI could not sign in.', result);
    assert.ok(result === '' || !Object.values(words).some((text) => typeof text === 'string' && text.includes(result)), result);
  }
});

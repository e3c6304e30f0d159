import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callbackRequest, isLoopbackHost, nextPath, openedWith, redirectTarget, redirectWith } from './judge.js';

const origin = 'http://leger.example.ts.net:8787';
const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
const listener = 'http://127.0.0.1:40123/';

const search = (fields) => `?${new URLSearchParams(fields)}`;

test('next is a path of this origin', () => {
  for (const path of ['/', '/api-keys', '/releases/3?x=1#y', '/a%2F%2Fb', '/settings?next=//evil.example']) {
    assert.equal(nextPath(path, origin), path);
  }
});

test('next never leaves the origin', () => {
  const foreign = [
    null, undefined, '', 'api-keys', '//evil.example', '///evil.example', '/\\evil.example', '\\\\evil.example',
    'https://evil.example/', 'javascript:alert(1)', ' /api-keys', '/\t/evil.example', '/\n/evil.example', '/.//evil.example',
    '/a/..//evil.example', '/%2e//evil.example', `${origin}/api-keys`, 'data:text/html,x', '?x', '#x',
  ];
  for (const text of foreign) assert.equal(nextPath(text, origin), '/', JSON.stringify(text));
});

test('next is not the sign-in page itself', () => {
  assert.equal(nextPath('/login', origin), '/');
  assert.equal(nextPath('/login?next=/login', origin), '/');
  assert.equal(nextPath('/x/../login', origin), '/');
});

test('a listener on either loopback address and any port is a redirect', () => {
  for (const text of [listener, 'http://[::1]:40123/', 'http://127.0.0.1:1/', 'http://127.0.0.1:65535/']) {
    assert.equal(redirectTarget(text), text);
  }
  assert.equal(redirectTarget('http://127.0.0.1:80/'), 'http://127.0.0.1/', 'the same address without its usual port');
});

test('nothing else is a redirect', () => {
  const others = [
    null, '', 'http://127.0.0.1/', 'http://127.0.0.1:0/', 'http://127.0.0.1:65536/', 'http://127.0.0.1:99999/',
    'http://127.0.0.1:040123/', 'http://127.0.0.1:40123', 'http://127.0.0.1:40123/x', 'http://127.0.0.1:40123//',
    'http://127.0.0.1:40123/?x', 'http://127.0.0.1:40123/?', 'http://127.0.0.1:40123/#', 'http://127.0.0.1:40123/#x',
    'https://127.0.0.1:40123/', 'HTTP://127.0.0.1:40123/', 'http://localhost:40123/', 'http://127.0.0.2:40123/',
    'http://127.1:40123/', 'http://2130706433:40123/', 'http://0x7f.0.0.1:40123/', 'http://[0:0:0:0:0:0:0:1]:40123/',
    'http://[::ffff:127.0.0.1]:40123/', 'http://::1:40123/', 'http://0.0.0.0:40123/', 'http://a@127.0.0.1:40123/',
    'http://127.0.0.1:40123@evil.example/', 'http://@127.0.0.1:40123/', 'http://127.0.0.1.evil.example:40123/',
    'http://evil.example/#http://127.0.0.1:40123/', 'http:127.0.0.1:40123/', 'http:\\\\127.0.0.1:40123/',
    ' http://127.0.0.1:40123/', 'http://127.0.0.1:40123/\n', 'http://127.0.0.1:40\t123/', 'javascript:alert(1)',
    'http://127.0.0.1:40123/\nhttp://evil.example/', 'http://１２７.0.0.1:40123/',
  ];
  for (const text of others) assert.equal(redirectTarget(text), null, JSON.stringify(text));
});

test('a whole request of a listening CLI is taken', () => {
  assert.deepEqual(callbackRequest(search({ device_id: 'n1', redirect_uri: listener, state: 's', challenge })),
    { kind: 'request', redirect: listener, state: 's', challenge });
});

test('without a redirect the code is to be typed in', () => {
  assert.deepEqual(callbackRequest(search({ device_id: '', challenge })),
    { kind: 'request', redirect: null, state: '', challenge });
});

test('a request that is not whole is broken', () => {
  const good = { redirect_uri: listener, state: 's', challenge };
  const wrong = [
    { challenge: '' }, { challenge: challenge.slice(1) }, { challenge: `${challenge}A` }, { challenge: `${challenge.slice(1)}=` },
    { challenge: `${challenge.slice(1)}+` }, { challenge: `${challenge}\n` }, { state: '' }, { state: 'x'.repeat(201) },
    { redirect_uri: '' }, { redirect_uri: 'https://evil.example/' },
  ];
  assert.equal(callbackRequest(search(good)).kind, 'request');
  for (const fields of wrong) assert.deepEqual(callbackRequest(search({ ...good, ...fields })), { kind: 'broken' }, JSON.stringify(fields));
  assert.deepEqual(callbackRequest(''), { kind: 'broken' });
  assert.equal(callbackRequest(search({ ...good, state: 'x'.repeat(200) })).kind, 'request');
});

test('a parameter that is given twice is broken', () => {
  const once = search({ redirect_uri: listener, state: 's', challenge });
  for (const name of ['redirect_uri', 'state', 'challenge']) {
    assert.equal(callbackRequest(`${once}&${name}=x`).kind, 'broken', name);
  }
  assert.equal(callbackRequest('?result=success&result=used').kind, 'broken');
});

test('a result is a result whatever else is there', () => {
  assert.deepEqual(callbackRequest(`?result=used&challenge=${challenge}`), { kind: 'result', result: 'used' });
  assert.deepEqual(callbackRequest('?result='), { kind: 'result', result: '' });
});

test('the answer to the CLI keeps the state as it was', () => {
  const state = 'a b&c=d#e%/?';
  const url = new URL(redirectWith(listener, { code: 'AAAA-BBBB-CCCC' }, state));
  assert.equal(url.origin, 'http://127.0.0.1:40123');
  assert.deepEqual([...url.searchParams], [['code', 'AAAA-BBBB-CCCC'], ['state', state]]);
  assert.equal(redirectWith('http://[::1]:9/', { error: 'access_denied' }, 's'), 'http://[::1]:9/?error=access_denied&state=s');
});

test('a fragment of leger open is read', () => {
  const verifier = 'v'.repeat(43);
  assert.deepEqual(openedWith(`#code=AAAA-BBBB-CCCC&verifier=${verifier}`), { kind: 'code', code: 'AAAA-BBBB-CCCC', verifier });
  for (const fragment of ['', '#', '#top', '#sessions=1']) assert.equal(openedWith(fragment), null, fragment);
});

test('a fragment that is not whole is broken', () => {
  const verifier = 'v'.repeat(43);
  const fragments = [
    '#code=AAAA', `#verifier=${verifier}`, `#code=&verifier=${verifier}`, '#code=AAAA&verifier=short',
    `#code=AAAA&verifier=${'v'.repeat(129)}`, `#code=${'A'.repeat(65)}&verifier=${verifier}`, `#code=<b>&verifier=${verifier}`,
  ];
  for (const fragment of fragments) assert.deepEqual(openedWith(fragment), { kind: 'broken' }, fragment);
});

test('loopback is told by its names', () => {
  for (const name of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) assert.ok(isLoopbackHost(name), name);
  for (const name of ['leger', 'localhost.evil.example', '127.0.0.1.evil.example', '100.64.0.1', '']) assert.ok(!isLoopbackHost(name), name);
});

// Whatever stands in place of the gateway's answer has an error of its own, and never reads as "signed out".

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Browser, alice, own, problem, settled, signedOut } from './browser.js';

const html = '<!doctype html><title>Bad gateway</title>';
const page = (/** @type {number} */ status) => new Response(html, { status, headers: { 'Content-Type': 'text/html' } });

/** @type {[string, () => Response, object][]} */
const answers = [
  ['a foreign origin', () => problem(403, 'cross_origin'), { name: 'CrossOriginException', status: 403, code: 'cross_origin', requestId: 'R1' }],
  ['no CSRF header', () => problem(403, 'csrf_header_missing'), { name: 'CsrfHeaderMissingException', status: 403 }],
  ['a sign-in that is too old', () => problem(403, 'step_up_required'), { name: 'StepUpRequiredException', loginUrl: '/auth/login' }],
  ['too many refreshes', () => problem(429, 'too_many_refreshes', { 'Retry-After': '7' }), { name: 'LimitExceededException', retryAfter: 7 }],
  ['a store that is away', () => problem(503, 'store_unavailable'), { name: 'ServiceUnavailableException', code: 'store_unavailable' }],
  ['a set-up that does not fit', () => problem(502, 'misconfigured'), { name: 'NetworkError', code: 'misconfigured' }],
  ['a fault of the gateway', () => problem(500, 'internal'), { name: 'InternalException', message: 'It says internal.' }],
  ["a front's 502", () => page(502), { name: 'NetworkError', status: 502 }],
  ["a front's 503 with Retry-After", () => new Response('', { status: 503, headers: { 'Retry-After': '1' } }), { name: 'NetworkError', retryAfter: 1 }],
  ["a front's 504", () => page(504), { name: 'NetworkError' }],
  ["a front's 522", () => page(522), { name: 'NetworkError' }],
  ["a proxy's page", () => page(200), { name: 'UnexpectedResponseException', status: 200 }],
  ["an API's own 401", () => Response.json({ code: 'unauthenticated' }, { status: 401 }), { name: 'UnexpectedResponseException', status: 401 }],
  ["an API's own session", () => Response.json(signedOut), { name: 'UnexpectedResponseException' }],
  ["a 401 with the gateway's header and no problem", () => own(undefined, { status: 401 }), { name: 'UnexpectedResponseException', status: 401 }],
  ['an empty body', () => own(undefined), { name: 'UnexpectedResponseException', status: 200 }],
  ['half a body', () => new Response('{"authent', { headers: { 'X-Gatehouse': '1' } }), { name: 'UnexpectedResponseException' }],
];

/** @type {[string, () => Response][]} */
const oddSessions = [
  ['nothing', () => own({})],
  ['a list', () => own([])],
  ['null', () => own(null)],
  ['a text for yes', () => own({ authenticated: 'no' })],
];

for (const [what, answer, expected] of answers) {
  test(`${what} in place of the session`, async () => {
    const browser = new Browser();
    browser.gateway = () => own(alice());
    const tab = browser.open();
    tab.listen();
    await settled();
    browser.gateway = answer;
    tab.happens('focus');
    const { client } = tab;
    await assert.rejects(client.getCurrentUser(), expected);
    await assert.rejects(client.fetchAuthSession(), expected);
    await assert.rejects(client.fetchUserAttributes(), expected);
    await assert.rejects(client.extendSession(), expected);
    await assert.rejects(client.signInWithRedirect(), expected);
    await assert.rejects(client.listSessions(), expected);
    await assert.rejects(client.endSession('1'), expected);
    await assert.rejects(client.signOut(), expected);
    await assert.rejects(client.fetchAuthSession({ forceRefresh: true }), expected);
    assert.deepEqual(tab.told, ['tokenRefresh_failure']);
    assert.equal(tab.leftFor, '');
  });
}

for (const [what, answer] of oddSessions) {
  test(`a session that is ${what} is no sign-out`, async () => {
    const browser = new Browser();
    browser.gateway = answer;
    await assert.rejects(browser.open().client.fetchAuthSession(), { name: 'UnexpectedResponseException' });
  });
}

test('no network is a NetworkError', async () => {
  const browser = new Browser();
  browser.gateway = () => own(alice());
  const tab = browser.open();
  tab.listen();
  await settled();
  const cause = new TypeError('Failed to fetch');
  browser.gateway = () => {
    throw cause;
  };
  tab.happens('focus');
  const { client } = tab;
  const expected = { name: 'NetworkError', underlyingError: cause };
  await assert.rejects(client.getCurrentUser(), expected);
  await assert.rejects(client.gatewayFetch('/api/hello'), expected);
  await assert.rejects(client.signOut(), expected);
  assert.deepEqual(tab.told, []);
});

test('an answer that breaks off is a NetworkError', async () => {
  const browser = new Browser();
  browser.gateway = () => {
    const body = new ReadableStream({ pull: (stream) => stream.error(new TypeError('network error')) });
    return new Response(body, { headers: { 'X-Gatehouse': '1' } });
  };
  await assert.rejects(browser.open().client.getCurrentUser(), { name: 'NetworkError' });
});

describe('a call that its caller gives up', () => {
  test('on its way', async () => {
    const browser = new Browser();
    const giveUp = new AbortController();
    browser.gateway = ({ request }) => new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)));
    const call = browser.open().client.gatewayFetch('/api/hello', { signal: giveUp.signal });
    await settled();
    giveUp.abort();
    await assert.rejects(call, { name: 'AbortError' });
  });

  test('while it waits for the gateway', async () => {
    const browser = new Browser();
    const giveUp = new AbortController();
    browser.gateway = () => problem(503, 'store_unavailable', { 'Retry-After': '20' });
    const call = browser.open().client.gatewayFetch('/api/hello', { signal: giveUp.signal });
    await settled();
    assert.equal(browser.timers.length, 1);
    giveUp.abort();
    await assert.rejects(call, { name: 'AbortError' });
    assert.deepEqual([browser.timers.length, browser.now], [0, new Browser().now]);
  });
});

describe('Retry-After', () => {
  /** Seconds that a call waits before it is repeated; undefined if it is not. @param {string} header */
  async function waits(header) {
    const browser = new Browser();
    browser.gateway = () => problem(503, 'store_unavailable', header ? { 'Retry-After': header } : {});
    browser.open().client.getCurrentUser().catch(() => {});
    await settled();
    return browser.timers[0] && (browser.timers[0].at - browser.now) / 1000;
  }
  /** @type {[string, number | undefined][]} */
  const headers = [
    ['3', 3],
    ['0', 0],
    ['', undefined],
    ['soon', undefined],
    ['31', undefined],
    ['-5', 0],
  ];
  for (const [header, seconds] of headers) {
    test(header || 'absent', async () => assert.equal(await waits(header), seconds));
  }
  test('as a date', async () => {
    const { now } = new Browser();
    assert.equal(await waits(new Date(now + 4000).toUTCString()), 4);
    assert.equal(await waits(new Date(now - 4000).toUTCString()), 0);
    assert.equal(await waits(new Date(now + 60_000).toUTCString()), undefined);
  });
});

test('an error is an AuthError, with what the gateway said', async () => {
  const browser = new Browser();
  browser.gateway = () => problem(403, 'cross_origin');
  const { client } = browser.open();
  const err = await client.getCurrentUser().catch((err) => err);
  assert.ok(err instanceof client.AuthError && err instanceof Error);
  assert.match(String(err.stack), /It says cross_origin\./);
  assert.equal(String(err), 'CrossOriginException: It says cross_origin.');
});

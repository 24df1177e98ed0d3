import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, FakeChannel, alice, own, problem, settled, signedOut } from './browser.js';

/** @param {(sent: import('./browser.js').Sent) => Response | Promise<Response>} gateway */
function browserWith(gateway) {
  const browser = new Browser();
  browser.gateway = gateway;
  return browser;
}

test('sends header and cookie to the gateway, and to nobody else', async () => {
  const browser = browserWith(() => new Response('hello'));
  const { client } = browser.open();
  assert.equal(await (await client.gatewayFetch('/api/hello', { method: 'PUT', body: 'x', headers: { A: 'b' } })).text(), 'hello');
  await client.gatewayFetch('https://elsewhere.example.com/');
  const [mine, theirs] = browser.requests;
  assert.deepEqual([mine?.headers.get('X-CSRF'), mine?.headers.get('A'), mine?.body, mine?.credentials], ['1', 'b', 'x', 'same-origin']);
  assert.deepEqual([theirs?.headers.get('X-CSRF'), theirs?.credentials], [null, 'same-origin']);
});

test('calls a gateway of another origin with its cookie', async () => {
  const browser = browserWith(() => own(alice()));
  const { client } = browser.open('https://www.example.com/');
  client.configure({ gateway: 'https://app.example.com/auth', csrfHeader: 'X-Own' });
  await client.getCurrentUser();
  await client.gatewayFetch('https://app.example.com/api/hello');
  await client.gatewayFetch('/page');
  assert.deepEqual(browser.requests.map((sent) => [new URL(sent.request.url).host, sent.credentials, sent.headers.get('X-Own')]), [
    ['app.example.com', 'include', '1'],
    ['app.example.com', 'include', '1'],
    ['www.example.com', 'same-origin', null],
  ]);
});

for (const status of [401, 403, 503]) {
  test(`an API's own ${status} is the API's`, async () => {
    const browser = browserWith(() => new Response('{"code":"unauthenticated"}', { status, headers: { 'Retry-After': '1' } }));
    const tab = browser.open();
    const response = await tab.client.gatewayFetch('/api/hello');
    assert.equal(response.status, status);
    assert.equal(await response.text(), '{"code":"unauthenticated"}');
    assert.equal(browser.requests.length, 1);
  });
}

test('a HEAD is refused by its status alone', async () => {
  let answer = own(undefined, { status: 401 });
  const { client } = browserWith(() => answer).open();
  const call = () => client.gatewayFetch('/api/hello', { method: 'HEAD' });
  await assert.rejects(call(), { name: 'UserUnAuthenticatedException', status: 401 });
  answer = own(undefined, { status: 502 });
  await assert.rejects(call(), { name: 'NetworkError', status: 502 });
  answer = own(undefined, { status: 403 });
  await assert.rejects(call(), { name: 'RefusedException', status: 403 });
  answer = new Response(null, { status: 401 });
  assert.equal((await call()).status, 401, "an API's own");
});

test('many calls that are refused are one sign-out and one login', async () => {
  const browser = browserWith(({ path }) => (path.startsWith('/auth/session') ? own(alice()) : problem(401, 'unauthenticated')));
  const tab = browser.open();
  tab.listen();
  await settled();
  const calls = Array.from({ length: 50 }, () => tab.client.gatewayFetch('/api/hello', { login: true }));
  let settledCalls = 0;
  for (const call of calls) call.finally(() => settledCalls++);
  await settled();
  assert.deepEqual(tab.told, ['signedOut']);
  assert.equal(tab.leftFor, 'https://app.example.com/auth/login?return_to=https%3A%2F%2Fapp.example.com%2Forders%3Ftab%3D2%23top');
  assert.equal(settledCalls, 0);
});

test('one window signs in for all calls, which are then repeated', async () => {
  let in_ = false;
  const browser = browserWith(({ path }) => {
    if (path.startsWith('/auth/session')) return own(in_ ? alice() : signedOut);
    return in_ ? new Response('hello') : problem(401, 'unauthenticated');
  });
  const tab = browser.open();
  tab.client.configure({ login: 'popup' });
  const calls = Array.from({ length: 5 }, () => tab.client.gatewayFetch('/api/hello', { method: 'POST', body: 'x' }));
  await settled();
  const popups = tab.popups ?? [];
  assert.equal(popups.length, 1);
  in_ = true;
  popups[0]?.says(browser);
  for (const response of await Promise.all(calls)) assert.equal(await response.text(), 'hello');
  assert.deepEqual(browser.requests.filter(({ path }) => path === '/api/hello').map(({ body }) => body), Array(10).fill('x'));
});

test("waits for the gateway's 503 as long as it says, and not for ever", async () => {
  const answers = [problem(503, 'store_unavailable', { 'Retry-After': '2' }), new Response('hello')];
  const browser = browserWith(() => /** @type {Response} */ (answers.shift()));
  const tab = browser.open();
  const call = tab.client.gatewayFetch('/api/hello');
  await browser.pass(1999);
  assert.equal(browser.requests.length, 1);
  await browser.pass(1);
  assert.equal(await (await call).text(), 'hello');

  browser.gateway = () => problem(503, 'idp_unavailable', { 'Retry-After': '5' });
  const lost = assert.rejects(tab.client.gatewayFetch('/api/hello'), { name: 'ServiceUnavailableException', status: 503, retryAfter: 5, code: 'idp_unavailable' });
  await browser.pass(30_000);
  await lost;
  assert.equal(browser.requests.length, 2 + 4);
});

test('a refusal that a login has overtaken is no sign-out', async () => {
  /** @type {((answer: Response) => void)[]} */
  const late = [];
  const browser = browserWith(() => own(alice()));
  const [tab, other] = [browser.open(), browser.open()];
  tab.listen();
  other.listen();
  await settled();
  browser.gateway = () => new Promise((resolve) => late.push(resolve));
  const calls = [tab.client.gatewayFetch('/api/hello'), tab.client.gatewayFetch('/api/hello', { login: 'popup' })];
  await settled();
  const bob = alice({ userSub: 'sub-bob', username: 'bob' });
  new FakeChannel(browser, 'gatehouse:https://app.example.com/auth').postMessage({ session: bob });
  await settled();
  browser.gateway = () => new Response('hello');
  for (const answer of late) answer(problem(401, 'unauthenticated'));
  for (const response of await Promise.all(calls)) assert.equal(await response.text(), 'hello');
  for (const { told } of [tab, other]) assert.deepEqual(told, ['signedOut', 'signedIn']); // of Alice, and of Bob
  assert.deepEqual(tab.popups, []);

  // A second refusal is about the login too.
  browser.gateway = ({ path }) => {
    if (path !== '/api/hello') return own(alice());
    new FakeChannel(browser, 'gatehouse:https://app.example.com/auth').postMessage({ session: bob });
    return settled().then(() => problem(401, 'unauthenticated'));
  };
  await assert.rejects(tab.client.gatewayFetch('/api/hello'), { name: 'UserUnAuthenticatedException' });
});

test('keeps the referrer policy that the caller asks for', async () => {
  const browser = browserWith(() => new Response('hello'));
  const { client } = browser.open('https://www.example.com/');
  await client.gatewayFetch('/api/hello', { referrerPolicy: 'no-referrer' });
  client.configure({ gateway: 'https://app.example.com/auth' });
  await client.gatewayFetch('https://app.example.com/api/hello', { referrerPolicy: 'no-referrer' });
  assert.deepEqual(browser.requests.map(({ request }) => request.referrerPolicy), ['no-referrer', 'no-referrer']);
});

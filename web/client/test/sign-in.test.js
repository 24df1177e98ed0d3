// Signing in and out, in the ways that leave the page and those that do not.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Browser, FakeChannel, alice, own, problem, settled, signedOut } from './browser.js';

const user = { username: 'alice', userId: 'sub-alice' };

describe('a window for the login', () => {
  test('signs in and is closed', async () => {
    const browser = new Browser();
    const tab = browser.open();
    tab.listen();
    await settled();
    const login = tab.client.signInWithPopup({ provider: 'Google' });
    const popup = tab.popups?.[0];
    const { searchParams } = popup?.url ?? new URL('');
    assert.equal(searchParams.get('provider'), 'Google');
    assert.match(searchParams.get('return_to') ?? '', /^https:\/\/app\.example\.com\/auth\/sdk\/popup\.html#[\w-]{36}$/);
    browser.gateway = () => own(alice());
    popup?.says(browser);
    assert.deepEqual(await login, user);
    await settled();
    assert.deepEqual(tab.events, [['signedIn', user]]);
    assert.deepEqual([popup?.closed, browser.timers.length], [true, 0]);
  });

  test('is not opened over a session, unless a prompt is asked for', async () => {
    const browser = new Browser();
    browser.gateway = () => own(alice());
    const tab = browser.open();
    await tab.client.getCurrentUser();
    await assert.rejects(tab.client.signInWithPopup(), { name: 'UserAlreadyAuthenticatedException' });
    assert.equal(tab.popups?.length, 0);
    tab.client.signInWithPopup({ options: { prompt: 'LOGIN' } });
    assert.equal(tab.popups?.length, 1);
    browser.gateway = () => own(alice());
    tab.popups?.[0]?.says(browser);
    await settled();
  });

  test('is not opened', async () => {
    const tab = new Browser().open();
    tab.popups = undefined;
    await assert.rejects(tab.client.signInWithPopup(), { name: 'PopupBlockedException' });
  });

  test('is closed too early', async () => {
    const browser = new Browser();
    const tab = browser.open();
    const login = assert.rejects(tab.client.signInWithPopup(), { name: 'PopupClosedException' });
    tab.popups?.[0]?.close();
    await browser.pass(1000);
    await login;
    assert.equal(browser.channels.length, 0);
  });

  test('looks closed because a page on the way has cut the tie', async () => {
    const browser = new Browser();
    const tab = browser.open();
    tab.focused = false;
    const login = tab.client.signInWithPopup();
    tab.popups?.[0]?.close();
    await browser.pass(60_000);
    assert.deepEqual(browser.paths, []);
    browser.gateway = () => own(alice());
    tab.popups?.[0]?.says(browser);
    assert.deepEqual(await login, user);
  });

  test('ends in a refusal', async () => {
    const browser = new Browser();
    const tab = browser.open();
    const login = tab.client.signInWithPopup();
    tab.popups?.[0]?.says(browser, { error: { code: 'access_denied', requestId: 'R2', reason: 'Not today.' } });
    await assert.rejects(login, { name: 'OAuthSignInException', code: 'access_denied', requestId: 'R2', message: 'Not today.' });
  });

  test('takes no notice of other windows, and an outage is no closed window', async () => {
    const browser = new Browser();
    const tab = browser.open();
    const [first, second] = [tab.client.signInWithPopup(), tab.client.signInWithPopup()];
    browser.gateway = () => problem(502, 'upstream_unavailable');
    tab.popups?.[0]?.says(browser);
    await assert.rejects(first, { name: 'NetworkError' });
    assert.equal(tab.popups?.[1]?.closed, false);
    browser.gateway = () => own(alice());
    tab.popups?.[1]?.says(browser);
    assert.deepEqual(await second, user);
  });
});

describe('a silent login', () => {
  test('is tried once a tab', async () => {
    const browser = new Browser();
    const tab = browser.open();
    let waiting = true;
    tab.client.signInSilently().finally(() => (waiting = false));
    await settled();
    assert.match(tab.leftFor, /^https:\/\/app\.example\.com\/auth\/login\?return_to=.*&prompt=none$/);
    assert.ok(waiting, 'the page goes on although it is left');
    const back = tab.next();
    back.listen();
    await back.client.signInSilently();
    await settled();
    assert.equal(back.leftFor, '');
    assert.deepEqual(back.events, []);
  });

  test('may be tried again after a sign-in', async () => {
    const browser = new Browser();
    const tab = browser.open();
    tab.client.signInSilently();
    await settled();
    browser.gateway = () => own(alice());
    const back = tab.next();
    await back.client.signInSilently();
    assert.equal(back.leftFor, '');
    browser.gateway = () => own(signedOut);
    const later = back.next();
    later.client.signInSilently();
    await settled();
    assert.notEqual(later.leftFor, '');
  });
});

describe('a sign-out', () => {
  test('that is under way makes failing refreshes mean nothing', async () => {
    const browser = new Browser();
    browser.gateway = () => own(alice());
    const tab = browser.open();
    tab.listen();
    await settled();
    /** @type {Record<string, (answer: Response) => void>} */
    const answer = {};
    browser.gateway = ({ path }) => new Promise((resolve) => (answer[path] = resolve));
    const leaving = tab.client.signOut({ global: true, redirect: false });
    const refresh = tab.client.fetchAuthSession({ forceRefresh: true });
    await settled();
    answer['/auth/refresh']?.(problem(401, 'unauthenticated'));
    assert.deepEqual(await refresh, {});
    answer['/auth/logout']?.(own({ logoutUrl: 'https://login.example.com/logout', globalSignOut: 'done' }));
    await leaving;
    assert.deepEqual(tab.told, ['signedOut']);
    assert.equal(tab.leftFor, '');
    assert.equal(browser.requests.find(({ path }) => path === '/auth/logout')?.body, '{"global":true}');
  });

  test('is told in a page that has asked nothing yet', async () => {
    const browser = new Browser();
    browser.gateway = ({ path }) => (path === '/auth/logout' ? own({ logoutUrl: '/bye' }) : new Promise(() => {}));
    const tab = browser.open();
    tab.listen();
    await tab.client.signOut();
    assert.deepEqual(tab.events, [['signedOut', { reason: 'logout' }]]);
    assert.equal(tab.leftFor, '/bye');
  });

  test('overtakes an answer that is on its way', async () => {
    const browser = new Browser();
    browser.gateway = () => own(alice());
    const tab = browser.open();
    tab.listen();
    await settled();
    /** @type {((answer: Response) => void) | undefined} */
    let late;
    browser.gateway = () => new Promise((resolve) => (late = resolve));
    const session = tab.client.extendSession();
    await settled();
    browser.gateway = () => own(signedOut);
    browser.stream?.says('signedOut', { reason: 'admin' });
    late?.(own(alice()));
    assert.deepEqual(await session, {});
    assert.deepEqual(tab.told, ['signedOut']);
  });
});

/** @type {[string, (client: import('./browser.js').Client) => Promise<unknown>][]} */
const departures = [
  ['login', (client) => client.signInWithRedirect()],
  ['logout', (client) => client.signOut()],
  ['login that a call has begun', (client) => client.gatewayFetch('/api/hello', { login: true })],
];
for (const [where, leave] of departures) {
  test(`whoever comes back from a ${where} by the Back button can leave again`, async () => {
    const browser = new Browser();
    browser.gateway = ({ path }) =>
      path === '/api/hello' ? problem(401, 'unauthenticated') : own(path === '/auth/logout' ? { logoutUrl: '/bye' } : signedOut);
    const tab = browser.open();
    leave(tab.client);
    await settled();
    assert.notEqual(tab.leftFor, '');
    tab.leftFor = '';
    tab.happens('pageshow', { persisted: false }); // the page had not loaded to its end
    tab.client.gatewayFetch('/api/hello', { login: true });
    await settled();
    assert.equal(tab.leftFor, '', 'the page is on its way already');
    tab.happens('pageshow', { persisted: true });
    tab.client.gatewayFetch('/api/hello', { login: true });
    await settled();
    assert.match(tab.leftFor, /\/auth\/login\?/);
  });
}

test('what another tab says is checked where it contradicts, and an older session is not believed', async () => {
  const browser = new Browser();
  browser.gateway = () => own(alice({ generation: 2 }));
  const tab = browser.open();
  tab.listen();
  await settled();
  const other = new FakeChannel(browser, 'gatehouse:https://app.example.com/auth');
  other.postMessage({ session: alice({ generation: 1 }) });
  other.postMessage({ session: null });
  await settled();
  assert.deepEqual(tab.events, []);
  other.postMessage({ session: alice({ generation: 3 }) });
  await settled();
  assert.deepEqual(tab.told, ['tokenRefresh']);
});

test('another user in the same browser is told as an end and a beginning', async () => {
  const browser = new Browser();
  browser.gateway = () => own(alice());
  const tab = browser.open();
  tab.listen();
  await settled();
  browser.gateway = () => own(alice({ userSub: 'sub-bob', username: 'bob' }));
  tab.happens('focus');
  await settled();
  assert.deepEqual(tab.events, [['signedOut', { reason: 'expired' }], ['signedIn', { username: 'bob', userId: 'sub-bob' }]]);
});

test('lists all pages of the sessions, and ends them', async () => {
  const browser = new Browser();
  const { client } = browser.open();
  browser.gateway = ({ method, path }) => {
    if (method === 'DELETE') return path === '/auth/sessions' ? own({ ended: 2 }) : own(undefined, { status: 204 });
    return path === '/auth/sessions'
      ? own([{ id: 'c', current: true }, { id: 'b', current: false }], { headers: { Link: '</auth/sessions?after=b>; rel="next"' } })
      : own([{ id: 'a', current: false }]);
  };
  assert.deepEqual((await client.listSessions()).map(({ id }) => id), ['c', 'b', 'a']);
  await client.endSession('a/b');
  await client.endOtherSessions();
  assert.deepEqual(browser.paths, ['/auth/sessions', '/auth/sessions?after=b', 'DELETE /auth/sessions/a%2Fb', 'DELETE /auth/sessions']);
});

test('memory is used only while somebody listens, and for half a minute', async () => {
  const browser = new Browser();
  browser.gateway = () => own(alice());
  const { client } = browser.open();
  await client.getCurrentUser();
  await client.getCurrentUser();
  assert.equal(browser.requests.length, 2);
  const stop = client.listen(() => {});
  await settled();
  const before = browser.requests.length;
  await client.getCurrentUser();
  await client.fetchAuthSession();
  assert.equal(browser.requests.length, before);
  await browser.pass(30_000);
  await client.getCurrentUser();
  assert.equal(browser.requests.length, before + 1);
  browser.gateway = () => own(alice({ accessExpiresAt: 1_795_401_232 + 6 }));
  await client.extendSession();
  await browser.pass(1000);
  await client.getCurrentUser();
  assert.equal(browser.requests.length, before + 3);
  stop();
});

test('what is undefined in a configuration leaves the default', async () => {
  const browser = new Browser();
  const { client } = browser.open();
  client.configure({ gateway: undefined, csrfHeader: undefined });
  await client.fetchAuthSession();
  assert.deepEqual(browser.paths, ['/auth/session']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, FakeChannel, alice, own, problem, settled, signedOut } from './browser.js';

/** A browser whose gateway answers like one: signed in until a sign-out. @param {object | null} session */
function signedIn(session = alice()) {
  const browser = new Browser();
  const state = { session };
  browser.gateway = ({ method, path }) => {
    if (path === '/auth/logout') {
      state.session = null;
      return own({ logoutUrl: 'https://login.example.com/logout?client_id=1' });
    }
    if (path === '/auth/refresh' && state.session) {
      state.session = alice({ ...state.session, generation: /** @type {any} */ (state.session).generation + 1 });
    }
    if (method === 'POST' && !state.session) return problem(401, 'unauthenticated');
    return own(state.session ?? signedOut);
  };
  return { browser, state };
}

test('one tab holds the stream, and what it says reaches all', async () => {
  const { browser } = signedIn();
  const tabs = [browser.open(), browser.open(), browser.open()];
  for (const tab of tabs) tab.listen();
  await settled();
  assert.equal(browser.streams.length, 1);
  assert.equal(browser.stream?.url, 'https://app.example.com/auth/events');
  browser.stream?.says('session', alice());
  browser.stream?.says('tokenRefresh', alice({ generation: 1 }));
  browser.stream?.says('signedOut', { reason: 'admin' });
  await settled();
  for (const tab of tabs) assert.deepEqual(tab.events, [['tokenRefresh', undefined], ['signedOut', { reason: 'admin' }]]);
});

test('a sign-out in one tab is told once in each, and leaves for the user pool', async () => {
  const { browser } = signedIn();
  const [a, b] = [browser.open(), browser.open()];
  a.listen();
  b.listen();
  await settled();
  await b.client.signOut({ oauth: { redirectUrl: '/bye' } });
  browser.stream?.says('signedOut', { reason: 'logout' });
  await settled();
  assert.deepEqual(a.events, [['signedOut', { reason: 'logout' }]]);
  assert.deepEqual(b.events, [['signedOut', { reason: 'logout' }]]);
  assert.equal(b.leftFor, 'https://login.example.com/logout?client_id=1');
  assert.equal(a.leftFor, '');
  assert.equal(browser.requests.find(({ path }) => path === '/auth/logout')?.body, '{"returnTo":"/bye"}');
});

test('when the tab with the stream closes, another takes over', async () => {
  const { browser } = signedIn();
  const [a, b] = [browser.open(), browser.open()];
  const stop = a.listen();
  await settled();
  b.listen();
  await settled();
  stop();
  await settled();
  assert.equal(browser.streams.length, 2);
  browser.stream?.says('signedOut', { reason: 'admin' });
  await settled();
  assert.deepEqual(b.told, ['signedOut']);
});

test('a stream that breaks is no sign-out, and is opened again', async () => {
  const { browser } = signedIn();
  const tab = browser.open();
  tab.listen();
  await settled();
  browser.stream?.says('session', alice());
  browser.gateway = () => problem(502, 'upstream_unavailable');
  browser.stream?.breaks();
  await browser.pass(600_000);
  assert.deepEqual(tab.events, []);
  assert.equal(browser.stream, undefined);
  browser.gateway = () => own(alice());
  await browser.pass(120_000);
  assert.ok(browser.stream, 'the stream was not opened again');
  assert.deepEqual(tab.events, []);
});

test('nothing is left after the last listener', async () => {
  const { browser } = signedIn();
  const tab = browser.open();
  const stops = [tab.listen(), tab.client.Hub.listen('auth', () => {})];
  await settled();
  assert.ok(tab.listening > 0 && browser.stream && browser.held.size && browser.channels.length);
  for (const stop of stops) stop();
  await settled();
  assert.deepEqual([tab.listening, browser.stream, browser.held.size, browser.channels.length, browser.timers.length], [0, undefined, 0, 0, 0]);
});

test('a page from the back/forward cache asks again', async () => {
  const { browser, state } = signedIn();
  const tab = browser.open();
  tab.listen();
  await settled();
  tab.happens('pagehide', { persisted: true });
  await settled();
  assert.equal(browser.held.size, 0, 'a held lock keeps the page out of the cache');
  state.session = null;
  tab.happens('pageshow', { persisted: true });
  await settled();
  assert.equal(browser.paths.at(-1), '/auth/session?touch=false');
  assert.deepEqual(tab.told, ['signedOut']);
});

test('a page from the back/forward cache answers nothing from memory', async () => {
  const { browser, state } = signedIn();
  const tab = browser.open();
  /** @type {Promise<object> | undefined} */
  let session;
  tab.window.addEventListener('pageshow', () => (session = tab.client.fetchAuthSession())); // before the client's own
  tab.listen();
  await settled();
  tab.happens('pagehide', { persisted: true });
  state.session = null;
  tab.happens('pageshow', { persisted: true });
  assert.deepEqual(await session, {});
});

test('a session that was ended elsewhere is over, one that a later login here has replaced is not', async () => {
  const { browser, state } = signedIn();
  const [a, b] = [browser.open(), browser.open()];
  a.listen();
  b.listen();
  await settled();
  state.session = alice({ userSub: 'sub-bob', username: 'bob' });
  browser.stream?.says('signedOut', { reason: 'revoked' });
  browser.stream?.breaks();
  await browser.pass(500);
  const change = [['signedOut', { reason: 'expired' }], ['signedIn', { username: 'bob', userId: 'sub-bob' }]];
  for (const { events } of [a, b]) assert.deepEqual(events, change);
  state.session = null;
  browser.stream?.says('signedOut', { reason: 'revoked' });
  browser.stream?.breaks();
  await browser.pass(500);
  for (const { events } of [a, b]) assert.deepEqual(events, [...change, ['signedOut', { reason: 'revoked' }]]);
});

test('an end that is told late is not that of the next login', async () => {
  const { browser, state } = signedIn();
  const [leader, other] = [browser.open(), browser.open()];
  leader.listen();
  other.listen();
  await settled();
  const late = browser.stream;
  late?.says('session', alice());
  await other.client.signOut();
  await settled();
  state.session = alice({ sessionExpiresAt: alice().sessionExpiresAt + 100 });
  const landed = other.next();
  landed.listen();
  await settled();
  const change = [['signedOut', { reason: 'logout' }], ['signedIn', { username: 'alice', userId: 'sub-alice' }]];
  assert.deepEqual(leader.events, change);
  late?.says('signedOut', { reason: 'logout' });
  late?.breaks();
  const channel = new FakeChannel(browser, 'gatehouse:https://app.example.com/auth');
  channel.postMessage({ session: null, reason: 'logout', of: alice() });
  await browser.pass(5000);
  assert.deepEqual(leader.events, change);
  assert.deepEqual(landed.told, []);
  browser.stream?.says('session', state.session);
  browser.stream?.says('signedOut', { reason: 'admin' });
  await settled();
  assert.deepEqual(leader.told, ['signedOut', 'signedIn', 'signedOut']);
  assert.deepEqual(landed.told, ['signedOut']);
});

test('what others say on the channel does no harm', async () => {
  const { browser } = signedIn();
  const tab = browser.open();
  tab.listen();
  const popup = tab.client.signInWithPopup();
  await settled();
  const other = new FakeChannel(browser, 'gatehouse:https://app.example.com/auth');
  for (const message of [null, undefined, 1, 'signedOut', [], {}, { session: {} }, { session: { generation: 9 } }, { type: 'popup' }]) {
    other.postMessage(message);
    await settled();
    assert.equal((await tab.client.getCurrentUser()).username, 'alice');
  }
  assert.deepEqual(tab.events, []);
  tab.popups?.[0]?.says(browser);
  await popup;
});

test('the warning before the end is told once in each tab, and its end too', async () => {
  const { browser } = signedIn();
  const [a, b] = [browser.open(), browser.open()];
  a.listen();
  b.listen();
  await settled();
  const limits = { serverTime: 1_795_402_972, idleExpiresAt: 1_795_403_032, sessionExpiresAt: 1_795_444_432 };
  browser.stream?.says('sessionExpiring', limits);
  browser.stream?.says('sessionExpiring', { ...limits, serverTime: 1_795_402_975 });
  await settled();
  for (const tab of [a, b]) assert.deepEqual(tab.events, [['sessionExpiring', limits]]);
  browser.gateway = () => own(alice({ idleExpiresAt: 1_795_404_800 }));
  const session = await b.client.extendSession();
  await settled();
  assert.equal(session.idleExpiresAt, 1_795_404_800);
  for (const { events } of [a, b]) {
    assert.equal(events.length, 2);
    const [event, data] = /** @type {[string, any]} */ (events[1]);
    assert.equal(event, 'sessionExtended');
    assert.equal(data.idleExpiresAt, 1_795_404_800);
    assert.equal(data.userSub, 'sub-alice');
  }
});

test('an extension that fails is not told when somebody asks later', async () => {
  const { browser } = signedIn();
  const tab = browser.open();
  tab.listen();
  await settled();
  const { gateway } = browser;
  browser.gateway = () => problem(503, 'store_unavailable');
  await assert.rejects(tab.client.extendSession());
  browser.gateway = gateway;
  tab.happens('focus');
  await tab.client.fetchAuthSession();
  await settled();
  assert.deepEqual(tab.events, []);
  await tab.client.extendSession();
  assert.deepEqual(tab.told, ['sessionExtended']);
});

test('a login is told where it ends, in order, and once', async () => {
  const { browser, state } = signedIn();
  state.session = null;
  const [first, other] = [browser.open(), browser.open()];
  first.listen();
  other.listen();
  await settled();
  await first.client.signInWithRedirect({ provider: 'Amazon', customState: 'cart', options: { lang: 'de' } });
  const login = new URL(first.leftFor);
  assert.equal(login.origin + login.pathname, 'https://app.example.com/auth/login');
  assert.deepEqual(Object.fromEntries(login.searchParams), {
    return_to: 'https://app.example.com/orders?tab=2#top',
    provider: 'LoginWithAmazon',
    lang: 'de',
  });
  state.session = alice();
  const landed = first.next();
  landed.listen();
  await settled();
  const user = { username: 'alice', userId: 'sub-alice' };
  assert.deepEqual(landed.events, [['customOAuthState', 'cart'], ['signInWithRedirect', undefined], ['signedIn', user]]);
  assert.deepEqual(other.events, [['signedIn', user]]);
  const again = landed.next();
  again.listen();
  await settled();
  assert.deepEqual(again.events, []);
});

test('a login that did not work is told as such', async () => {
  const { browser, state } = signedIn();
  state.session = null;
  const tab = browser.open();
  await tab.client.signInWithRedirect();
  const back = tab.next();
  back.listen();
  await settled();
  assert.deepEqual(back.told, ['signInWithRedirect_failure']);
});

test('whoever is signed in is not sent to log in, unless a prompt is asked for', async () => {
  const { browser } = signedIn();
  const tab = browser.open();
  await assert.rejects(tab.client.signInWithRedirect(), { name: 'UserAlreadyAuthenticatedException' });
  assert.equal(tab.leftFor, '');
  await tab.client.signInWithRedirect({ options: { prompt: 'LOGIN' } });
  assert.match(tab.leftFor, /&prompt=login$/);
});

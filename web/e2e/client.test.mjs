// The client in real pages: its modules as they are, in front of a real gateway, in several tabs of one browser.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { Stage, afterSignIn, call, open, signIn, told, untilTold } from './client.mjs';
import { Visit, suiteTimeout, user } from './visit.mjs';

describe('@gatehouse/client', { timeout: suiteTimeout }, () => {
  const stage = new Stage();
  const { wire } = stage;

  before(() => stage.start());
  after(() => stage.stop());

  /** @param {(visit: Visit) => Promise<void>} test */
  const fresh = (test) => async () => (await stage.visit()).run(test);

  it('signs in by redirect, tells who came, refreshes, and keeps no token', fresh(async (visit) => {
    const { page } = visit;
    await open(visit);
    assert.deepEqual(await call(page, 'fetchAuthSession'), {});
    assert.deepEqual(await call(page, 'getCurrentUser'), { name: 'UserUnAuthenticatedException' });
    await signIn(visit);
    assert.equal(page.url(), `${stage.gateway.url}/orders?tab=2#top`);

    const { username, userId } = await call(page, 'getCurrentUser');
    const session = await call(page, 'fetchAuthSession');
    assert.equal(session.userSub, userId);
    assert.equal(session.username, username);
    assert.equal(session.tokens.idToken.payload.email, user.name);
    assert.equal(session.tokens.accessToken.payload.token_use, 'access');
    assert.equal((await call(page, 'fetchUserAttributes')).email, user.name);
    assert.deepEqual(await call(page, 'signInWithRedirect'), { name: 'UserAlreadyAuthenticatedException' });

    const refreshed = await call(page, 'fetchAuthSession', { forceRefresh: true });
    assert.equal(refreshed.generation, session.generation + 1);
    await untilTold(page, `${afterSignIn}, tokenRefresh`);
    assert.deepEqual(wire.leaks(), []);
    assert.deepEqual((await visit.readable()).local, {});
  }));

  it('tells the API from the gateway', fresh(async (visit) => {
    const { page } = visit;
    await open(visit);
    assert.deepEqual(await call(page, 'gatewayFetch', '/api/hello'), { name: 'UserUnAuthenticatedException', status: 401 });
    await signIn(visit);
    const before = await told(page);
    assert.deepEqual(await call(page, 'gatewayFetch', '/api/hello'), { status: 200, body: '{"hello":"world"}' });
    assert.deepEqual(await call(page, 'gatewayFetch', '/api/private'), { status: 401, body: '{"who":"the API"}' });
    await page.evaluate(() => /** @type {any} */ (window).client.configure({ csrfHeader: 'X-Other' }));
    assert.deepEqual(await call(page, 'gatewayFetch', '/api/hello'), { name: 'CsrfHeaderMissingException', status: 403 });
    assert.deepEqual(await call(page, 'extendSession'), { name: 'CsrfHeaderMissingException', status: 403 });
    assert.deepEqual(await told(page), before);
  }));

  it('has one stream for eight tabs, and a sign-out in one reaches all', fresh(async (visit) => {
    const streams = () => wire.answers.filter(({ url }) => url === `${stage.gateway.url}/auth/events`).length;
    await signIn(visit);
    const others = await Promise.all(Array.from({ length: 7 }, () => visit.tab()));
    for (const other of others) await open(other);
    for (const other of others) assert.equal((await call(other.page, 'getCurrentUser')).username, (await call(visit.page, 'getCurrentUser')).username);
    const before = streams();
    const [first] = others;
    const signedOut = first?.page.waitForURL((url) => url.pathname === '/' && url.origin === stage.gateway.url);
    await call(/** @type {Visit} */ (first).page, 'signOut').catch(() => {}); // the page leaves meanwhile
    await signedOut;
    await untilTold(visit.page, `${afterSignIn}, signedOut logout`);
    for (const other of others.slice(1)) await untilTold(other.page, 'signedOut logout');
    assert.equal(streams(), before, 'tabs that follow have opened a stream');
  }));

  it('hears of an end on another device', fresh(async (visit) => {
    await signIn(visit);
    await (await stage.visit()).run(async (phone) => {
      await signIn(phone);
      const sessions = await call(phone.page, 'listSessions');
      assert.ok(sessions.length >= 2);
      await call(phone.page, 'endOtherSessions');
      await untilTold(visit.page, `${afterSignIn}, signedOut revoked`);
      assert.equal((await call(phone.page, 'listSessions')).length, 1);
    });
  }));

  it('calls nobody signed out for an outage, and goes on after it', fresh(async (visit) => {
    const { page } = visit;
    await signIn(visit);
    await page.evaluate(() => /** @type {any} */ (window).client.configure({ login: true }));
    const before = await told(page);
    const { generation } = await call(page, 'fetchAuthSession');

    await page.route('**/auth/**', (route) => route.abort());
    await page.route('**/api/**', (route) => route.abort());
    assert.deepEqual(await call(page, 'extendSession'), { name: 'NetworkError' });
    assert.deepEqual(await call(page, 'gatewayFetch', '/api/hello'), { name: 'NetworkError' });
    assert.deepEqual(await call(page, 'signOut'), { name: 'NetworkError' });
    await page.unroute('**/auth/**');
    await page.unroute('**/api/**');

    await stage.redis.hang();
    const refused = page.waitForResponse((response) => response.status() === 503);
    let hello; // a session used moments ago is served without asking Redis
    do hello = call(page, 'gatewayFetch', '/api/hello');
    while (!(await Promise.race([refused, hello.then(() => undefined)])));
    stage.redis.resume();
    assert.equal((await hello).status, 200);
    assert.equal((await call(page, 'extendSession')).generation, generation);
    assert.deepEqual(await told(page), [...before, 'sessionExtended']);
    assert.equal(page.url(), `${stage.gateway.url}/orders?tab=2#top`);
  }));

  it('signs in in a window of its own, for all calls that wait for it', fresh(async (visit) => {
    const { page } = visit;
    await open(visit);
    assert.deepEqual(await call(page, 'fetchAuthSession'), {});
    await page.evaluate(() => /** @type {any} */ (window).client.configure({ login: 'popup' }));
    const opened = page.waitForEvent('popup');
    const calls = Promise.all([1, 2, 3].map(() => call(page, 'gatewayFetch', '/api/hello')));
    const popup = await opened;
    const closed = popup.waitForEvent('close');
    await new Visit(popup, stage.gateway).fillIn();
    for (const { status } of await calls) assert.equal(status, 200);
    await closed;
    assert.equal(page.url(), `${stage.gateway.url}/`);
    await untilTold(page, 'signedIn');
  }));

  it('knows a window that was closed too early', fresh(async (visit) => {
    const { page } = visit;
    await open(visit);
    const opened = page.waitForEvent('popup');
    const login = call(page, 'signInWithPopup');
    await (await opened).close();
    assert.deepEqual(await login, { name: 'PopupClosedException' });
  }));

  it('signs in silently who is signed in at the user pool, and asks nobody else', fresh(async (visit) => {
    const { page } = visit;
    const silently = async () => {
      const back = page.waitForEvent('domcontentloaded');
      page.evaluate(() => /** @type {any} */ (window).client.signInSilently()).catch(() => {}); // the page leaves
      await back;
      await page.waitForFunction(() => 'client' in window);
    };
    await open(visit, '/orders#top');
    await silently();
    assert.equal(page.url(), `${stage.gateway.url}/orders#top`);
    assert.deepEqual(await call(page, 'getCurrentUser'), { name: 'UserUnAuthenticatedException' });
    assert.equal(await call(page, 'signInSilently'), undefined);

    await signIn(visit);
    await call(page, 'signOut', { redirect: false });
    await untilTold(page, `${afterSignIn}, signedOut logout`);
    await page.evaluate(() => sessionStorage.clear());
    await silently();
    assert.equal((await call(page, 'fetchAuthSession')).tokens.idToken.payload.email, user.name);
  }));

  it('knows of a sign-out when it comes from the back/forward cache', async () => {
    const cached = await launch(stage.proxy, { ignoreDefaultArgs: ['--disable-back-forward-cache'] });
    try {
      const visit = await Visit.start(cached, stage.gateway);
      await visit.run(async ({ page }) => {
        await signIn(visit);
        await page.goto(`${stage.gateway.url}/auth/logout`);
        const other = await visit.tab();
        await open(other);
        await call(other.page, 'signOut', { redirect: false });
        await page.goBack({ waitUntil: 'commit' }); // a page that is restored does not load
        assert.equal(await page.evaluate(() => /** @type {any} */ (window).restored), true, 'the page was loaded anew');
        await untilTold(page, `${afterSignIn}, signedOut expired`);
      });
    } finally {
      await cached.close();
    }
  });
});

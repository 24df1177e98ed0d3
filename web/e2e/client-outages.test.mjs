// An open page when tokens expire, when nobody answers, and when something else answers than the gateway: each has an
// error of its own, and nobody is called signed out for it.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Stage, afterSignIn, call, html, open, serveElsewhere, signIn, told } from './client.mjs';
import { suiteTimeout } from './visit.mjs';

/** @typedef {import('./visit.mjs').Visit} Visit */

const tokenTTL = 16; // seconds. With half of it left a token is refreshed while requests go on with it

describe('the client, when not all goes well', { timeout: suiteTimeout }, () => {
  const stage = new Stage();
  const { wire } = stage;

  before(() => stage.start(['--token-ttl', `${tokenTTL}s`]));
  afterEach(() => (wire.passOn = () => {}));
  after(() => stage.stop());

  /**
   * A page where somebody is signed in, which would leave for the login were they signed out.
   * @param {(visit: Visit) => Promise<void>} test
   */
  const signedIn = (test) => async () => {
    const visit = await stage.visit();
    await visit.run(async () => {
      await signIn(visit);
      await configure(visit, { login: true });
      await test(visit);
    });
  };

  /** @param {Visit} visit @param {object} options */
  const configure = ({ page }, options) => page.evaluate((given) => /** @type {any} */ (window).client.configure(given), options);

  /**
   * The page is where it was, knows the session, and was told of no sign-out.
   * @param {Visit} visit
   * @param {string[]} [before] what it had been told
   */
  async function goesOn({ page }, before = afterSignIn.split(', ')) {
    assert.equal((await call(page, 'gatewayFetch', '/api/hello')).status, 200);
    assert.match((await call(page, 'getCurrentUser')).userId, /./);
    const since = (await told(page)).slice(before.length);
    assert.deepEqual(since.filter((event) => !/^(tokenRefresh|tokenRefresh_failure|sessionExtended)$/.test(event)), []);
    assert.equal(new URL(page.url()).origin, stage.gateway.url);
  }

  /**
   * What every call says while the gateway cannot be reached.
   * @param {Visit} visit
   */
  async function failsForTheNetwork({ page }) {
    assert.deepEqual(await call(page, 'fetchAuthSession', { forceRefresh: true }), { name: 'NetworkError' });
    assert.deepEqual(await call(page, 'extendSession'), { name: 'NetworkError' });
    assert.deepEqual(await call(page, 'gatewayFetch', '/api/hello'), { name: 'NetworkError' });
    assert.deepEqual(await call(page, 'signOut', { redirect: false }), { name: 'NetworkError' });
  }

  it('50 calls at the expiry of the tokens cost one refresh, and one request for the session', async (t) => {
    const visit = await stage.visit();
    await visit.run(async ({ page }) => {
      // While a page listens the gateway refreshes its tokens ahead: so this one does not.
      await page.goto(`${stage.gateway.url}/auth/login?return_to=/api/hello`);
      await visit.fillIn();
      await page.waitForURL(`${stage.gateway.url}/api/hello`);
      await page.setContent(html().replace('client.listen(', '(() => {})('));
      await page.waitForFunction(() => 'client' in window);

      for (const [name, args] of /** @type {const} */ ([['fetchAuthSession', []], ['gatewayFetch', ['/api/hello']]])) {
        let took = Infinity;
        let counted = { session: 0, refreshes: 0 };
        // A round in which the tokens come to their second half again proves nothing.
        while (took >= (1000 * tokenTTL) / 2) {
          const { accessExpiresAt, serverTime } = await call(page, 'fetchAuthSession');
          await new Promise((resolve) => setTimeout(resolve, 1000 * (accessExpiresAt - serverTime + 1)));
          const count = async () => ({
            session: wire.answers.filter(({ url }) => url === `${stage.gateway.url}/auth/session`).length,
            refreshes: await stage.gateway.metric('gatehouse_user_pool_duration_seconds_count', 'call="refresh"'),
          });
          const before = await count();
          const begun = Date.now();
          const answers = await page.evaluate(
            ([name, args]) => Promise.all(Array.from({ length: 50 }, async () => {
              const { tokens, status } = await /** @type {any} */ (window).client[name](...args);
              return tokens ? 200 : status;
            })),
            /** @type {const} */ ([name, args]),
          );
          took = Date.now() - begun;
          assert.deepEqual(answers, Array.from({ length: 50 }, () => 200));
          const after = await count();
          counted = { session: after.session - before.session, refreshes: after.refreshes - before.refreshes };
        }
        t.diagnostic(`50 times ${name}: ${took} ms`);
        assert.deepEqual(counted, { session: name === 'fetchAuthSession' ? 1 : 0, refreshes: 1 }, name);
      }
    });
  });

  it('without a network: NetworkError, and it goes on with the network', signedIn(async (visit) => {
    await visit.context.setOffline(true);
    await failsForTheNetwork(visit);
    await visit.context.setOffline(false);
    await goesOn(visit);
  }));

  it('when connections are reset: the same', signedIn(async (visit) => {
    for (const path of ['**/auth/**', '**/api/**']) await visit.page.route(path, (route) => route.abort('connectionreset'));
    await failsForTheNetwork(visit);
    for (const path of ['**/auth/**', '**/api/**']) await visit.page.unroute(path);
    await goesOn(visit);
  }));

  it('when the gateway is stopped: the same, and events come again once it is back', signedIn(async (visit) => {
    const startAgain = await stage.gateway.shutDown();
    try {
      await failsForTheNetwork(visit);
    } finally {
      await startAgain(); // for the tests after this one too
    }
    await goesOn(visit);
    await hearsOfItsEnd([visit]);
  }));

  it('when Redis is stopped: nobody lands at the login, and all goes on when it is back', signedIn(async (visit) => {
    const tab = await visit.tab();
    await open(tab);
    await configure(tab, { login: true });
    await call(tab.page, 'getCurrentUser');
    const before = await told(tab.page);
    await stage.redis.shutDown();
    await Promise.all([visit, tab].map(async ({ page }) => {
      // A session used moments ago is served without asking Redis.
      let answer;
      do answer = await call(page, 'gatewayFetch', '/api/hello');
      while (answer.status === 200);
      assert.deepEqual(answer, { name: 'ServiceUnavailableException', status: 503 });
      assert.deepEqual(await call(page, 'extendSession'), { name: 'ServiceUnavailableException', status: 503 });
    }));
    await stage.redis.startAgain();
    await goesOn(visit);
    await goesOn(tab, before);
    await hearsOfItsEnd([visit, tab]);
  }));

  /**
   * Another browser ends the session, and these tabs are told.
   * @param {Visit[]} tabs
   */
  async function hearsOfItsEnd(tabs) {
    const phone = await stage.visit();
    await phone.run(async () => {
      await signIn(phone);
      await call(phone.page, 'endOtherSessions');
      for (const { page } of tabs) await page.locator('#told', { hasText: /signedOut (revoked|expired)$/ }).waitFor();
    });
  }

  it("tells a proxy's page from an answer of the gateway's", signedIn(async (visit) => {
    const { page } = visit;
    const [unexpected, unreachable] = ['UnexpectedResponseException', 'NetworkError'];
    for (const [status, name] of /** @type {const} */ ([[200, unexpected], [401, unexpected], [502, unreachable], [503, unreachable]])) {
      await page.route('**/auth/**', (route) => route.fulfill({ status, contentType: 'text/html', body: '<h1>A proxy</h1>' }));
      assert.deepEqual(await call(page, 'extendSession'), { name, status });
      assert.deepEqual(await call(page, 'signOut', { redirect: false }), { name, status });
      await page.unroute('**/auth/**');
    }
    await goesOn(visit);
  }));

  it('names what a front does to the headers of its calls', signedIn(async (visit) => {
    const { page } = visit;
    wire.passOn = (headers) => {
      delete headers.origin;
      delete headers['sec-fetch-site'];
    };
    assert.deepEqual(await call(page, 'fetchAuthSession', { forceRefresh: true }), { name: 'CrossOriginException', status: 403 });
    assert.deepEqual(await call(page, 'signOut', { redirect: false }), { name: 'CrossOriginException', status: 403 });
    wire.passOn = (headers) => void delete headers['x-csrf'];
    assert.deepEqual(await call(page, 'extendSession'), { name: 'CsrfHeaderMissingException', status: 403 });
    assert.deepEqual(await call(page, 'gatewayFetch', '/api/hello'), { name: 'CsrfHeaderMissingException', status: 403 });
    wire.passOn = () => {};
    await goesOn(visit);
  }));

  it('gives a page of an origin that is not allowed nothing to read', signedIn(async (visit) => {
    const foreign = await serveElsewhere(stage.gateway.url);
    try {
      const { page } = await visit.tab();
      await page.goto(foreign.url);
      await page.waitForFunction(() => 'client' in window);
      for (const name of ['fetchAuthSession', 'getCurrentUser', 'listSessions', 'endOtherSessions']) {
        assert.deepEqual(await call(page, name), { name: 'NetworkError' });
      }
      assert.deepEqual(await told(page), []);
    } finally {
      foreign.stop();
    }
    await goesOn(visit);
  }));
});

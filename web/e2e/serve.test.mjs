// `gateway serve` with a configuration file, in front of `gateway cognito` and a
// real Redis: what a person sees of it, and what is left in Redis.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { auditFocus } from './audit.mjs';
import { launch, picture } from './browser.mjs';
import { startServe } from './gateway.mjs';
import { Redis } from './redis.mjs';
import { linkTo, serve } from './upstream.mjs';
import { Visit, user, suiteTimeout } from './visit.mjs';
import { Wire, tokensIn } from './wire.mjs';

describe('gateway serve', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./upstream.mjs').Upstream} */
  let api;

  before(async () => {
    browser = await launch(await wire.start());
    api = await serve();
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    api?.stop();
  });

  const routes = () => [
    { path: '/api/', upstream: api.url },
    { path: '/', upstream: api.url, auth: 'none' },
  ];

  it('leaves nothing readable in Redis, before or after a sign-out', async () => {
    const redis = await Redis.start();
    const gateway = await startServe({ routes: routes(), session: { store: redis.url } });
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async ({ page, context }) => {
        await page.goto(`${gateway.url}/api/hello`);
        await visit.fillIn();
        await page.waitForURL(`${gateway.url}/api/hello`);

        const bearer = api.requests.findLast(({ url }) => url === '/api/hello')?.headers.authorization?.slice('Bearer '.length) ?? '';
        assert.equal(tokensIn(bearer).length, 1, 'the API got no token');
        const session = await (await context.request.get(`${gateway.url}/auth/session`)).json();
        assert.equal(session.authenticated, true);
        const cookie = (await context.cookies(gateway.url)).find(({ name }) => name === 'gatehouse')?.value ?? '';
        assert.notEqual(cookie, '');

        const secrets = [...bearer.split('.'), cookie, session.userSub, user.name, 'token_use', 'refresh_token'];
        const dump = await redis.dump();
        assert.ok(dump.includes('REDIS') && (await redis.cli('dbsize')) !== '0', 'the dump is no dump of a session');
        assert.deepEqual(tokensIn(dump), []);
        for (const secret of secrets) assert.ok(!dump.includes(secret), `the dump holds ${secret.slice(0, 12)}…`);

        // The search would find them.
        await redis.cli('set', 'planted', JSON.stringify({ token: bearer, who: session.userSub }));
        const planted = await redis.dump();
        assert.equal(tokensIn(planted).length, 1);
        assert.ok(planted.includes(session.userSub));
        await redis.cli('del', 'planted');

        await page.goto(`${gateway.url}/auth/logout`);
        await page.getByRole('button').click();
        await page.waitForURL(`${gateway.url}/`);
        assert.equal((await context.request.get(`${gateway.url}/api/hello`)).status(), 401);
        assert.equal(await redis.cli('--scan'), '', 'the sign-out left keys');
      });
    } finally {
      await gateway.stop();
      await redis.stop();
    }
  });

  it('knows its own among several cookies of that name', async () => {
    const gateway = await startServe({ routes: routes(), session: { store: 'memory:' } });
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async ({ page, context }) => {
        await page.goto(`${gateway.url}/api/hello`);
        await visit.fillIn();
        await page.waitForURL(`${gateway.url}/api/hello`);
        // What a page of a sibling host can do for a whole domain. Browsers send the
        // cookie of the longer path first.
        await page.evaluate(() => {
          document.cookie = 'gatehouse=planted; path=/api';
          document.cookie = 'gatehouse-login=planted; path=/auth';
        });
        const planted = await context.cookies(`${gateway.url}/api/hello`);
        assert.equal(planted.filter(({ name }) => name === 'gatehouse').length, 2, 'nothing was planted');
        await page.goto(`${gateway.url}/api/orders`);
        assert.equal(await page.locator('body').innerText(), '{}', 'a planted cookie signed the user out');
        await page.goto(`${gateway.url}/auth/login?return_to=/api/again`); // the login cookie's is told apart too
        await page.waitForURL(`${gateway.url}/api/again`);
      });
    } finally {
      await gateway.stop();
    }
  });

  describe('same_site strict', () => {
    /** @type {import('./gateway.mjs').Gateway} */
    let gateway;

    before(async () => {
      gateway = await startServe({ routes: routes(), session: { store: 'memory:', cookie: { same_site: 'strict' } } });
    });
    after(() => gateway?.stop());

    /**
     * Visits a page on another site that has one link.
     * @param {string} to path and query that the link leads to
     * @param {(visit: Visit, site: string) => Promise<void>} test
     */
    async function fromLink(to, test) {
      const site = await serve(linkTo(gateway.url + to));
      try {
        const visit = await Visit.start(browser, gateway);
        await visit.run(() => test(visit, site.url));
      } finally {
        site.stop();
      }
    }

    it('lets a link on another site lead into the app, signed in or not', () =>
      fromLink('/api/orders/17?tab=2&x=%2F', (visit, site) => comeTwice(visit, site, '/api/orders/17?tab=2&x=%2F', api)));

    it('lets a link on another site lead to the login, which ends at once for who is signed in', () =>
      fromLink('/auth/login?return_to=/api/mine', (visit, site) => comeTwice(visit, site, '/api/mine', api)));

    it('shows a page in between that waits for nobody, and has a button', () =>
      fromLink('/api/hello', async (visit, site) => {
        const { page } = visit;
        // 204 keeps the browser where it is: what the page goes on to never comes.
        let asked = 0;
        await page.route(`${gateway.url}/api/hello`, (route) => (++asked === 1 ? route.continue() : route.fulfill({ status: 204 })));
        await page.goto(site);
        await page.getByRole('link').click();
        await page.getByRole('heading', { name: 'One moment' }).waitFor();
        await picture(page, 'continue');
        assert.deepEqual(await auditFocus(page), { stops: 1, faults: [] });
        await page.unroute(`${gateway.url}/api/hello`);
        await page.getByRole('link', { name: 'Continue' }).click();
        await visit.atHostedPages();
      }));
  });

  it('sends no token to the browser', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });
});

/**
 * Comes from a link on another site, signs in, and comes once more.
 * @param {Visit} visit
 * @param {string} site
 * @param {string} path where the link leads in the end
 * @param {import('./upstream.mjs').Upstream} api
 */
async function comeTwice(visit, site, path, api) {
  const { page, context, gateway } = visit;
  const end = gateway.url + path;
  // The page in between has the same address as what follows it.
  const arrived = async () => {
    await page.waitForURL(end);
    await page.getByText('{}').waitFor();
  };
  const seen = () => api.requests.filter(({ url, headers }) => url === path && headers.authorization).length;

  await page.goto(site);
  const first = visit.follow();
  await page.getByRole('link').click();
  await visit.fillIn();
  await arrived();
  assert.equal(seen(), 1, 'the API did not see the session');
  const cookie = (await context.cookies(gateway.url)).find(({ name }) => name === 'gatehouse');
  assert.equal(cookie?.sameSite, 'Strict');
  // The link's own address, and once more as a navigation of this site.
  assert.equal(first[1], first[0], `no page in between: ${first}`);

  await page.goto(site);
  const second = visit.follow();
  await page.getByRole('link').click();
  await arrived();
  assert.equal(seen(), 2, 'the API did not see the session');
  assert.ok(!second.some((url) => new URL(url).pathname === '/login'), `asked to sign in again: ${second}`);

  // A call of another site's script is no navigation, and carries nothing.
  await page.goto(site);
  const before = api.requests.length;
  await page.evaluate((to) => fetch(to, { mode: 'no-cors', credentials: 'include' }).catch(() => {}), end);
  assert.equal(api.requests.length, before, "another site's call reached the API");
}

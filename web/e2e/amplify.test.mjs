// The real aws-amplify, in three versions, with the code of its guide as it is, before `gateway dev --tls`. The page imports
// @gatehouse/amplify/auto, and is otherwise what an Amplify app is. What became of sessions is asked of the gateway.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { guideSamples, ownSamples } from './amplify/guide.mjs';
import { buildPages, call, show, told, versions } from './amplify/pages.mjs';
import { launch } from './browser.mjs';
import { metricOf, startDev } from './gateway.mjs';
import { until } from './until.mjs';
import { serve } from './upstream.mjs';
import { Visit, leave, suiteTimeout, user } from './visit.mjs';
import { Wire, tokensIn } from './wire.mjs';

/** @typedef {import('./amplify/guide.mjs').Sample} Sample */
/** @typedef {import('playwright-core').Page} Page */

const samples = [...(await ownSamples()), ...(await guideSamples())];
const afterSignIn = ['customOAuthState cart', 'signInWithRedirect', 'signedIn'];

describe('aws-amplify behind the gateway', { timeout: suiteTimeout }, () => {
  const wire = new Wire({ https: true });
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** An API that gives away what the gateway sends it. @type {import('./upstream.mjs').Upstream} */
  let api;
  /** @type {Awaited<ReturnType<typeof startDev>>} */
  let gateway;
  /** @type {Awaited<ReturnType<typeof buildPages>>} */
  let pages;
  before(async () => {
    pages = await buildPages(samples);
    api = await serve(({ headers }, response) => response.end(headers.authorization));
    gateway = await startDev(['--tls', '--spa', pages.dir, '--api', api.url]);
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
    api?.stop();
    await pages?.remove();
  });

  /**
   * Begins a visit to a sample's page.
   * @param {string} version
   * @param {Sample | undefined} sample
   */
  async function start(version, sample) {
    const visit = await Visit.start(browser, gateway);
    await visit.context.addInitScript(show(version, sample));
    return visit;
  }

  /** Sessions of a user, as the gateway has them. @param {string} sub @returns {Promise<unknown[]>} */
  const sessionsOf = async (sub, { admin } = gateway) => (await fetch(`${admin}/admin/users/${sub}/sessions`)).json();

  const refreshes = () => metricOf(gateway.admin, 'gatehouse_refresh_duration_seconds_count', 'outcome="done"');

  /** @param {RegExp} what of its configuration */
  const configurations = (what) => samples.filter(({ calls, text }) => !calls && what.test(text));

  for (const version of versions) {
    describe(version, () => {
      for (const sample of configurations(/oauthConfig/)) {
        it(`signs in by redirect, refreshes and signs out: ${sample.name}`, async () => {
          const phone = await start(version, sample);
          await phone.run(async () => {
            await signIn(phone);
            const visit = await start(version, sample);
            await visit.run(() => tour(visit, phone));
          });
        });
      }

      it('works with whatever storage the app chooses', async () => {
        const visit = await start(version, configurations(/setKeyValueStorage/)[0]);
        await visit.run(async ({ page, context }) => {
          await page.goto(`${gateway.url}/auth/login`); // whose end is this page too
          await visit.fillIn(user);
          await page.waitForURL(`${gateway.url}/`);
          for (const sample of configurations(/setKeyValueStorage/)) {
            const tab = new Visit(await context.newPage(), gateway);
            await tab.page.addInitScript(show(version, sample));
            await stores(tab, sample);
            await tab.page.close();
          }
        });
      });

      it('asks once for many, and calls nobody signed out for an outage', async () => {
        const visit = await start(version, configurations(/oauthConfig/)[0]);
        await visit.run(() => outage(visit, version));
      });
    });
  }

  it('signs out where tokens cannot be revoked', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
    const config = join(dir, 'gatehouse.yaml');
    await writeFile(config, 'session: {claims: {access: [sub, username], id: [sub]}}');
    const narrow = await startDev(['--tls', '--spa', pages.dir, '--config', config]);
    try {
      for (const version of versions) {
        const visit = await Visit.start(browser, narrow);
        await visit.context.addInitScript(show(version, configurations(/setKeyValueStorage/)[0]));
        await visit.run(async ({ page }) => {
          await page.goto(`${narrow.url}/auth/login`);
          await visit.fillIn(user);
          await page.waitForFunction(() => 'auth' in window);
          const { userId } = await call(page, 'getCurrentUser');
          assert.equal((await call(page, 'fetchAuthSession')).tokens.accessToken.payload.origin_jti, undefined);
          assert.equal((await sessionsOf(userId, narrow)).length, 1);
          await call(page, 'signOut');
          assert.deepEqual(await sessionsOf(userId, narrow), []);
          assert.deepEqual(await told(page), ['signedOut']);
        });
      }
    } finally {
      await narrow.stop();
      await rm(dir, { recursive: true });
    }
  });

  it('lets no page see a token', async () => {
    const visit = await start('newest', configurations(/oauthConfig/)[0]);
    await visit.run(async ({ page }) => {
      await signIn(visit);
      assert.ok(wire.answers.some(({ url }) => url.includes('/oauth2/token')), 'the scan saw no login');
      assert.deepEqual(wire.leaks(), []);
      // What the gateway sends to the API is what must not be seen.
      await page.evaluate(async () => (await fetch('/api/')).text());
      assert.equal(wire.leaks().length, 1, 'the scan sees no token where there is one');
      const sent = api.requests.map(({ headers }) => headers.authorization?.split('.').at(-1) ?? '');
      const shown = wire.answers.filter(({ url }) => !url.endsWith('/api/'));
      for (const signature of sent) {
        assert.ok(signature.length > 100);
        assert.ok(!shown.some(({ url, head, body }) => `${url}${head}${body}`.includes(signature)), 'a signature was shown');
      }
      // The page can make a call with what it takes for a token: the gateway puts the real one in its place.
      const { headers: { authorization: real } = {} } = api.requests[0] ?? {};
      await page.evaluate(async () => {
        const { tokens } = await /** @type {any} */ (window).auth.fetchAuthSession();
        await fetch('/api/', { headers: { Authorization: `Bearer ${tokens.accessToken}` } });
      });
      assert.equal(api.requests[1]?.headers.authorization, real);
    });
  });

  /**
   * @param {Visit} visit
   * @param {Sample} sample
   */
  async function stores(visit, { name }) {
    const { page } = visit;
    /** @type {string[]} */
    const lines = [];
    page.on('console', (line) => lines.push(line.text()));
    await page.goto(`${gateway.url}/auth/login`); // the user pool knows the user
    await page.waitForFunction(() => 'auth' in window);
    const { userId } = await call(page, 'getCurrentUser');
    assert.ok(userId, name);
    assert.equal(lines.filter((line) => line.includes('setKeyValueStorage')).length, 1, lines.join('\n'));
    await runSamples(page, userId);
    await keepsNoToken(visit);
    assert.equal((await sessionsOf(userId)).length > 0, true);
    await call(page, 'signOut', { global: true });
    assert.deepEqual(await sessionsOf(userId), [], name);
    assert.deepEqual(await call(page, 'getCurrentUser'), { error: 'UserUnAuthenticatedException' });
    assert.deepEqual(await told(page), [...Array(renewing).fill('tokenRefresh'), 'signedOut']);
  }

  /** How many samples refresh. */
  const renewing = samples.filter(({ text }) => text.includes('forceRefresh')).length;

  /** @param {Visit} visit @param {string} version */
  async function outage(visit, version) {
    const { page } = visit;
    await signIn(visit);
    const asked = () => wire.answers.filter(({ url }) => /\/auth\/(session|refresh)(\?|$)/.test(url)).length;
    const [questions, before] = [asked(), await refreshes()];
    await page.evaluate(() => Promise.all(Array.from({ length: 50 }, () => /** @type {any} */ (window).auth.fetchAuthSession())));
    assert.ok(asked() <= questions + 1);
    await page.evaluate(() =>
      Promise.all(Array.from({ length: 20 }, () => /** @type {any} */ (window).auth.fetchAuthSession({ forceRefresh: true }))),
    );
    assert.equal(await refreshes(), before + 1);

    await page.route('**/auth/**', (route) => route.abort());
    assert.deepEqual(await call(page, 'fetchAuthSession', { forceRefresh: true }), { error: 'NetworkError' });
    assert.deepEqual(await call(page, 'signOut'), { error: 'NetworkError' });
    await page.reload();
    await page.waitForFunction(() => 'auth' in window);
    assert.deepEqual(await call(page, 'getCurrentUser'), { error: 'NetworkError' });
    assert.deepEqual(await call(page, 'fetchAuthSession'), { error: 'NetworkError' });
    await page.unroute('**/auth/**');
    const { userId } = await call(page, 'getCurrentUser');
    assert.ok(userId);
    assert.deepEqual(await told(page), []);
    // Early versions have forgotten by now that it was a login by redirect, and stay on the page.
    const signOut = () => call(page, 'signOut', { global: true });
    await (version === '6.0.30' ? signOut() : leave(page, signOut));
    assert.deepEqual(await sessionsOf(userId), []);
  }

  /**
   * @param {Visit} visit
   * @param {Visit} phone the same user's other device
   */
  async function tour(visit, phone) {
    const { page } = visit;
    await open(visit);
    assert.deepEqual(await call(page, 'getCurrentUser'), { error: 'UserUnAuthenticatedException' });
    assert.equal((await call(page, 'fetchAuthSession')).tokens, undefined);
    await signIn(visit);
    assert.equal(page.url(), `${gateway.url}/`);
    assert.deepEqual(await told(page), afterSignIn);
    const { userId } = await call(page, 'getCurrentUser');
    assert.equal((await sessionsOf(userId)).length, 2);
    await runSamples(page, userId);

    const tab = await visit.tab();
    await open(tab);
    const before = await refreshes();
    const { accessToken } = (await call(page, 'fetchAuthSession', { forceRefresh: true })).tokens;
    assert.equal(accessToken.payload.sub, userId);
    assert.equal(await refreshes(), before + 1);
    await untilTold(tab.page, ['tokenRefresh']);
    await keepsNoToken(visit);

    await leave(page, () => call(page, 'signOut'));
    await open(visit);
    assert.equal((await sessionsOf(userId)).length, 1);
    await untilTold(tab.page, ['tokenRefresh', 'signedOut']);
    assert.deepEqual(await call(tab.page, 'getCurrentUser'), { error: 'UserUnAuthenticatedException' });

    await signIn(visit);
    await untilTold(tab.page, ['tokenRefresh', 'signedOut', 'signedIn']);
    assert.equal((await sessionsOf(userId)).length, 2);
    await leave(page, () => call(page, 'signOut', { global: true }));
    assert.deepEqual(await sessionsOf(userId), []);
    await untilTold(tab.page, ['tokenRefresh', 'signedOut', 'signedIn', 'signedOut']);
    await untilTold(phone.page, [...afterSignIn, 'signedOut']);
    assert.deepEqual(await call(phone.page, 'getCurrentUser'), { error: 'UserUnAuthenticatedException' });
  }

  /**
   * Runs the functions of the samples, and looks at what they write and do.
   * @param {Page} page
   * @param {string} userId
   */
  async function runSamples(page, userId) {
    for (const { name, text } of samples.filter(({ calls }) => calls)) {
      const before = await refreshes();
      /** @type {Promise<unknown[]>[]} */
      const lines = [];
      const write = (/** @type {import('playwright-core').ConsoleMessage} */ line) =>
        void lines.push(Promise.all(line.args().map((arg) => arg.jsonValue())));
      page.on('console', write);
      await page.evaluate((name) => /** @type {any} */ (window).samples[name](), name);
      page.off('console', write);
      const written = JSON.stringify(await Promise.all(lines));
      assert.doesNotMatch(written, /Error|Exception/, name);
      const tells = /console.log\((`|tokens)/.test(text);
      assert.equal(written.includes(userId), tells, `${name} writes ${written}`);
      assert.equal(await refreshes(), before + (/forceRefresh/.test(text) ? 1 : 0), name);
    }
  }

  /** Opens the page, once its modules have run. @param {Visit} visit */
  async function open({ page }) {
    await page.goto(`${gateway.url}/`);
    await page.waitForFunction(() => 'auth' in window);
  }

  /** @param {Visit} visit */
  async function signIn(visit) {
    await open(visit);
    await leave(visit.page, () => call(visit.page, 'signInWithRedirect', { customState: 'cart' }));
    await visit.fillIn(user);
    await visit.page.waitForFunction(() => 'auth' in window);
    await untilTold(visit.page, afterSignIn);
  }
});

/** @param {Page} page @param {string[]} events what Hub must come to have told, in full */
async function untilTold(page, events) {
  let last = '';
  await until(
    async () => (last = (await told(page)).join()) === events.join(),
    () => `Hub has told "${last}", not "${events}"`,
  );
}

/** @param {Visit} visit */
async function keepsNoToken(visit) {
  const readable = await visit.readable();
  const databases = await visit.page.evaluate(() => indexedDB.databases());
  assert.deepEqual(databases, []);
  assert.equal(readable.cookie, '');
  assert.deepEqual(tokensIn(JSON.stringify(readable)), []);
}

// The README's own example, as it stands there, in a page behind `gateway serve`.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { startServe } from './gateway.mjs';
import { Redis } from './redis.mjs';
import { serve } from './upstream.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

const address = '/orders/17?tab=2';

describe("the README's example", { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;
  /** @type {import('./upstream.mjs').Upstream} */
  let app;
  /** @type {Redis} */
  let redis;
  let example = '';

  before(async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    example = readme.match(/^```js\n(.*?gatewayFetch.*?)^```/ms)?.[1] ?? '';
    assert.notEqual(example, '', 'the README has no example');
    browser = await launch(await wire.start());
    app = await serve(({ url }, response) => {
      const page = !url?.startsWith('/api/');
      response.writeHead(200, { 'Content-Type': page ? 'text/html' : 'application/json' });
      response.end(page ? '<!doctype html><title>The app</title><h1>The app</h1>' : '{}');
    });
    redis = await Redis.start();
    gateway = await startServe({
      session: { store: redis.url },
      routes: [{ path: '/api/', upstream: app.url }, { path: '/', upstream: app.url, auth: 'none' }],
    });
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
    await redis?.stop();
    app?.stop();
  });

  /**
   * Opens the app and runs the example in it.
   * @param {Visit} visit
   * @param {string} [fragment]
   * @returns {Promise<string>} the error it ended with, or '' if it ran to its end
   */
  async function run({ page }, fragment = '') {
    await page.goto(gateway.url + address + fragment);
    await page.evaluate((source) => {
      addEventListener('error', (event) => (document.title = event.message));
      addEventListener('unhandledrejection', (event) => (document.title = String(event.reason)));
      const script = document.createElement('script');
      script.type = 'module';
      script.textContent = `${source}; document.title = 'done'`;
      document.body.append(script);
    }, example);
    await page.waitForFunction(() => document.title !== 'The app');
    const title = await page.title();
    return title === 'done' ? '' : title;
  }

  /** @param {(visit: Visit) => Promise<void>} test */
  const fresh = (test) => async () => (await Visit.start(browser, gateway)).run(test);

  /** @param {Visit} visit */
  async function signIn(visit) {
    await visit.page.goto(`${gateway.url}/auth/login?return_to=${encodeURIComponent(address)}`);
    await visit.fillIn();
    await visit.page.waitForURL(gateway.url + address);
  }

  it('takes who is signed out to log in, and back to the same address', fresh(async (visit) => {
    run(visit, '#items').catch(() => {}); // the page goes away under it
    await visit.fillIn();
    await visit.page.waitForURL(`${gateway.url}${address}#items`);
    const asked = app.requests.length;
    assert.equal(await run(visit), '');
    const call = app.requests.slice(asked).find(({ url }) => url === '/api/orders');
    assert.match(call?.headers.authorization ?? '', /^Bearer ey/);
  }));

  it('signs out', fresh(async (visit) => {
    await signIn(visit);
    assert.equal(await run(visit), '');
    await visit.page.getByRole('button', { name: 'Sign out alice@example.com' }).click();
    await visit.page.waitForURL(`${gateway.url}/`);
    const session = await (await visit.context.request.get(`${gateway.url}/auth/session`)).json();
    assert.equal(session.authenticated, false);
  }));

  it('takes an outage for no sign-out, and no login', fresh(async (visit) => {
    await signIn(visit);
    const hops = visit.follow();
    await redis.hang();
    try {
      // What was opened a moment ago is served for up to a second more.
      let error = '';
      for (const until = Date.now() + 120_000; error === '' && Date.now() < until; ) error = await run(visit);
      assert.match(error, /ServiceUnavailableException: /);
    } finally {
      redis.resume();
    }
    await visit.context.route('**/auth/session', (route) => route.abort());
    assert.match(await run(visit), /NetworkError: /);
    await visit.context.unroute('**/auth/session');
    assert.deepEqual(hops.filter((url) => new URL(url).pathname !== '/orders/17'), [], 'the page went away');
    assert.equal(await run(visit), '', 'the session did not outlive the outage');
    visit.complaints.length = 0; // the errors that were asked for
  }));
});

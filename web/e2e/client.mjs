// A page that uses the client as it is, and what tests do with it: call it, read what it was told, sign in.

import { readFile } from 'node:fs/promises';
import { launch } from './browser.mjs';
import { startServe } from './gateway.mjs';
import { Redis } from './redis.mjs';
import { serve } from './upstream.mjs';
import { Visit, leave } from './visit.mjs';
import { Wire } from './wire.mjs';

/** @typedef {import('playwright-core').Page} Page */

/**
 * A page that shows what it is told, and notes when.
 * @param {string} [entry] where the client comes from
 * @param {object} [options] what differs from the defaults
 */
export const html = (entry = '/auth/sdk/index.js', options) => `<!doctype html><title>A page</title><p id="told"></p>
<script type="module">
  import * as client from '${entry}';
  client.configure(${JSON.stringify(options ?? {})});
  const told = [], toldAt = [];
  client.listen(({ payload: { event, data } }) => {
    told.push(event === 'customOAuthState' ? event + ' ' + data : data?.reason ? event + ' ' + data.reason : event);
    toldAt.push(Date.now());
    document.querySelector('#told').textContent = told.join(', ');
  });
  addEventListener('pageshow', ({ persisted }) => (window.restored = persisted));
  Object.assign(window, { client, told, toldAt });
</script>`;

/** What a page has been told once a login by redirect has ended on it. */
export const afterSignIn = 'customOAuthState cart, signInWithRedirect, signedIn';

/**
 * Serves the page, and an API: `/api/private` is 401 whoever asks.
 * @param {string} [worker] script of a service worker, at /worker.js
 */
export function serveApp(worker = '') {
  return serve(({ url = '' }, response) => {
    const [status, type, body] = url.startsWith('/api/private')
      ? [401, 'application/json', '{"who":"the API"}']
      : url.startsWith('/api/')
        ? [200, 'application/json', '{"hello":"world"}']
        : url === '/worker.js'
          ? [200, 'text/javascript', worker]
          : [200, 'text/html', html()];
    response.writeHead(Number(status), { 'Content-Type': type }).end(body);
  });
}

/**
 * Serves the page on an origin of its own, with a client of its own for a gateway elsewhere. `/theirs` is the same page with
 * the client that the gateway serves, which needs not be told where that is.
 * @param {string} gateway its address
 */
export async function serveElsewhere(gateway) {
  const elsewhere = await serve(async ({ url = '' }, response) => {
    const [, module] = url.match(/^\/client\/([\w-]+\.js)$/) ?? [];
    const theirs = url.startsWith('/theirs') && html(`${gateway}/auth/sdk/index.js`);
    const body = module
      ? await readFile(new URL(`../client/src/${module}`, import.meta.url))
      : theirs || html('/client/index.js', { gateway: `${gateway}/auth` });
    response.writeHead(200, { 'Content-Type': module ? 'text/javascript' : 'text/html' }).end(body);
  });
  return { ...elsewhere, url: elsewhere.url.replace('127.0.0.1', 'localhost') };
}

/**
 * The routes of a gateway before that app.
 * @param {import('./upstream.mjs').Upstream} app
 */
export const routesTo = (app) => [
  { path: '/api/', upstream: app.url },
  { path: '/', upstream: app.url, auth: 'none' },
];

/** What a suite of the client stands on: that app behind a gateway with Redis, and a browser whose answers are on record. */
export class Stage {
  wire = new Wire();

  /** @param {string[]} [pool] flags of `gateway cognito` */
  async start(pool = []) {
    this.proxy = await this.wire.start();
    this.browser = await launch(this.proxy);
    this.app = await serveApp();
    this.redis = await Redis.start();
    const settings = { session: { store: this.redis.url }, csrf_header: 'X-CSRF', routes: routesTo(this.app) };
    this.gateway = await startServe(settings, { pool });
  }

  /** Ends what has come up. */
  async stop() {
    await this.browser?.close();
    this.wire.stop();
    await this.gateway?.stop();
    await this.redis?.stop();
    this.app?.stop();
  }

  /** Begins a visit in a profile that was never used before. */
  visit() {
    return Visit.start(this.browser, this.gateway);
  }
}

/**
 * Calls a function of the client in the page.
 * @param {Page} page
 * @param {string} name
 * @param {...unknown} args
 * @returns {Promise<any>} what it gives, or `{name, status}` of what it throws
 */
export function call(page, name, ...args) {
  return page.evaluate(
    async ([name, args]) => {
      try {
        const result = await /** @type {any} */ (window).client[name](...args);
        return result instanceof Response ? { status: result.status, body: await result.text() } : result;
      } catch (err) {
        const { name, status } = /** @type {any} */ (err);
        return status ? { name, status } : { name };
      }
    },
    /** @type {const} */ ([name, args]),
  );
}

/** @param {Page} page @returns {Promise<string[]>} */
export const told = (page) => page.evaluate(() => /** @type {any} */ (window).told);

/** @param {Page} page @param {string} text what the page must come to have been told, in full */
export const untilTold = (page, text) => page.locator('#told', { hasText: new RegExp(`^${text}$`) }).waitFor();

/** Opens a page, once its modules have run. @param {Visit} visit @param {string} [path] */
export async function open({ page, gateway }, path = '/') {
  await page.goto(gateway.url + path);
  await page.waitForFunction(() => 'client' in window);
}

/**
 * Signs in by redirect and waits for the page it ends at.
 * @param {Visit} visit
 * @param {{name: string, password: string}} [who]
 * @param {string} [path]
 */
export async function signIn(visit, who, path = '/orders?tab=2#top') {
  await open(visit, path);
  await leave(visit.page, () => call(visit.page, 'signInWithRedirect', { customState: 'cart' }));
  await visit.fillIn(who);
  await untilTold(visit.page, afterSignIn);
}

// A page that uses the client as it is, and what tests do with it: call it, read what it was told, sign in.

import { serve } from './upstream.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./visit.mjs').Visit} Visit */

/**
 * A page that shows what it is told, and notes when.
 * @param {string} [gateway] where the client comes from; another origin's may call it too
 */
export const html = (gateway = '') => `<!doctype html><title>A page</title><p id="told"></p><script type="module">
  import * as client from '${gateway}/auth/sdk/index.js';
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

/** Serves the page, and an API: `/api/private` is 401 whoever asks. */
export function serveApp() {
  return serve(({ url = '' }, response) => {
    const [status, type, body] = url.startsWith('/api/private')
      ? [401, 'application/json', '{"who":"the API"}']
      : url.startsWith('/api/')
        ? [200, 'application/json', '{"hello":"world"}']
        : [200, 'text/html', html()];
    response.writeHead(Number(status), { 'Content-Type': type }).end(body);
  });
}

/**
 * The routes of a gateway before that app.
 * @param {import('./upstream.mjs').Upstream} app
 */
export const routesTo = (app) => [
  { path: '/api/', upstream: app.url },
  { path: '/', upstream: app.url, auth: 'none' },
];

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

/** Signs in by redirect and waits for the page it ends at. @param {Visit} visit @param {{name: string, password: string}} [who] */
export async function signIn(visit, who) {
  await open(visit, '/orders?tab=2#top');
  await call(visit.page, 'signInWithRedirect', { customState: 'cart' });
  await visit.fillIn(who);
  await untilTold(visit.page, afterSignIn);
}

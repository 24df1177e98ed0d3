// Pages with a service worker: every navigation of theirs goes through it, the
// login's too. And what other pages make the browser do through it, or ahead.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { startServe } from './gateway.mjs';
import { until } from './until.mjs';
import { serve } from './upstream.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

const takeOver = `
  self.addEventListener('install', () => self.skipWaiting());
  self.addEventListener('activate', (event) => event.waitUntil(self.begin().then(() => self.clients.claim())));`;

/** Workers as people write them. */
const workers = {
  'that passes everything on': `${takeOver}
    self.begin = async () => {};
    self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)));`,
  // What Workbox's NavigationRoute with a NetworkOnly strategy comes down to.
  'that routes navigations, with preload': `${takeOver}
    self.begin = () => self.registration.navigationPreload.enable();
    self.addEventListener('fetch', (event) => {
      if (event.request.mode !== 'navigate') return;
      event.respondWith((async () => (await event.preloadResponse) ?? fetch(event.request.clone()))());
    });`,
  'that routes navigations, without preload': `${takeOver}
    self.begin = async () => {};
    self.addEventListener('fetch', (event) => {
      if (event.request.mode === 'navigate') event.respondWith(fetch(event.request.clone()));
    });`,
};

describe('a page with a service worker', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;
  /** @type {import('./upstream.mjs').Upstream} */
  let app;
  /** @type {import('./upstream.mjs').Upstream} */
  let api;
  /** @type {import('./upstream.mjs').Upstream} */
  let other;

  before(async () => {
    browser = await launch(await wire.start());
    app = await serve(answerApp);
    api = await serve();
    gateway = await startServe({
      session: { store: 'memory:' },
      routes: [
        { path: '/api/', upstream: api.url },
        { path: '/', upstream: app.url, auth: 'none' },
      ],
    });
    other = await serve(answerOther);
  });
  after(async () => {
    await browser?.close();
    await gateway?.stop();
    wire.stop();
    for (const upstream of [app, api, other]) upstream?.stop();
  });

  /** @type {import('node:http').RequestListener} */
  function answerApp(request, response) {
    const name = new URL(request.url ?? '/', 'http://app').searchParams.get('worker');
    if (name) {
      response.writeHead(200, { 'Content-Type': 'text/javascript' });
      return response.end(workers[/** @type {keyof typeof workers} */ (name)]);
    }
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>App</title><a href="/auth/login?return_to=/api/mine">Sign in</a>');
  }

  /**
   * A page that is not the gateway's: its path says what it does, its host
   * whether it is on the same site.
   * @type {import('node:http').RequestListener}
   */
  function answerOther(request, response) {
    const bare = request.url?.includes('no-referrer');
    response.writeHead(200, { 'Content-Type': 'text/html', 'Referrer-Policy': bare ? 'no-referrer' : 'strict-origin' });
    const rules = JSON.stringify({
      prefetch: [{ source: 'list', urls: [`${gateway.url}/api/prefetched`], eagerness: 'immediate' }],
      prerender: [{ source: 'list', urls: [`${gateway.url}/api/prerendered`], eagerness: 'immediate' }],
    });
    response.end(`<!doctype html><title>Another origin</title>
      <a href="${gateway.url}/api/linked">Go there</a>
      <form method="post" action="${gateway.url}/api/posted"><button>Send</button></form>
      ${request.url?.includes('rules') ? `<script type="speculationrules">${rules}</script>` : ''}`);
  }

  /** @param {string} path */
  const seen = (path) => api.requests.filter(({ url }) => url === path).length;

  /**
   * Opens the app in a fresh profile and waits until its worker has taken over.
   * @param {string} worker
   */
  async function visitWith(worker) {
    const visit = await Visit.start(browser, gateway);
    await visit.page.goto(`${gateway.url}/`);
    await visit.page.evaluate(async (name) => {
      const controlled = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done));
      await navigator.serviceWorker.register(`/worker.js?worker=${encodeURIComponent(name)}`);
      await controlled;
    }, worker);
    return visit;
  }

  /** @param {Visit} visit */
  async function signIn(visit) {
    await visit.page.goto(`${gateway.url}/api/hello`);
    await visit.fillIn();
    await visit.page.waitForURL(`${gateway.url}/api/hello`);
    assert.equal(await authenticated(visit), true);
  }

  /** @param {Visit} visit */
  async function authenticated({ context }) {
    return (await (await context.request.get(`${gateway.url}/auth/session`)).json()).authenticated;
  }

  for (const worker of Object.keys(workers)) {
    it(`lets people sign in through one ${worker}`, async () => {
      const visit = await visitWith(worker);
      await visit.run(async ({ page }) => {
        await signIn(visit); // where a page asked for it
        await page.goto(`${gateway.url}/auth/logout`);
        await page.getByRole('button').click();
        await page.waitForURL(`${gateway.url}/`);
        assert.equal(await authenticated(visit), false);
        await page.getByRole('link', { name: 'Sign in' }).click(); // and where a link leads to it
        await visit.fillIn();
        await page.waitForURL(`${gateway.url}/api/mine`);
        assert.equal(await authenticated(visit), true);
      });
    });
  }

  for (const [where, host] of [['another site', '127.0.0.1'], ['the same site', 'localhost']]) {
    for (const bare of ['', 'no-referrer']) {
      it(`gives a form of ${where} nothing of the session${bare && ', nor one that hides where it is'}`, async () => {
        const visit = await visitWith('that passes everything on');
        await visit.run(async ({ page }) => {
          await signIn(visit);
          const before = seen('/api/posted');
          const at = other.url.replace('127.0.0.1', host);
          await page.goto(`${at}/${bare}`);
          await page.getByRole('button').click();
          await page.waitForURL(`${gateway.url}/api/posted`);
          assert.equal(seen('/api/posted'), before, 'the form reached the API');

          await page.goto(`${at}/${bare}`);
          await page.getByRole('link').click();
          await page.waitForURL(`${gateway.url}/api/linked`);
          assert.equal(await page.locator('body').innerText(), '{}', 'a link is no attack');
        });
      });
    }
  }

  it('gives what another origin has loaded ahead nothing of the session', async () => {
    const visit = await Visit.start(browser, gateway);
    await visit.run(async ({ page }) => {
      await page.goto(`${gateway.url}/api/hello`);
      await visit.fillIn();
      await page.waitForURL(`${gateway.url}/api/hello`);
      const ahead = ['/api/prefetched', '/api/prerendered'];
      await page.goto(`${other.url.replace('127.0.0.1', 'localhost')}/rules`);
      await answered(ahead);
      for (const path of ahead) assert.equal(seen(path), 0, `${path} reached the API`);
      await page.goto(`${gateway.url}/api/prefetched`);
      assert.equal(await page.locator('body').innerText(), '{}', 'the address itself still works');
    });
  });

  /**
   * Waits until the gateway has answered requests for these paths.
   * @param {string[]} paths
   */
  async function answered(paths) {
    const done = () => paths.every((path) => wire.answers.some(({ url, status }) => url === gateway.url + path && status > 0));
    await until(done, 'the browser loads nothing ahead: this test tells nothing');
  }
});

// The client where cookies and calls go other ways: behind a service worker, on hosts that share a cookie, and on an
// origin beside the gateway's.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { selfSigned } from './certificate.mjs';
import { afterSignIn, call, open, routesTo, serveApp, serveElsewhere, signIn, untilTold } from './client.mjs';
import { freePorts, startServe } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

/** A service worker that everything goes through: pages, calls and the event stream. */
const worker = `
  self.addEventListener('install', () => self.skipWaiting());
  self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
  self.addEventListener('fetch', (event) => event.respondWith(fetch(event.request)));`;

describe('the client in other places', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./upstream.mjs').Upstream} */
  let app;

  before(async () => {
    browser = await launch(await wire.start());
    app = await serveApp(worker);
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    app?.stop();
  });

  /**
   * Signs out in a tab by way of the user pool, while another is told.
   * @param {Visit} visit
   * @param {Visit} other
   * @param {string} [text] what the other has been told in the end
   */
  async function signsOut(visit, other, text = 'signedOut logout') {
    const left = visit.page.waitForResponse((response) => new URL(response.url()).pathname === '/logout');
    await call(visit.page, 'signOut').catch(() => {}); // the page leaves meanwhile
    await left;
    await untilTold(other.page, text);
    assert.deepEqual(await call(other.page, 'getCurrentUser'), { name: 'UserUnAuthenticatedException' });
  }

  it('behind a service worker that passes everything on', async () => {
    const gateway = await startServe({ session: { store: 'memory:' }, routes: routesTo(app) });
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async ({ page }) => {
        await open(visit);
        await page.evaluate(async () => {
          const controlled = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done));
          await navigator.serviceWorker.register('/worker.js');
          await controlled;
        });
        await signIn(visit);
        const other = await visit.tab();
        await open(other);
        for (const tab of [page, other.page]) {
          assert.equal(await tab.evaluate(() => Boolean(navigator.serviceWorker.controller)), true, 'no worker');
          assert.equal((await call(tab, 'gatewayFetch', '/api/hello')).status, 200);
        }
        await signsOut(visit, other);
      });
    } finally {
      await gateway.stop();
    }
  });

  it('on two hosts that share the cookie of a domain above', async () => {
    const certificate = await selfSigned('example.test');
    const ports = await freePorts();
    const www = `www.example.test:${ports.gateway}`;
    const gateway = await startServe({
      public_url: `https://app.eu.example.test:${ports.gateway}`,
      allowed_hosts: [www],
      tls: { cert_file: certificate.certFile, key_file: certificate.keyFile },
      session: { store: 'memory:', cookie: { name: 'shop', domain: 'example.test' } },
      routes: routesTo(app),
    }, { ports });
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async ({ page, context }) => {
        await signIn(visit);
        const cookies = await context.cookies(`https://${www}`);
        assert.deepEqual(cookies.map(({ name, domain }) => [name, domain]), [['__Secure-shop', '.example.test']]);
        const other = new Visit(await context.newPage(), { ...gateway, url: `https://${www}` });
        await open(other);
        assert.deepEqual(await call(other.page, 'getCurrentUser'), await call(page, 'getCurrentUser'));
        assert.equal((await call(other.page, 'gatewayFetch', '/api/hello')).status, 200);
        await signsOut(visit, other);
      });
    } finally {
      await gateway.stop();
      await certificate.remove();
    }
  });

  for (const [whose, path] of [['its own modules', '/ours'], ["the gateway's modules", '/theirs']]) {
    it(`on an origin of allowed_origins, from ${whose}`, async () => {
      const ports = await freePorts();
      const elsewhere = await serveElsewhere(`http://localhost:${ports.gateway}`);
      const gateway = await startServe({
        allowed_origins: [elsewhere.url],
        login: { return_origins: [elsewhere.url] },
        csrf_header: 'X-CSRF',
        session: { store: 'memory:' },
        routes: routesTo(app),
      }, { ports });
      try {
        const visit = await Visit.start(browser, { ...gateway, url: elsewhere.url });
        await visit.run(async ({ page }) => {
          await signIn(visit, undefined, path);
          assert.equal(page.url(), elsewhere.url + path);
          const hello = `${gateway.url}/api/hello`;
          assert.deepEqual(await call(page, 'gatewayFetch', hello), { status: 200, body: '{"hello":"world"}' });
          assert.deepEqual(await call(page, 'gatewayFetch', `${gateway.url}/api/private`), { status: 401, body: '{"who":"the API"}' });
          assert.equal((await call(page, 'listSessions')).length, 1);
          const other = await visit.tab();
          await open(other, path);
          assert.match((await call(other.page, 'getCurrentUser')).userId, /./);
          await call(page, 'signOut', { redirect: false });
          await untilTold(page, `${afterSignIn}, signedOut logout`);
          await untilTold(other.page, 'signedOut logout');
          assert.deepEqual(await call(page, 'gatewayFetch', hello), { name: 'UserUnAuthenticatedException', status: 401 });
        });
      } finally {
        await gateway.stop();
        elsewhere.stop();
      }
    });
  }
});

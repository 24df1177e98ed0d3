// Where a login ends: at the address that the page had, in every tab.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { startServe } from './gateway.mjs';
import { serve } from './upstream.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

/** Addresses as people and scripts write them; the browser says what they are. */
const spellings = [
  '/orders?filter[status]=open',
  '/app/#/orders/5',
  '/app/#/orders/5?tab=[a]|{b}',
  '/route/?param=https://sub-host.example/sub-route|12345',
  '/a/[id]/b',
  '/a/{id}|^`/b?c={d}|^`"<>\'\\#e{f}|^`"<>\'\\',
  '/a b/ü/%C3%BC?q=a b&r=ü&s=%zz&t=100%',
  '/a\\b/./c/../d%20e',
  '/api/repos/group%2Fproject?x=1',
  '/emoji/😀?😀#😀',
  '/a;v=1/b,c!d$(e)*',
];

/** Addresses that lead elsewhere in some reader, or nowhere. */
const hostile = [
  '//evil.test', '///evil.test', '/\\evil.test', '\\/evil.test', '\\\\evil.test', '/\t/evil.test', '/\n/evil.test', '\t//evil.test', ' //evil.test',
  '/%09/evil.test', '/%0a/evil.test', '/%5cevil.test', '/%2fevil.test', '/%252fevil.test', '/.//evil.test', '/..//evil.test', '/a/..//evil.test',
  '/%2e%2e//evil.test', 'https://evil.test', 'https:evil.test', 'https:/evil.test', 'https:///evil.test', 'http:\\\\evil.test', 'ht\ttps://evil.test',
  'javascript:location="//evil.test"', 'java\tscript:alert(1)', 'data:text/html,x', 'blob:x', 'about:blank', '/\u0000/evil.test', '／／evil.test', '/／evil.test',
  '//evil.test%2f..', ';//evil.test', '@evil.test', '.evil.test', 'evil.test', '?next=//evil.test', '#//evil.test', '//0x7f.1', '//[::1]', '/a//evil.test',
  '/a?next=//evil.test', '/a#//evil.test', '/;@evil.test', '/@evil.test', '/..;/evil.test', '/%2e%2e/%2f/evil.test', '/a/%2e%2e/%2fevil.test',
];

/**
 * An address of so many bytes that no coding makes much shorter.
 * @param {number} bytes
 * @param {number} tab
 */
function addressOf(bytes, tab) {
  let address = `/api/list/${tab}?q=`;
  for (let n = tab + 1; address.length < bytes; n = (n * 48271) % 2147483647) address += n.toString(36).toUpperCase() + '[|]'.charAt(n % 4);
  return address.slice(0, bytes);
}

describe('where a login ends', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;
  /** @type {import('./upstream.mjs').Upstream} */
  let app;

  before(async () => {
    browser = await launch(await wire.start());
    app = await serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' });
      response.end('<!doctype html><title>App</title><p>The app</p>');
    });
    gateway = await startServe({
      session: { store: 'memory:' },
      routes: [
        { path: '/api/', upstream: app.url, allow_encoded_slash: true },
        { path: '/', upstream: app.url, auth: 'none' },
      ],
    });
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
    app?.stop();
  });

  it('is where the page was, in the spelling that the browser gives it', async () => {
    const visit = await Visit.start(browser, gateway);
    await visit.run(async ({ page }) => {
      let asked = false;
      for (const spelling of spellings) {
        for (const spelled of ['parts', 'href']) {
          await page.goto(`${gateway.url}/start`);
          const want = await page.evaluate(([spelling, spelled]) => {
            const u = new URL(spelling, location.origin);
            const sent = spelled === 'href' ? u.href : u.pathname + u.search + u.hash;
            setTimeout(() => location.assign(`/auth/login?return_to=${encodeURIComponent(sent)}`));
            return u.href;
          }, [spelling, spelled]);
          if (!asked) await visit.fillIn();
          asked = true;
          await page.waitForURL((url) => url.pathname !== '/start' && url.origin === gateway.url && !url.pathname.startsWith('/auth/'));
          assert.equal(page.url(), want, `${spelling}, by its ${spelled}`);
          await page.getByText('The app').waitFor();
        }
      }
    });
  });

  it('is never another site', async () => {
    const visit = await Visit.start(browser, gateway);
    await visit.run(async ({ page }) => {
      await page.goto(`${gateway.url}/api/start`);
      await visit.fillIn();
      await page.getByText('The app').waitFor();
      const hops = visit.follow();
      for (const address of hostile) {
        await page.goto(`${gateway.url}/auth/login?return_to=${encodeURIComponent(address)}`);
        assert.equal(new URL(page.url()).origin, gateway.url, `${JSON.stringify(address)} led to ${page.url()}`);
      }
      const foreign = hops.filter((url) => ![gateway.url, gateway.hosted].includes(new URL(url).origin));
      assert.deepEqual(foreign, []);
    });
  });

  /**
   * Signs in in one tab after the other, and has each end at its own address.
   * @param {Visit[]} tabs
   * @param {string[]} addresses
   */
  async function signInEverywhere(tabs, addresses) {
    for (const [i, tab] of tabs.entries()) {
      await tab.fillIn();
      await tab.page.waitForURL((url) => url.origin === gateway.url && !url.pathname.startsWith('/auth/'));
      assert.equal(tab.page.url(), addresses[i]);
    }
    const cookies = (await tabs[0].context.cookies(gateway.url)).map(({ name, value }) => name.length + value.length);
    assert.ok(cookies.length === 2 && Math.max(...cookies) <= 4096, `cookies of ${cookies} bytes`);
  }

  for (const [many, bytes] of [[8, 300], [5, 420]]) {
    it(`is its own address for each of ${many} tabs with ${bytes} bytes that a fresh browser opens at once`, async () => {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async () => {
        const tabs = [visit];
        while (tabs.length < many) tabs.push(await visit.tab());
        const addresses = tabs.map((_, tab) => gateway.url + addressOf(bytes, tab));
        await Promise.all(tabs.map(({ page }, i) => page.goto(addresses[i])));
        await signInEverywhere(tabs, addresses);
      });
    });
  }

  it('is its own address for one tab with 2000 bytes among others', async () => {
    const visit = await Visit.start(browser, gateway);
    await visit.run(async () => {
      const tabs = [visit, await visit.tab(), await visit.tab()];
      const addresses = [300, 2000, 420].map((bytes, tab) => gateway.url + addressOf(bytes, tab));
      for (const [i, { page }] of tabs.entries()) await page.goto(addresses[i]);
      await signInEverywhere(tabs.reverse(), addresses.reverse());
    });
  });

  it('sends no token to the browser', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });
});

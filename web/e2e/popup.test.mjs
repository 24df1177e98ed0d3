// Logins that leave the page where it is, or ask nothing: a page without a build
// step, which imports the client from the gateway.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { launch, picture } from './browser.mjs';
import { startDev } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

const html = `<!doctype html><html lang="en"><title>App</title><h1>App</h1>
  <button id="popup">Sign in</button> <button id="silently">Try</button> <output></output>
  <script type="module" src="/app.js"></script></html>`;

const script = `import { getCurrentUser, signInSilently, signInWithPopup } from '/auth/sdk/index.js';
  const output = document.querySelector('output');
  const show = (promise) => promise.then(
    () => { output.textContent = 'signed in'; },
    ({ name, code = '' }) => { output.textContent = name + ' ' + code; });
  document.getElementById('popup').onclick = () => show(signInWithPopup());
  document.getElementById('silently').onclick = () => signInSilently();
  show(getCurrentUser());`;

describe('logins in a window of their own, and silent ones', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;
  /** @type {string} */
  let dir;

  before(async () => {
    browser = await launch(await wire.start());
    dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
    await writeFile(join(dir, 'index.html'), html);
    await writeFile(join(dir, 'app.js'), script);
    gateway = await startDev(['--spa', dir]);
  });
  after(async () => {
    await gateway?.stop();
    await browser?.close();
    wire.stop();
    await rm(dir, { recursive: true });
  });

  /**
   * Opens the page and begins a login in a window of its own.
   * @param {Visit} visit
   * @param {Record<string, string>} [headers] that the page has
   */
  async function begin({ page }, headers = {}) {
    await page.route(`${gateway.url}/`, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), ...headers } });
    });
    await page.goto(`${gateway.url}/`);
    await shows(page, 'UserUnAuthenticatedException');
    const [popup] = await Promise.all([page.context().waitForEvent('page'), page.click('#popup')]);
    await popup.waitForURL((url) => url.origin === gateway.hosted);
    return popup;
  }

  /** @param {import('playwright-core').Page} page @param {string} text */
  const shows = (page, text) => page.locator('output', { hasText: text }).waitFor();

  for (const [name, headers] of /** @type {[string, Record<string, string>][]} */ ([
    ['a window that can reach the page', {}],
    ['a window that is cut off from the page', { 'cross-origin-opener-policy': 'same-origin' }],
  ])) {
    it(`${name} says that somebody is signed in, and closes`, async () => {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async () => {
        // A person looks at the other window; here every page believes that it has the focus.
        if (Object.keys(headers).length) await visit.page.addInitScript(() => (document.hasFocus = () => false));
        const popup = await begin(visit, headers);
        const closed = popup.waitForEvent('close');
        const signIn = new Visit(popup, gateway);
        await signIn.fillIn();
        await closed;
        await shows(visit.page, 'signed in');
        assert.deepEqual(signIn.complaints, []);
      });
    });
  }

  it('a login that is refused there is told with its code, and the window closes', async () => {
    const visit = await Visit.start(browser, gateway);
    await visit.run(async () => {
      const popup = await begin(visit);
      const query = new URL(popup.url()).searchParams;
      const refusal = new URLSearchParams({ error: 'access_denied', state: query.get('state') ?? '' });
      const closed = popup.waitForEvent('close');
      await popup.goto(`${query.get('redirect_uri')}?${refusal}`).catch(() => {}); // it may be closed by now
      await closed;
      await shows(visit.page, 'OAuthSignInException access_denied');
    });
  });

  it('the page in that window says what to do where it cannot close', async () => {
    const visit = await Visit.start(browser, gateway);
    await visit.run(async ({ page }) => {
      await page.goto(`${gateway.url}/`);
      await page.goto(`${gateway.url}/auth/sdk/popup.html`); // no script has opened this window
      await page.getByText('You can close this window').waitFor();
      await picture(page, 'popup');
    });
  });

  it('a silent login asks nothing, is tried once, and finds who is signed in at the user pool', async () => {
    const visit = await Visit.start(browser, gateway);
    await visit.run(async ({ page }) => {
      await page.goto(`${gateway.url}/?a=b#c`);
      await shows(page, 'UserUnAuthenticatedException');
      const hops = visit.follow();
      const back = page.waitForResponse((response) => new URL(response.url()).pathname === '/auth/callback');
      await page.click('#silently');
      await back;
      await page.waitForURL(`${gateway.url}/?a=b#c`);
      await shows(page, 'UserUnAuthenticatedException');
      const tried = hops.length;
      await page.click('#silently');
      await page.goto(`${gateway.url}/?again`);
      await shows(page, 'UserUnAuthenticatedException');
      assert.deepEqual(hops.slice(tried), [`${gateway.url}/?again`]);

      // Signed in at the user pool, and no more here.
      await page.goto(`${gateway.url}/auth/login`);
      await visit.fillIn();
      await shows(page, 'signed in');
      await page.evaluate(async () => void (await fetch('/auth/logout', { method: 'POST' })));
      const other = await page.context().newPage(); // where nothing has been tried yet
      await other.goto(`${gateway.url}/`);
      await shows(other, 'UserUnAuthenticatedException');
      await other.click('#silently');
      await shows(other, 'signed in');
    });
  });
});

// examples/amplify-react behind `gateway dev --tls`, in real Chromium: before, after, and without the adapter.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { launch, picture } from './browser.mjs';
import { codeFor } from './codes.mjs';
import { Example, examples } from './example.mjs';
import { freePorts, startDev } from './gateway.mjs';
import { until } from './until.mjs';
import { Visit, suiteTimeout, user } from './visit.mjs';
import { Wire, tokensIn } from './wire.mjs';

/** @typedef {import('playwright-core').Page} Page */

const here = `${examples}amplify-react`;

describe('examples/amplify-react', { timeout: suiteTimeout }, () => {
  const wire = new Wire({ https: true });
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {Example} */
  let example;
  /** @type {Awaited<ReturnType<typeof startDev>>} */
  let gateway;

  before(async () => {
    const ports = await freePorts();
    example = await Example.start('amplify-react');
    await example.edit('amplify_outputs.json', 'localhost:8080', `localhost:${ports.gateway}`);
    gateway = await startDev(['--tls', '--config', `${here}/gatehouse.yaml`, '--spa', example.url], ports);
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
    await example?.stop();
  });

  /**
   * Opens the page with one of its ways to begin.
   * @param {string} main
   * @param {(visit: Visit) => Promise<void>} test
   */
  async function begun(main, test) {
    if (main !== 'main') await example.edit('index.html', '/src/main.tsx', `/src/${main}.tsx`);
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async () => {
        await visit.page.goto(gateway.url);
        await test(visit);
      });
    } finally {
      if (main !== 'main') await example.edit('index.html', `/src/${main}.tsx`, '/src/main.tsx');
    }
  }

  it('differs from what it was by one import', async () => {
    const [was, is] = await Promise.all(['main.before', 'main'].map((name) => readFile(`${here}/src/${name}.tsx`, 'utf8')));
    assert.equal(is, `import '@gatehouse/amplify/auto';\n${was}`);
  });

  it('signs in by redirect, shows and changes attributes, calls the API, and signs out in all tabs', () =>
    begun('main', async (visit) => {
      const { page } = visit;
      await heading(page, 'Nobody is signed in');
      await picture(page, 'example-amplify-signed-out');
      await signIn(visit);
      await told(page, ['signInWithRedirect', 'signedIn']);
      await page.getByText(user.name).first().waitFor();
      await picture(page, 'example-amplify');

      await button(page, 'Call the API');
      await status(page, 'The gateway told me who you are');
      await page.getByRole('textbox', { name: 'Name' }).fill('Alice Abel');
      await button(page, 'Change the name');
      await heading(page, 'Hello, Alice Abel');
      await button(page, 'Refresh the tokens');
      await status(page, 'The tokens are new, for Alice Abel.');

      await outage(visit);
      const readable = await visit.readable();
      assert.deepEqual([readable.cookie, tokensIn(JSON.stringify(readable))], ['', []]);
      assert.doesNotMatch(JSON.stringify(readable), /accessToken|idToken/);

      const tab = await visit.tab();
      await tab.page.goto(gateway.url);
      await heading(tab.page, 'Hello, Alice Abel');
      await button(page, 'Sign out');
      await heading(page, 'Nobody is signed in');
      await heading(tab.page, 'Nobody is signed in');
      await told(tab.page, ['signedOut']);
    }));

  it("signs in, signs up and replaces a forgotten password in Amplify's own form", () =>
    begun('main', async ({ page }) => {
      await page.getByRole('link', { name: 'Authenticator' }).click();
      await fill(page, { Email: user.name, Password: 'not this one' });
      await button(page, 'Sign in');
      await page.getByText('Incorrect username or password.').waitFor();
      await fill(page, { Password: user.password });
      await button(page, 'Sign in');
      await heading(page, /^Hello, \S/);
      await told(page, ['signedIn']);
      await page.getByRole('link', { name: 'Account' }).click();
      await page.getByText(user.name).first().waitFor();
      await button(page, 'Sign out everywhere');
      await heading(page, 'Nobody is signed in');

      const newcomer = 'zoe@example.com';
      await page.getByRole('link', { name: 'Authenticator' }).click();
      await page.getByRole('tab', { name: 'Create Account' }).click();
      await fill(page, { Email: newcomer, Password: user.password, 'Confirm Password': user.password });
      await button(page, 'Create Account');
      await page.getByRole('heading', { name: 'We Emailed You' }).waitFor();
      await fill(page, { 'Confirmation Code': await codeFor(gateway, newcomer) });
      await button(page, 'Confirm');
      await heading(page, /^Hello, \S/);
      await button(page, 'Sign out');
      await told(page, ['signedIn', 'signedOut', 'signedIn', 'signedOut']);

      await button(page, 'Forgot your password?');
      await fill(page, { 'Enter your email': newcomer });
      await button(page, 'Send code');
      const next = 'An0therPassw0rd!';
      await page.getByRole('textbox', { name: 'New Password' }).waitFor();
      await fill(page, { 'Code *': await codeFor(gateway, newcomer), 'New Password': next, 'Confirm Password': next });
      await button(page, 'Submit');
      await fill(page, { Email: newcomer, Password: next });
      await button(page, 'Sign in');
      await heading(page, /^Hello, \S/);
    }));

  it('goes to the user pool itself without the import', () =>
    begun('main.before', async ({ page }) => {
      await heading(page, 'Nobody is signed in');
      const gone = page.waitForRequest(/^https:\/\/shop\.auth\.eu-west-1\.amazoncognito\.com\/oauth2\/authorize\?/);
      await button(page, 'Sign in');
      await gone;
    }));

  it('works without the adapter, but for what it learns late', () =>
    begun('main.facade', async (visit) => {
      const { page } = visit;
      await heading(page, 'Nobody is signed in');
      await signIn(visit);
      const { local } = await visit.readable();
      const kept = Object.keys(local).filter((key) => /\.(access|id)Token$/.test(key));
      assert.equal(kept.length, 2, 'shadows in localStorage');
      assert.deepEqual(tokensIn(JSON.stringify(local)), []);

      const sub = await page.locator('dt:text-is("sub") + dd').innerText();
      await endSessions(sub);
      await page.reload();
      await heading(page, /^Hello, \S/); // of a session that has ended
      await button(page, 'Refresh the tokens');
      await heading(page, 'Nobody is signed in');
    }));

  it('is built, with its types checked', async () => {
    const dist = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
    try {
      await promisify(execFile)('npm', ['--prefix', here, 'run', 'build', '--', '--outDir', dist]);
    } finally {
      await rm(dist, { recursive: true });
    }
  });

  it('sends no token to the browser', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });

  /** @param {Visit} visit */
  async function signIn(visit) {
    await button(visit.page, 'Sign in');
    await visit.fillIn(user);
    await heading(visit.page, /^Hello, \S/);
  }

  /** Opens the page while the gateway says nothing of the session, and has it go on when it does. @param {Visit} visit */
  async function outage({ context, page }) {
    await context.route('**/auth/*', (route) => route.abort());
    await page.goto(gateway.url);
    await page.getByRole('alert').waitFor();
    assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'One moment…');
    await context.unroute('**/auth/*');
    await button(page, 'Try again');
    await heading(page, /^Hello, \S/);
  }

  /** @param {string} sub of a user, all of whose sessions are ended from outside */
  async function endSessions(sub) {
    const { status } = await fetch(`${gateway.admin}/admin/users/${sub}/sessions`, { method: 'DELETE' });
    assert.ok(status < 300, `the gateway ends no sessions: ${status}`);
  }
});

/**
 * @param {Page} page
 * @param {string | RegExp} name
 */
function heading(page, name) {
  return page.getByRole('heading', { name, level: 1 }).waitFor();
}

/**
 * @param {Page} page
 * @param {string} name
 */
function button(page, name) {
  return page.getByRole('button', { name, exact: true }).click();
}

/**
 * @param {Page} page
 * @param {Record<string, string>} fields by their labels
 */
async function fill(page, fields) {
  for (const [name, value] of Object.entries(fields)) await page.getByRole('textbox', { name, exact: true }).fill(value);
}

/**
 * @param {Page} page
 * @param {string} text
 */
function status(page, text) {
  return page.getByRole('status').filter({ hasText: text }).waitFor();
}

/**
 * @param {Page} page
 * @param {string[]} events what the page must come to list
 */
async function told(page, events) {
  let last = '';
  await until(
    async () => (last = (await page.getByRole('listitem').allInnerTexts()).join()) === events.join(),
    () => `Hub has told "${last}", not "${events}"`,
  );
}

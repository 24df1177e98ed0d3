// The examples of pages behind `gateway dev`, in real Chromium: as their READMEs start them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { launch, picture } from './browser.mjs';
import { Example, examples } from './example.mjs';
import { freePorts, startDev } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire, tokensIn } from './wire.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** The heading of every example while somebody is signed in. */
const signedIn = /^(You are signed in|Hello, \S)/;

describe('examples', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** Tokens in what came by WebSockets. @type {string[]} */
  const leaks = [];
  /** @type {import('playwright-core').Browser} */
  let browser;

  before(async () => {
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
  });

  /**
   * Opens a page behind a gateway.
   * @param {string[]} flags
   * @param {import('./gateway.mjs').Ports} ports
   * @param {(visit: Visit) => Promise<void>} test
   */
  async function behind(flags, ports, test) {
    const gateway = await startDev(flags, ports);
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async () => {
        /** @type {string[]} */
        const sockets = [];
        visit.page.on('websocket', (socket) => {
          sockets.push(new URL(socket.url()).port);
          socket.on('framereceived', ({ payload }) => leaks.push(...tokensIn(payload.toString())));
        });
        await visit.page.goto(gateway.url);
        await test(visit);
        assert.deepEqual(sockets.filter((port) => port !== gateway.port), [], 'a WebSocket went past the gateway');
      });
    } finally {
      await gateway.stop();
    }
  }

  /**
   * Opens an example that has a dev server.
   * @param {string} name
   * @param {(example: Example) => string[]} flags
   * @param {(visit: Visit, example: Example) => Promise<void>} test
   */
  async function started(name, flags, test) {
    const ports = await freePorts();
    const issuer = `http://localhost:${ports.cognito}/eu-west-1_GatehouseDev`;
    const example = await Example.start(name, { COGNITO_ISSUER: issuer, NEXT_TELEMETRY_DISABLED: '1' });
    try {
      await behind(flags(example), ports, (visit) => test(visit, example));
    } finally {
      await example.stop();
    }
  }

  it('spa-plain: no build, a strict policy, the API, and a sign-out that other tabs hear of', async () => {
    await behind(['--spa', `${examples}spa-plain`], await freePorts(), async (visit) => {
      const { page } = visit;
      await heading(page, 'Nobody is signed in');
      await picture(page, 'example-plain-signed-out');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await visit.fillIn();
      await callAPI(page);
      await picture(page, 'example-plain');
      await outage(visit, page.getByRole('status').filter({ hasText: /\S/ }), () => page.reload());
      await refusesInline(visit);
      await signOutEverywhere(visit);
    });
  });

  for (const [name, file] of [['spa-vue', 'src/App.vue'], ['spa-react', 'src/Home.tsx']]) {
    it(`${name}: a guarded page, the API, hot reload, and a sign-out that other tabs hear of`, () =>
      started(name, ({ url }) => ['--spa', url], async (visit, example) => {
        const { page } = visit;
        await heading(page, 'Nobody is signed in');
        await picture(page, `example-${name}-signed-out`);
        await page.getByRole('link', { name: 'Account' }).click();
        await visit.fillIn();
        await page.getByText('alice@example.com').first().waitFor();
        assert.equal(page.url(), `${visit.gateway.url}/#account`);
        await picture(page, `example-${name}-account`);
        await page.getByRole('link', { name: 'Home' }).click();
        await callAPI(page);
        await hotReload(page, 'Call the API', 'Ask the API', () => example.edit(file, 'Call the API', 'Ask the API'));
        await greeting(page);
        await outage(visit, page.getByRole('alert'), () => page.getByRole('button', { name: 'Try again' }).click());
        await signOutEverywhere(visit);
      }));
  }

  it('spa-react: built, with its types checked, and served as files', async () => {
    const dist = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
    try {
      await promisify(execFile)('npm', ['--prefix', `${examples}spa-react`, 'run', 'build', '--', '--outDir', dist]);
      await behind(['--spa', dist], await freePorts(), async ({ page }) => {
        await heading(page, 'Nobody is signed in');
      });
    } finally {
      await rm(dist, { recursive: true });
    }
  });

  it('next: a page made on the server for who is signed in, the API, hot reload, and a sign-out that other tabs hear of', () =>
    started('next', nextFlags, async (visit, example) => {
      const { page } = visit;
      await heading(page, 'Nobody is signed in');
      await hydrated(page);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await visit.fillIn();
      await heading(page, signedIn);
      await hydrated(page);
      await callAPI(page);
      await picture(page, 'example-next');
      await hotReload(page, 'Call the API', 'Ask the API', () => example.edit('app/actions.jsx', 'Call the API', 'Ask the API'));
      await greeting(page);
      await hotReload(page, 'So says', 'Thus speaks', () => example.edit('app/page.jsx', 'So says', 'Thus speaks'));
      await signOutEverywhere(visit, hydrated);
    }));

  it('sends no token to the browser', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual([...wire.leaks(), ...leaks], []);
  });
});

/**
 * Routes to Next.js: the file takes its address from the environment.
 * @param {Example} example
 */
function nextFlags({ dir, url }) {
  process.env.NEXT_URL = url;
  return ['--config', `${dir}/gatehouse.yaml`];
}

/**
 * @param {Page} page
 * @param {string | RegExp} name
 */
function heading(page, name) {
  return page.getByRole('heading', { name }).waitFor();
}

/** @param {Page} page */
async function callAPI(page) {
  await heading(page, signedIn);
  await page.getByRole('button', { name: 'Call the API' }).click();
  await greeting(page);
}

/** @param {Page} page */
function greeting(page) {
  return page.getByRole('status').filter({ hasText: 'The gateway told me who you are' }).waitFor();
}

/**
 * Waits until React has taken over the page that the server made. Nobody hears a click before that.
 * @param {Page} page
 */
async function hydrated(page) {
  await page.waitForFunction(() => {
    const button = document.querySelector('button') ?? {};
    return Object.keys(button).some((key) => key.startsWith('__reactProps'));
  });
}

/**
 * Edits a file of the page, which must come to show it without being loaded anew.
 * @param {Page} page
 * @param {string} before what the page shows
 * @param {string} after what it shows then
 * @param {() => Promise<void>} edit
 */
async function hotReload(page, before, after, edit) {
  await page.getByText(before).waitFor();
  await page.evaluate(() => Object.assign(window, { loaded: 'once' }));
  await edit();
  await page.getByText(after).waitFor();
  assert.equal(await page.evaluate('window.loaded'), 'once', 'the page was loaded anew');
}

/**
 * Opens the page while no endpoint of the gateway's answers, and has it go on when they do.
 * @param {Visit} visit
 * @param {import('playwright-core').Locator} notice where the page says so
 * @param {() => Promise<unknown>} retry
 */
async function outage({ context, gateway, page }, notice, retry) {
  await context.route('**/auth/*', (route) => route.abort());
  await page.goto(gateway.url);
  await notice.waitFor();
  assert.equal(await page.getByRole('heading').innerText(), 'One moment…');
  await context.unroute('**/auth/*');
  await retry();
  await heading(page, signedIn);
}

/**
 * Writes a script into the page, which its policy must not let run.
 * @param {Visit} visit
 */
async function refusesInline({ page, complaints }) {
  const complaint = page.waitForEvent('console', (message) => /Content Security Policy/.test(message.text()));
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.inline = true';
    document.body.append(script);
  });
  await complaint;
  assert.equal(await page.evaluate('window.inline'), undefined);
  complaints.length = 0; // the one that was asked for
}

/**
 * Signs out; another tab hears of it, without being loaded anew.
 * @param {Visit} visit
 * @param {(page: Page) => Promise<unknown>} [running] waits until the page's scripts run, where a server has made what it shows
 */
async function signOutEverywhere(visit, running = async () => {}) {
  const { page } = await visit.tab();
  await page.goto(visit.gateway.url);
  await heading(page, signedIn);
  await running(page);
  await page.evaluate(() => Object.assign(window, { loaded: 'once' }));
  await visit.page.getByRole('button', { name: 'Sign out' }).click();
  await heading(visit.page, 'Nobody is signed in');
  await heading(page, 'Nobody is signed in');
  assert.equal(await page.evaluate('window.loaded'), 'once', 'the other tab was loaded anew');
}

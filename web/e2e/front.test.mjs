// `gateway dev` in front of one's own front end and API: a Vite dev server, a
// directory of built files, an API that records what it is sent, a Redis.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createServer } from 'vite';
import { launch, picture } from './browser.mjs';
import { freePort, freePorts, startDev } from './gateway.mjs';
import { Redis } from './redis.mjs';
import { serve } from './upstream.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

/** Addresses that only the page's own router knows. */
const deepLinks = ['/orders/17/edit?tab=2', '/users/ada@example.com', '/releases/v1.2', '/people/john.doe'];

describe('gateway dev', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {string} */
  let dir;

  before(async () => {
    browser = await launch(await wire.start());
    dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await rm(dir, { recursive: true });
  });

  /** @param {Record<string, string>} files by their path under dir */
  async function write(files) {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), text);
    }
  }

  it('--spa URL: a Vite dev server, and its hot reload, work through the gateway', async () => {
    await write({
      'vite/index.html': '<!doctype html><html lang="en"><title>Vite</title><p id="text"></p><script type="module" src="/main.js"></script>',
      'vite/main.js': `import { text } from './text.js';
        const show = (text) => { document.getElementById('text').textContent = text; };
        show(text);
        import.meta.hot.accept('./text.js', (module) => show(module.text));`,
      'vite/text.js': "export const text = 'first';",
    });
    const vitePort = await freePort();
    const vite = await createServer({
      configFile: false, root: join(dir, 'vite'), cacheDir: join(dir, 'cache'), logLevel: 'error', clearScreen: false,
      server: { port: vitePort, strictPort: true },
    });
    await vite.listen();
    const gateway = await startDev(['--spa', `http://localhost:${vitePort}`]);
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(() => editsThroughVite(visit, write));
    } finally {
      await vite.close();
      await gateway.stop();
    }
  });

  it('--spa DIR, --api URL: built files, and an API that gets what it should', async () => {
    await write({
      'dist/index.html': '<!doctype html><html lang="en"><title>App</title><main><h1 id="app">The app</h1></main>',
      'dist/assets/app-1a2b.js': 'export {};',
      'dist/.env': 'SECRET=1',
      'dist/.git/config': '[core]',
      'dist/.well-known/assetlinks.json': '[]',
    });
    const api = await serve();
    const gateway = await startDev(['--spa', join(dir, 'dist'), '--api', api.url]);
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async () => {
        await staticFiles(visit);
        await callsOf(visit, api);
      });
    } finally {
      await gateway.stop();
      api.stop();
    }
  });

  it('--api URL: says so on a page while the API is down', async () => {
    const gateway = await startDev(['--api', `http://127.0.0.1:${await freePort()}`]);
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async ({ page }) => {
        await visit.signIn();
        const response = await page.goto(`${gateway.url}/api/hello`);
        assert.equal(response?.status(), 502);
        await picture(page, 'upstream-down');
      });
    } finally {
      await gateway.stop();
    }
  });

  it('--redis URL: the session lives there, and survives its outage', async () => {
    const redis = await Redis.start();
    const ports = await freePorts();
    let gateway = await startDev(['--redis', redis.url], ports);
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async ({ page }) => {
        await visit.signIn();
        assert.notEqual(await redis.cli('--scan'), '', 'Redis holds no key');
        await outage(visit, redis);

        // Another key, and nothing but the store and the cookie is left.
        await gateway.stop();
        gateway = await startDev(['--redis', redis.url], ports);
        const before = await visit.context.cookies(gateway.url);
        await visit.openDemo('Signed out');
        assert.equal((await visit.callAPI()).status, 401);
        assert.deepEqual(await visit.context.cookies(gateway.url), before, 'a cookie that does not open was touched');
        await page.getByRole('button', { name: 'Sign in', exact: true }).click();
        await visit.fillIn();
        await visit.status('Signed in');
      });
    } finally {
      await gateway.stop();
      await redis.stop();
    }
  });

  it('sends no token to the browser, whatever stands behind', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });
});

/**
 * @param {Visit} visit
 * @param {(files: Record<string, string>) => Promise<void>} write
 */
async function editsThroughVite(visit, write) {
  const { page, gateway } = visit;
  /** @type {string[]} */
  const sockets = [];
  page.on('websocket', (socket) => sockets.push(new URL(socket.url()).host));
  /** Vite says this once its WebSocket has been greeted. */
  const connected = () => page.waitForEvent('console', (message) => message.text() === '[vite] connected.');
  page.on('console', (message) => {
    if (message.type() === 'error' && /vite|websocket/i.test(message.text())) visit.complaints.push(message.text());
  });
  const hello = () => page.evaluate(async () => (await fetch('/api/hello')).status);
  const shows = (/** @type {string} */ text) => page.locator('#text', { hasText: text }).waitFor();
  /** Edits a file, and sees the page change without being loaded again. */
  const edit = async (/** @type {string} */ text) => {
    await greeting;
    await page.evaluate(() => Object.assign(window, { kept: true }));
    await write({ 'vite/text.js': `export const text = '${text}';` });
    await shows(text);
    assert.equal(await page.evaluate(() => 'kept' in window), true, 'the page was loaded again');
  };

  let greeting = connected();
  await page.goto(`${gateway.url}/`);
  await shows('first');
  await edit('second');
  assert.equal(await hello(), 401);
  await page.goto(`${gateway.url}/auth/login?return_to=/`);
  greeting = connected();
  await visit.fillIn();
  await shows('second');
  await edit('third');
  assert.equal(await hello(), 200);
  for (const path of deepLinks) {
    assert.equal((await page.goto(gateway.url + path))?.status(), 200, path);
    await shows('third');
  }
  assert.deepEqual([...new Set(sockets)], [new URL(gateway.url).host], 'hot reload went past the gateway');
}

/** @param {Visit} visit */
async function staticFiles({ page, gateway }) {
  for (const path of ['/', ...deepLinks]) {
    const response = await page.goto(gateway.url + path);
    assert.equal(response?.status(), 200, path);
    await page.locator('#app').waitFor();
  }
  const status = (/** @type {string} */ path) => page.evaluate(async (p) => (await fetch(p)).status, path);
  assert.equal(await status('/assets/app-1a2b.js'), 200);
  assert.equal(await status('/.well-known/assetlinks.json'), 200);
  for (const path of ['/assets/gone.js', '/.env', '/.git/config', '/assets/', '/orders/17', '/users/ada@example.com']) {
    assert.equal(await status(path), 404, path);
  }
  for (const path of ['/assets/gone.js', '/.env']) {
    assert.equal((await page.goto(gateway.url + path))?.status(), 404, path);
  }
  await picture(page, 'not-found');
}

/**
 * @param {Visit} visit
 * @param {import('./upstream.mjs').Upstream} api
 */
async function callsOf(visit, api) {
  const { page, context, gateway } = visit;
  await page.goto(`${gateway.url}/auth/login?return_to=/orders/17`);
  await visit.fillIn();
  await page.waitForURL(`${gateway.url}/orders/17`);
  await context.addCookies([
    { name: 'theme', value: 'dark', url: gateway.url },
    { name: 'gatehouse-theme', value: 'own', url: gateway.url },
  ]);
  const asked = api.requests.length;
  const path = '/api/v1/a%20b/?q=1;2&q=%2e&empty=';
  const status = await page.evaluate(
    async (p) => (await fetch(p, { headers: { 'X-Auth-Subject': 'mallory', Authorization: 'Bearer mine' } })).status,
    path,
  );
  assert.equal(status, 200);
  assert.equal(api.requests.length, asked + 1);
  const { url, headers } = api.requests[asked];
  assert.equal(url, path);
  assert.match(headers.authorization ?? '', /^Bearer eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.equal(headers.cookie, 'theme=dark; gatehouse-theme=own');
  assert.equal(headers['x-auth-subject'], undefined);
  assert.equal(headers.host, new URL(gateway.url).host);
}

/**
 * Redis hangs for a while: nobody is signed out by that.
 * @param {Visit} visit
 * @param {Redis} redis
 */
async function outage(visit, redis) {
  const { page, gateway } = visit;
  const before = await visit.context.cookies(gateway.url);
  await redis.hang();
  const hung = Date.now();
  try {
    // What was opened a moment ago is served for up to a second more.
    let asked = Date.now();
    let response = await page.goto(`${gateway.url}/api/hello`);
    while (response?.status() === 200 && asked <= hung + 1000) {
      asked = Date.now();
      response = await page.goto(`${gateway.url}/api/hello`);
    }
    assert.equal(response?.status(), 503);
    assert.match(response?.headers()['retry-after'] ?? '', /^\d+$/);
    await picture(page, 'store-down');
    await page.goto(`${gateway.url}/`);
    await visit.status('No answer');
    await picture(page, 'demo-store-down');
  } finally {
    redis.resume();
  }
  assert.deepEqual(await visit.context.cookies(gateway.url), before, 'the outage touched a cookie');
  await visit.openDemo('Signed in');
  assert.equal((await visit.callAPI()).status, 200);
}

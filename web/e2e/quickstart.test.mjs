// docs/quickstart-spa.md, as a stranger follows it: the page's own commands and code, with ports of the test's own and with
// versions that stay as they are.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { launch } from './browser.mjs';
import { freePort, run, startDev } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
/** What create-vite makes, with the versions that its ranges stand for. */
const pinned = join(here, 'quickstart');
const codeLimit = 25; // lines that are not empty

describe('docs/quickstart-spa.md', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** What a stranger has: the checkout, and an app beside it. */
  let dir = '';
  let app = '';
  /** Blocks of the page, by language. @type {Record<string, string[]>} */
  const blocks = {};

  before(async () => {
    const page = await readFile(join(root, 'docs/quickstart-spa.md'), 'utf8');
    for (const [, language = '', text = ''] of page.matchAll(/^```(\w+)\n(.*?)^```/gms)) {
      (blocks[language] ??= []).push(text.trim());
    }
    browser = await launch(await wire.start());
    dir = await realpath(await mkdtemp(join(tmpdir(), 'gatehouse-e2e-')));
    app = join(dir, 'hello');
    await symlink(root, join(dir, 'gatehouse'));
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('takes a stranger from npm create vite to a signed-in page that calls an API', async () => {
    const [build, create, dev, gateway, production] = blocks.sh ?? [];
    const [code = ''] = blocks.tsx ?? [];
    const lines = code.split('\n').filter((line) => line.trim() !== '').length;
    assert.ok(lines > 0 && lines <= codeLimit, `${lines} lines of code`);

    assert.equal(build, 'make build client');
    await shell('make client', root); // the gateway is built already
    const [begin, enter, ...install] = create?.split('\n') ?? [];
    assert.match(begin ?? '', /^npm create vite@latest hello -- /);
    await shell(begin?.replace('npm create vite@latest hello --', `${here}node_modules/.bin/create-vite hello`), dir);
    assert.equal(enter, 'cd hello');
    await pin(app);
    await shell(install.join(' && '), app);
    await writeFile(join(app, 'src/App.tsx'), `${code}\n`);

    assert.equal(dev, 'npm run dev');
    const vite = await startVite(app);
    try {
      const flags = gateway?.match(/^\.\.\/gatehouse\/bin\/gateway dev (--spa) http:\/\/localhost:5173$/) ?? [];
      const running = await startDev([flags[1] ?? '', vite.url]);
      try {
        const visit = await Visit.start(browser, running);
        await visit.run(tour);
      } finally {
        await running.stop();
      }
    } finally {
      await vite.stop();
    }
    await shell(production, app); // checks the types too
    assert.match(await readFile(join(app, 'dist/index.html'), 'utf8'), /<script type="module"/);
  });

  it('gives the browser no token', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });
});

/** @param {Visit} visit */
async function tour(visit) {
  const { page, gateway } = visit;
  await page.goto(`${gateway.url}/orders/7?tab=2#top`);
  await visit.fillIn();
  await page.getByRole('heading', { name: 'Hello, Alice Archer' }).waitFor();
  assert.equal(page.url(), `${gateway.url}/orders/7?tab=2#top`);
  await page.getByRole('button', { name: 'Call the API' }).click();
  await page.getByText('The gateway told me who you are').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  // The page at the end of the sign-out wants somebody to sign in again.
  await visit.atHostedPages();
  await page.locator('input[name=password]:visible').waitFor();
}

/**
 * Gives a new app the packages that were installed for it: those that its ranges stood for when this was written.
 * @param {string} app
 */
async function pin(app) {
  const [made, known] = await Promise.all([packageOf(app), packageOf(pinned)]);
  assert.deepEqual(
    [made.dependencies, made.devDependencies],
    [known.dependencies, known.devDependencies],
    'create-vite makes another app: renew web/e2e/quickstart',
  );
  await cp(join(pinned, 'package-lock.json'), join(app, 'package-lock.json'));
  await cp(join(pinned, 'node_modules'), join(app, 'node_modules'), { recursive: true, verbatimSymlinks: true });
}

/** @param {string} dir */
async function packageOf(dir) {
  return JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'));
}

/**
 * Runs a line of the page.
 * @param {string | undefined} command
 * @param {string} cwd
 */
async function shell(command = 'false', cwd) {
  const npm = { npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' };
  await promisify(execFile)('bash', ['-euc', command], { cwd, env: { ...process.env, ...npm } });
}

/**
 * Starts what `npm run dev` starts, at a port of its own.
 * @param {string} app
 */
async function startVite(app) {
  const { scripts } = await packageOf(app);
  assert.equal(scripts.dev, 'vite');
  const port = String(await freePort());
  const url = `http://localhost:${port}`;
  const args = ['node_modules/.bin/vite', '--port', port, '--strictPort'];
  return { url, ...(await run('vite', process.execPath, args, url, { cwd: app })) };
}

// docs/frameworks.md: its components, built and used as they stand there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { launch } from './browser.mjs';
import { startDev } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const frame = fileURLToPath(new URL('frameworks', import.meta.url));
/** The page's blocks by language, and the files that they are. */
const files = { ts: 'session.ts', vue: 'App.vue', svelte: 'App.svelte', typescript: 'app.ts' };

describe('docs/frameworks.md', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  let dir = '';
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;

  before(async () => {
    const text = await readFile(join(root, 'docs/frameworks.md'), 'utf8');
    const block = (/** @type {string} */ language) => {
      const [, code] = text.match(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms')) ?? [];
      assert.ok(code, `the page has no ${language}`);
      return code;
    };
    dir = await realpath(await mkdtemp(join(tmpdir(), 'gatehouse-e2e-')));
    await cp(frame, dir, { recursive: true, filter: (path) => !path.endsWith('node_modules') });
    await symlink(join(frame, 'node_modules'), join(dir, 'node_modules'));
    await symlink(join(root, 'web/client/src'), join(dir, 'client'));
    for (const [language, file] of Object.entries(files)) await writeFile(join(dir, file), block(language));
    await promisify(execFile)(process.execPath, ['node_modules/.bin/vite', 'build'], { cwd: dir });
    await writeFile(join(dir, 'dist/plain.html'), `<!doctype html><title>Plain</title>${block('html')}`);
    await writeFile(join(dir, 'dist/index.html'), '<!doctype html><title>Home</title>'); // where a sign-out ends
    browser = await launch(await wire.start());
    gateway = await startDev(['--spa', join(dir, 'dist')]);
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  for (const name of ['vue', 'svelte', 'angular', 'plain']) {
    it(`${name}: signs in and out, knows what another tab does, and takes an outage for no sign-out`, async () => {
      const visit = await Visit.start(browser, gateway);
      await visit.run(async ({ page, context }) => {
        const address = `${gateway.url}/${name}.html`;
        const [enter, leave] = ['Sign in', /^Sign out/].map((label) => page.getByRole('button', { name: label }));
        await page.goto(address);
        await enter?.click();
        await visit.fillIn();
        await leave?.waitFor();
        assert.equal(page.url(), address);

        const other = await visit.tab();
        await context.route('**/auth/session*', (route) => route.abort());
        await other.page.goto(address);
        await other.page.getByText('does not answer').waitFor();
        await context.unroute('**/auth/session*');
        await other.page.goto(address);
        await other.page.getByRole('button', { name: /^Sign out/ }).click();
        await enter?.waitFor();
        assert.equal(await leave?.isVisible(), false);
      });
    });
  }

  it('sends no token to the browser', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });
});

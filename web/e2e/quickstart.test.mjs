// docs/quickstart-spa.md, as a stranger follows it: the page's own commands and code, with ports of the test's own.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { startDev } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Walk } from './walk.mjs';
import { Wire } from './wire.mjs';

const codeLimit = 25; // lines that are not empty

describe('docs/quickstart-spa.md', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {Walk} */
  let walk;

  before(async () => {
    walk = await Walk.begin('quickstart-spa.md', 'hello', 'quickstart');
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await walk?.end();
  });

  it('takes a stranger from npm create vite to a signed-in page that calls an API', async () => {
    const [build, create, dev, gateway, production] = walk.blocks.sh ?? [];
    const [code = ''] = walk.blocks.tsx ?? [];
    const lines = code.split('\n').filter((line) => line.trim() !== '').length;
    assert.ok(lines > 0 && lines <= codeLimit, `${lines} lines of code`);

    await walk.build(build);
    await walk.create(create);
    await walk.write('src/App.tsx', `${code}\n`);

    const vite = await walk.startVite(dev);
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
    await walk.shell(production); // checks the types too
    assert.match(await walk.read('dist/index.html'), /<script type="module"/);
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

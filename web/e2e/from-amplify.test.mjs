// docs/from-amplify.md, as somebody with an app on aws-amplify follows it: the page's own commands and code, with ports of the
// test's own.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { startDev } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Walk } from './walk.mjs';
import { Wire, tokensIn } from './wire.mjs';

describe('docs/from-amplify.md', { timeout: suiteTimeout }, () => {
  const wire = new Wire({ https: true });
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {Walk} */
  let walk;

  before(async () => {
    walk = await Walk.begin('from-amplify.md', 'notes', 'from-amplify');
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await walk?.end();
  });

  it('takes an Amplify app from npm create vite to a signed-in page that has no token', async () => {
    const [build, create, adapter, dev, gateway, production] = walk.blocks.sh ?? [];
    const [code = ''] = walk.blocks.tsx ?? [];
    const [one = ''] = walk.blocks.ts ?? [];
    assert.doesNotMatch(code, /@gatehouse/, 'the app before knows of the gateway');
    assert.match(one, /^import '[^'\n]+'$/);

    await walk.build(build);
    await walk.create(create);
    await walk.write('src/App.tsx', `${code}\n`);
    await walk.shell(adapter);
    await walk.write('src/main.tsx', `${one}\n${await walk.read('src/main.tsx')}`);
    const vite = await walk.startVite(dev);
    try {
      const flags = gateway?.match(/^\.\.\/gatehouse\/bin\/gateway dev (--tls) (--spa) http:\/\/localhost:5173$/) ?? [];
      const running = await startDev([...flags.slice(1), vite.url]);
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
  });

  it('gives the browser no token', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });
});

/** @param {Visit} visit */
async function tour(visit) {
  const { page, gateway } = visit;
  await page.goto(gateway.url);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await visit.fillIn();
  await page.getByRole('heading', { name: /^Hello, \S/ }).waitFor();
  assert.equal(page.url(), `${gateway.url}/`);
  await page.getByRole('button', { name: 'Call the API' }).click();
  await page.getByText('The gateway told me who you are').waitFor();
  const readable = await visit.readable();
  assert.deepEqual([readable.cookie, tokensIn(JSON.stringify(readable))], ['', []]);
  assert.doesNotMatch(JSON.stringify(readable), /accessToken|idToken/);
  const other = await page.context().newPage();
  await other.goto(gateway.url);
  await other.getByRole('heading', { name: /^Hello, \S/ }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await other.getByRole('button', { name: 'Sign in' }).waitFor();
  assert.equal(page.url(), `${gateway.url}/`);
}

// The flags of `gateway dev` that a browser can tell apart.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { launch } from './browser.mjs';
import { startDev } from './gateway.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

describe('gateway dev', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
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
   * @param {string[]} flags
   * @param {(visit: Visit) => Promise<void>} test
   */
  const started = (flags, test) => async () => {
    const gateway = await startDev(flags);
    try {
      const visit = await Visit.start(browser, gateway);
      await visit.run(test);
    } finally {
      await gateway.stop();
    }
  };

  it('--token-ttl, --rotate: the session outlives its tokens', started(['--token-ttl', '3s', '--rotate'], async (visit) => {
    await visit.signIn();
    // Whoever calls with a token that is running out gets a new one; nobody presses anything for it.
    const generation = () => visit.page.evaluate(() => Number(document.getElementById('generation')?.textContent));
    do {
      assert.equal((await visit.callAPI()).status, 200);
      await visit.view('Session');
    } while ((await generation()) < 2);
    await visit.status('Signed in');
    assert.deepEqual(wire.leaks(), []);
  }));

  it('--tls: the session cookie has every protection a browser knows', started(['--tls'], async (visit) => {
    await visit.signIn();
    assert.equal((await visit.callAPI()).status, 200);
    const cookies = await visit.context.cookies(visit.gateway.url);
    const session = cookies.find(({ name }) => name === `__Host-Http-gatehouse-${visit.gateway.port}`);
    assert.ok(session, `no session cookie among ${cookies.map(({ name }) => name)}`);
    const { secure, httpOnly, sameSite, path } = session;
    assert.deepEqual({ secure, httpOnly, sameSite, path }, { secure: true, httpOnly: true, sameSite: 'Lax', path: '/' });
    await visit.signOut();
  }));
});

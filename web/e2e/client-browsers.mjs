// The same short pass with the client in the browsers beside Chromium.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as browsers from './browsers.mjs';
import { afterSignIn, routesTo, serveApp } from './client.mjs';
import { startServe } from './gateway.mjs';
import { until } from './until.mjs';
import { suiteTimeout, user } from './visit.mjs';

/** @typedef {import('./browsers.mjs').Tab} Tab */

/** Sends the user pool's form, of which there are several for windows of several widths. */
const fillIn = `(() => {
  const seen = (selector) => [...document.querySelectorAll(selector)].find((element) => element.offsetParent);
  seen('input[name=username]').value = '${user.name}';
  seen('input[name=password]').value = '${user.password}';
  setTimeout(() => seen('input[name=password]').form.requestSubmit());
})()`;

describe('the client', { timeout: suiteTimeout }, () => {
  /** @type {import('./upstream.mjs').Upstream} */
  let app;
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;

  before(async () => {
    app = await serveApp();
    gateway = await startServe({ session: { store: 'memory:' }, csrf_header: 'X-CSRF', routes: routesTo(app) });
  });
  after(async () => {
    await gateway?.stop();
    app?.stop();
  });

  /**
   * Waits until an expression gives a value in the page; meanwhile the page may come and go.
   * @param {Tab} tab
   * @param {string} script
   * @param {unknown} value
   */
  async function becomes(tab, script, value) {
    /** @type {unknown} */
    let last;
    const holds = async () => (last = await tab.evaluate(script).catch((err) => err)) === value;
    await until(holds, () => `${script} is ${last}, not ${value}`);
  }

  /** @param {Tab} tab @param {string} text */
  const untilTold = (tab, text) => becomes(tab, "document.querySelector('#told')?.textContent", text);

  /** @param {Tab} tab */
  async function open(tab) {
    await tab.goto(`${gateway.url}/`);
    await becomes(tab, "'client' in window", true);
  }

  /** The name of what a call throws, or 'done'. @param {Tab} tab @param {string} call */
  const outcome = (tab, call) => tab.evaluate(`window.client.${call}.then(() => 'done', ({ name }) => name)`);

  /** @param {Tab} tab */
  async function signIn(tab) {
    await open(tab);
    await tab.evaluate("void window.client.signInWithRedirect({ customState: 'cart' })");
    await becomes(tab, 'location.origin', gateway.hosted);
    await becomes(tab, 'document.readyState', 'complete');
    await tab.evaluate(fillIn);
    await untilTold(tab, afterSignIn);
  }

  for (const [name, launch] of Object.entries(browsers)) {
    it(`signs in, and tells the other tab of sign-in and sign-out, in ${name}`, async (t) => {
      const browser = await launch();
      try {
        const [tab, other] = [await browser.tab(), await browser.tab()];
        t.diagnostic(await tab.evaluate('navigator.userAgent'));
        await open(other);
        assert.equal(await outcome(other, 'getCurrentUser()'), 'UserUnAuthenticatedException');
        await signIn(tab);
        await untilTold(other, 'signedIn');
        assert.equal(await outcome(other, "gatewayFetch('/api/hello')"), 'done');
        assert.equal(await outcome(other, 'signOut({ redirect: false })'), 'done');
        await untilTold(tab, `${afterSignIn}, signedOut logout`);
      } finally {
        await browser.close();
      }
    });
  }
});

// Who hears what: two tabs and three browsers of the same user, and eight tabs that share one event stream.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Stage, afterSignIn, call, open, signIn, told, untilTold } from './client.mjs';
import { until } from './until.mjs';
import { secondUser, suiteTimeout } from './visit.mjs';

/** @typedef {import('./visit.mjs').Visit} Visit */

describe('tabs and browsers with the client', { timeout: suiteTimeout }, () => {
  const stage = new Stage();
  const { wire } = stage;

  before(() => stage.start());
  after(() => stage.stop());

  /** How often an endpoint was asked. @param {string} path */
  const asked = (path) => wire.answers.filter(({ url }) => url.startsWith(stage.gateway.url + path)).length;

  /** Event streams that are open at the gateway. */
  const streams = () => stage.gateway.metric('gatehouse_event_streams');

  /** Waits until the gateway has that many streams. @param {number} count */
  async function untilStreams(count) {
    let now = 0;
    await until(async () => (now = await streams()) === count, () => `${now} streams, not ${count}`);
  }

  /**
   * Three browsers of the same user, the first with two tabs.
   * @param {(here: Visit, tab: Visit, others: Visit[]) => Promise<void>} test
   */
  const threeBrowsers = (test) => async () => {
    const visits = await Promise.all([1, 2, 3].map(() => stage.visit()));
    const [here, ...others] = visits;
    await here.run(() => others[0].run(() => others[1].run(async () => {
      for (const visit of visits) await signIn(visit, secondUser);
      const tab = await here.tab();
      await open(tab);
      await untilStreams(visits.length);
      await test(here, tab, others);
    })));
  };

  /**
   * Calls a function of the client, and waits for what the other pages are told of it: by stream and channel, as asking
   * for the session fails meanwhile, unless the pages may ask. They do before they tell of `revoked`, which a later login
   * in the same browser is called too.
   * @param {Visit} visit
   * @param {[name: string, ...args: unknown[]]} what
   * @param {[visit: Visit, text: string][]} hearers
   * @param {boolean} [mayAsk]
   * @returns {Promise<string>} how long that took, for people to read
   */
  async function isHeard(visit, [name, ...args], hearers, mayAsk = false) {
    const contexts = new Set(mayAsk ? [] : hearers.map(([{ context }]) => context));
    for (const context of contexts) await context.route('**/auth/session?*', (route) => route.abort());
    const begun = Date.now();
    await call(visit.page, name, ...args);
    const returned = Date.now() - begun;
    const delays = [];
    for (const [{ page }, text] of hearers) {
      await untilTold(page, text);
      delays.push((await page.evaluate(() => /** @type {any} */ (window).toldAt.at(-1))) - begun);
    }
    for (const context of contexts) await context.unroute('**/auth/session?*');
    return `${name} returned after ${returned} ms; the others knew after ${delays.join(', ')} ms`;
  }

  it('a sign-out on all devices reaches the other tab and the other browsers', async (t) => {
    await threeBrowsers(async (here, tab, others) => {
      const hearers = others.map((other) => /** @type {[Visit, string]} */ ([other, `${afterSignIn}, signedOut global`]));
      t.diagnostic(await isHeard(here, ['signOut', { global: true, redirect: false }], [[tab, 'signedOut global'], ...hearers]));
      for (const { page } of [here, tab, ...others]) {
        assert.deepEqual(await call(page, 'getCurrentUser'), { name: 'UserUnAuthenticatedException' });
      }
    })();
  });

  it('the end of other sessions reaches the other browsers, and nobody else', async (t) => {
    await threeBrowsers(async (here, tab, others) => {
      const hearers = others.map((other) => /** @type {[Visit, string]} */ ([other, `${afterSignIn}, signedOut revoked`]));
      t.diagnostic(await isHeard(here, ['endOtherSessions'], hearers, true));
      assert.deepEqual(await told(here.page), afterSignIn.split(', '));
      // What has happened before is told before: so nothing was under way to the other tab.
      t.diagnostic(await isHeard(here, ['signOut', { redirect: false }], [[tab, 'signedOut logout']]));
    })();
  });

  it('eight tabs have one stream, which moves on when its tab is closed', async () => {
    const visit = await stage.visit();
    await visit.run(async () => {
      await signIn(visit);
      const tabs = [visit];
      while (tabs.length < 8) {
        const tab = await visit.tab();
        await open(tab);
        await call(tab.page, 'getCurrentUser');
        tabs.push(tab);
      }
      await untilStreams(1);
      // Locks are granted in the order that they were asked for in: the first tab has it.
      const phone = await stage.visit();
      await phone.run(async () => {
        await signIn(phone);
        await untilStreams(2);
        const before = asked('/auth/events');
        await visit.page.close();
        await until(() => asked('/auth/events') > before, 'no tab took over');
        await untilStreams(2);
        assert.equal(asked('/auth/events'), before + 1, 'more than one tab took over');
        await call(phone.page, 'endOtherSessions');
        for (const { page } of tabs.slice(1)) await untilTold(page, 'signedOut revoked');
      });
    });
  });
});

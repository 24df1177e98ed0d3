// What the demo page of `gateway dev` shows, view by view, and what it does when others sign out, when nobody answers,
// and for those who use a keyboard.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { auditFocus } from './audit.mjs';
import { launch, picture, pictureForReadme } from './browser.mjs';
import { startDev } from './gateway.mjs';
import { Visit, secondUser, suiteTimeout, user } from './visit.mjs';
import { Wire } from './wire.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** What the views are called in the navigation, and by their heading. */
const views = ['You', 'Session', 'Activity', 'API', 'Devices', 'Account'];
/** What stands in them, signed in. */
const contents = {
  You: user.name, Session: /\d+:\d\d/, Activity: 'GET /auth/session', API: 'Not called yet', Devices: 'This browser',
  Account: 'Authenticator app',
};
const openToAll = ['Activity', 'API'];

describe('the demo page', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;
  /** @type {import('playwright-core').Browser} */
  let browser;

  before(async () => {
    gateway = await startDev();
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
  });

  /** @param {(visit: Visit) => Promise<void>} test */
  const fresh = (test) => async () => (await Visit.start(browser, gateway)).run(test);

  /**
   * Two browsers of the same user.
   * @param {(here: Visit, there: Visit) => Promise<void>} test
   */
  const twoBrowsers = (test) =>
    fresh(async (here) => {
      const there = await Visit.start(browser, gateway);
      await there.run(async () => {
        await here.signIn(secondUser);
        await there.signIn(secondUser);
        await test(here, there);
      });
    });

  /**
   * @param {Visit} visit
   * @param {string | RegExp} text what the page must come to say by itself
   */
  const notice = ({ page }, text) => page.locator('#notice', { hasText: text }).waitFor();

  it('has something for strangers in every view, and one thing to do first', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    for (const view of views) {
      await visit.view(view);
      assert.equal(await page.locator('h1').innerText(), view);
      await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
      assert.ok((await page.locator('.primary:visible').count()) <= 1, `several things to do first in ${view}`);
      if (!openToAll.includes(view)) await page.getByText('Sign in to see this.').waitFor();
      await picture(page, `demo-signed-out-${view}`);
    }
    for (const nowhere of ['nowhere', 'constructor']) {
      await page.goto(`${gateway.url}/#/${nowhere}`);
      await page.getByRole('heading', { name: 'There is no such view' }).waitFor();
    }
    await picture(page, 'demo-no-view');
  }));

  it('shows the session in every view, and is fit for everyone', fresh(async (visit) => {
    const { page } = visit;
    await visit.signIn();
    await page.getByRole('heading', { name: 'Hello, Alice' }).waitFor();
    await picture(page, 'demo-signed-in');
    await pictureForReadme(page);
    for (const [view, content] of Object.entries(contents)) {
      await visit.view(view);
      await page.locator('#view', { hasText: content }).waitFor();
      assert.ok((await page.locator('.primary:visible').count()) <= 1, `several things to do first in ${view}`);
      await picture(page, `demo-signed-in-${view}`);
      const { stops, faults } = await auditFocus(page);
      assert.ok(stops >= views.length + 3, `the Tab key stops at ${stops} places of ${view} only`);
      assert.deepEqual(faults, [], view);
    }
    await page.getByRole('link', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign out' }).waitFor();
    await picture(page, 'demo-sign-out');
  }));

  it('goes back and forward between views, with heading, title and focus', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    const is = async (/** @type {string} */ view) => {
      await page.locator('h1:focus', { hasText: view }).waitFor();
      assert.equal(await page.title(), `${view} · Gatehouse demo`);
    };
    await visit.view('You');
    await is('You');
    await visit.view('API');
    await is('API');
    await page.goBack();
    await is('You');
    await page.goForward();
    await is('API');
    await page.reload();
    await visit.status('Signed out');
    assert.equal(await page.locator('h1').innerText(), 'API');
  }));

  it('comes back from the login at the view it left', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await visit.view('Account');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await visit.fillIn();
    await page.locator('dd', { hasText: user.name }).waitFor();
    assert.equal(page.url(), `${gateway.url}/#/account`);
    await visit.view('Activity');
    await page.locator('.log li', { hasText: 'signInWithRedirect' }).first().waitFor();
    await page.locator('.log li', { hasText: 'customOAuthState' }).waitFor();
  }));

  it('signs in in a small window, and stays where it is', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    const hops = visit.follow();
    const opened = page.waitForEvent('popup');
    await page.getByRole('button', { name: 'in a small window' }).click();
    const popup = await opened;
    await new Visit(popup, gateway).fillIn();
    await visit.status('Signed in');
    if (!popup.isClosed()) await popup.waitForEvent('close');
    assert.deepEqual(hops, [], 'the page went somewhere');
  }));

  /**
   * Presses the button and comes back.
   * @param {Visit} visit
   */
  async function signInUnasked({ page }) {
    const arrived = page.waitForEvent('load');
    await page.getByRole('button', { name: 'without a question' }).click();
    await arrived;
  }

  it('signs in without a question whom the user pool still knows', fresh(async (visit) => {
    await visit.signIn();
    await visit.context.clearCookies({ name: `gatehouse-${gateway.port}` });
    await visit.openDemo();
    await signInUnasked(visit);
    await visit.status('Signed in');
  }));

  it('says so where the user pool knows nobody', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await signInUnasked(visit);
    await visit.status('Signed out');
    assert.equal(page.url(), `${gateway.url}/`);
    await page.getByRole('button', { name: 'without a question' }).click();
    await page.locator('.failed', { hasText: 'does not know you' }).waitFor();
  }));

  it('hears of it when another tab signs out or in', fresh(async (visit) => {
    await visit.signIn();
    const other = await visit.tab();
    await other.openDemo('Signed in');
    await other.view('Activity');
    await visit.signOut();
    await other.status('Signed out');
    await notice(other, 'You signed out in another tab.');
    await other.page.locator('.log li', { hasText: 'signedOut' }).waitFor();
    await picture(other.page, 'demo-heard');

    await other.view('You');
    await other.page.getByText('Sign in to see this.').waitFor();
    await visit.signIn();
    await other.page.locator('.name', { hasText: 'Alice' }).waitFor();
  }));

  it('lists other devices, and signs out there', twoBrowsers(async (here, there) => {
    const { page } = here;
    await here.view('Devices');
    const endThere = page.getByRole('button', { name: 'Sign out there' });
    await endThere.waitFor();
    await picture(page, 'demo-devices');
    await endThere.click();
    await there.status('Signed out');
    await notice(there, 'Your session was ended from another device.');
    await here.status('Signed in');
    await page.getByText('Nowhere else').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Sign out everywhere else' }).count(), 0);

    await there.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await there.page.waitForURL(`${gateway.url}/**`);
    await there.status('Signed in');
    await here.view('You');
    await here.view('Devices');
    await page.getByRole('button', { name: 'Sign out everywhere else' }).click();
    await there.status('Signed out');
    await page.getByText('Nowhere else').waitFor();
    await here.status('Signed in');
  }));

  it('signs out everywhere', twoBrowsers(async (here, there) => {
    await here.page.getByRole('link', { name: 'Sign out' }).click();
    await here.page.getByRole('button', { name: 'Sign out everywhere' }).click();
    await notice(there, 'You signed out everywhere.');
    await there.status('Signed out');
    await here.page.waitForURL(`${gateway.url}/`);
    await here.status('Signed out');
  }));

  it('calls the API by other methods and paths, and names every status', fresh(async (visit) => {
    const { page } = visit;
    const call = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {RegExp} */ result) => {
      await page.getByLabel('Method').selectOption(method);
      await page.getByLabel('Path').fill(path);
      await page.getByRole('button', { name: 'Call the API' }).click();
      await page.locator('#api-result', { hasText: result }).waitFor();
    };
    await visit.signIn();
    await visit.view('API');
    await call('POST', '/api/echo', /^200 OK in \d+ ms$/);
    assert.match(await page.locator('#api-body').innerText(), /the demo page/);
    await call('GET', '/api/nothing', /^404 Not Found in \d+ ms$/);
    await picture(page, 'demo-api-answered');
    await call('GET', '/auth/nothing', /^404 Not Found in \d+ ms$/);
    await visit.view('Activity');
    await page.locator('.log li', { hasText: /GET \/api\/nothing\s*404 Not Found/ }).waitFor();
  }));

  it('speaks with the API by WebSocket, and is refused signed out', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await visit.view('API');
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.getByText('it was refused').waitFor();
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await visit.fillIn();
    await visit.status('Signed in');
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.locator('#socket-log li', { hasText: /Hello, .+!\s*received/ }).waitFor();
    await page.getByLabel('Message').fill('Are you there?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('#socket-log li', { hasText: /Are you there\?\s*received/ }).waitFor();
    await picture(page, 'demo-socket');
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await page.getByText('The connection has ended.').waitFor();
  }));

  it('says what failed where it failed, and calls nobody signed out for it', fresh(async (visit) => {
    const { page } = visit;
    await visit.signIn();
    await visit.view('Session');
    const failed = page.locator('#view .failed');
    for (let n = 0; n < 30 && !(await failed.isVisible()); n++) {
      const answered = page.waitForResponse((response) => response.url().endsWith('/auth/refresh'));
      await page.getByRole('button', { name: 'Refresh tokens now' }).click();
      await answered;
      await page.locator('[data-do=refresh]:not([aria-disabled])').waitFor();
    }
    assert.match(await failed.innerText(), /too often/);
    await visit.status('Signed in');
    await picture(page, 'demo-refused');
    assert.deepEqual((await auditFocus(page)).faults, []);
  }));

  it('keeps everybody signed in while nobody answers, and goes on by itself', fresh(async (visit) => {
    const { page, context } = visit;
    await visit.signIn();
    await visit.view('Session');
    const hops = visit.follow();
    await context.setOffline(true);
    await visit.status('No answer');
    await page.locator('#trouble', { hasText: /offline.*still signed in/ }).waitFor();
    await page.locator('#clock-session').waitFor();
    await picture(page, 'demo-offline');
    await page.getByRole('button', { name: 'Stay signed in' }).click();
    await page.locator('#view .failed', { hasText: 'offline' }).waitFor();
    await context.setOffline(false);
    await visit.status('Signed in');

    await page.route('**/auth/session*', (route) => route.abort());
    await page.getByRole('button', { name: 'Stay signed in' }).click();
    await page.locator('#trouble', { hasText: /cannot be reached.*still signed in/ }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'No answer for now' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Sign in' }).count(), 0, 'an outage is no reason to sign in');
    await picture(page, 'demo-unreachable');
    await page.unroute('**/auth/session*');
    await visit.status('Signed in');
    await page.locator('#clock-session').waitFor();
    assert.deepEqual(hops, [`${gateway.url}/`], 'somebody was sent to log in');
  }));

  it('warns before the session ends, and goes on with it', fresh(async (visit) => {
    const { page } = visit;
    await visit.signIn();
    // What the gateway says a minute before the idle limit.
    const now = Math.floor(Date.now() / 1000);
    const limits = { idleExpiresAt: now + 60, sessionExpiresAt: now + 3600 };
    let streams = 0;
    await page.route('**/auth/events', (route) => {
      if (streams++ > 0) return; // the next is silent
      const body = `event: sessionExpiring\ndata: ${JSON.stringify({ serverTime: now, ...limits })}\n\n`;
      return route.fulfill({ contentType: 'text/event-stream', body });
    });
    await page.route('**/auth/session?touch=false', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), ...limits } });
    });
    await page.reload();
    await notice(visit, 'You are about to be signed out');
    await picture(page, 'demo-expiring');
    await page.getByRole('button', { name: 'Stay signed in' }).click();
    await page.waitForFunction(() => document.getElementById('notice')?.textContent === '');
    await visit.status('Signed in');
    await visit.view('Activity');
    await page.locator('.log li', { hasText: 'sessionExtended' }).waitFor();
  }));

  it('says so where there is no gateway in front of it', fresh(async ({ page }) => {
    await page.route('**/auth/sdk/**', (route) => route.fulfill({ status: 404 }));
    await page.goto(`${gateway.url}/`);
    await page.getByRole('heading', { name: 'No gateway in front of this page' }).waitFor();
    await picture(page, 'demo-no-gateway');
  }));

  it('gets no token', () => {
    assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
    assert.deepEqual(wire.leaks(), []);
  });
});

// A person's visit: one fresh browser profile, and the things a person does on
// the demo page and at the user pool.

import assert from 'node:assert/strict';
import { closeProfile, failure } from './browser.mjs';
import { wait } from './until.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./gateway.mjs').Gateway} Gateway */

/** Ready-made users of the emulator. The second is for tests that count sessions. */
export const user = { name: 'alice@example.com', password: 'Passw0rd!' };
export const secondUser = { name: 'bob@example.com', password: user.password };

/** In ms, and there for what never ends: a busy machine must not reach it. */
export const suiteTimeout = 1_200_000;

/** One tab of one visit; the first stands for the visit itself. */
export class Visit {
  /**
   * @param {Page} page
   * @param {Gateway} gateway
   */
  constructor(page, gateway) {
    this.page = page;
    this.gateway = gateway;
    this.context = page.context();
    /** @type {string[]} what the browser objected to */
    this.complaints = [];
    page.on('pageerror', (err) => this.complaints.push(String(err)));
    page.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text())) this.complaints.push(message.text());
    });
  }

  /**
   * Begins a visit in a profile that was never used before.
   * @param {import('playwright-core').Browser} browser
   * @param {Gateway} gateway
   */
  static async start(browser, gateway) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, ignoreHTTPSErrors: true });
    context.setDefaultTimeout(wait);
    return new Visit(await context.newPage(), gateway);
  }

  /** Opens another tab of the same profile. */
  async tab() {
    return new Visit(await this.context.newPage(), this.gateway);
  }

  /**
   * Runs a test, then ends the visit. A failure tells what was on the screen.
   * @param {(visit: Visit) => Promise<void>} test
   */
  async run(test) {
    try {
      await test(this);
      assert.deepEqual(this.complaints, [], 'the browser complains');
    } catch (err) {
      throw await failure(this.page, /** @type {Error} */ (err));
    } finally {
      await closeProfile(this.context);
    }
  }

  async openDemo(state = 'Signed out') {
    await this.page.goto(`${this.gateway.url}/`);
    await this.status(state);
  }

  /** @param {string} text what the page must come to say */
  status(text) {
    return this.page.locator('#status', { hasText: text }).waitFor();
  }

  atHostedPages() {
    return this.page.waitForURL((url) => url.origin === this.gateway.hosted);
  }

  /** Fills in the user pool's sign-in form, once it is there. */
  async fillIn(who = user) {
    await this.atHostedPages();
    await this.page.locator('input[name=username]:visible').fill(who.name);
    await this.page.locator('input[name=password]:visible').fill(who.password);
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  async signIn(who = user) {
    await this.openDemo();
    await this.page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await this.fillIn(who);
    await this.status('Signed in');
  }

  async signOut() {
    await this.page.getByRole('link', { name: 'Sign out' }).click();
    await this.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await this.page.waitForURL(`${this.gateway.url}/`);
    await this.status('Signed out');
  }

  /**
   * Goes to a view of the demo page by its link.
   * @param {string} name
   */
  async view(name) {
    await this.page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
    await this.page.locator('nav [aria-current=page]', { hasText: name }).waitFor();
  }

  /** Calls the API from the demo page and reads what the page shows of it. */
  async callAPI() {
    await this.view('API');
    const answered = this.page.waitForResponse((response) => response.url().endsWith('/api/hello'));
    await this.page.getByRole('button', { name: 'Call the API' }).click();
    const status = (await answered).status();
    await this.page.locator('#api-result', { hasText: new RegExp(`^${status} `) }).waitFor();
    return { status, body: JSON.parse((await this.page.locator('#api-body').textContent()) ?? '') };
  }

  /** How often the tokens were renewed, as the demo page shows it. */
  async generation() {
    await this.view('Session');
    return Number(await this.page.locator('#generation').textContent());
  }

  /** All that a script on the page could get hold of. */
  readable() {
    return this.page.evaluate(() => ({
      local: { ...localStorage },
      session: { ...sessionStorage },
      cookie: document.cookie,
    }));
  }

  /**
   * Collects the addresses that the page goes to from now on.
   * @returns {string[]}
   */
  follow() {
    /** @type {string[]} */
    const hops = [];
    this.page.on('request', (request) => {
      if (request.isNavigationRequest()) hops.push(request.url());
    });
    return hops;
  }
}

/**
 * Presses Tab until the element has the focus.
 * @param {Page} page
 * @param {string} selector
 */
export async function tabTo(page, selector) {
  await page.locator(selector).first().waitFor();
  for (let presses = 0; presses < 30; presses++) {
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${selector} cannot be reached with the Tab key`);
}

/**
 * Does what leaves the page, and waits for the page that it leads to. What the page left
 * would have answered goes with it, or not.
 * @param {import('playwright-core').Page} page
 * @param {() => Promise<unknown>} leaves
 */
export async function leave(page, leaves) {
  const left = page.waitForEvent('domcontentloaded');
  leaves().catch(() => {});
  await left;
}

// The demo's account page, with the emulator's user pool: whatever is changed there holds, in the page and at the next
// sign-in.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { auditFocus } from './audit.mjs';
import { appCode } from './authenticator.mjs';
import { launch, picture } from './browser.mjs';
import { codeFor } from './codes.mjs';
import { startDev } from './gateway.mjs';
import { Visit, secondUser, suiteTimeout, tabTo, user } from './visit.mjs';
import { Wire } from './wire.mjs';

/** @typedef {import('playwright-core').Page} Page */

const carol = { name: 'carol@example.com', password: user.password };
const dave = { name: 'dave@example.com', password: user.password };

describe('the account page', { timeout: suiteTimeout }, () => {
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

  /**
   * Somebody with the account page open.
   * @param {{name: string, password: string}} who
   * @param {(visit: Visit) => Promise<void>} test
   */
  const opened = (who, test) => async () =>
    (await Visit.start(browser, gateway)).run(async (visit) => {
      await visit.signIn(who);
      await visit.view('Account');
      await visit.page.getByRole('heading', { name: 'Signing in' }).waitFor();
      await test(visit);
    });

  /** @param {Page} page @param {string} term */
  const row = (page, term) => page.locator('#view .facts > div', { has: page.locator('dt').getByText(term, { exact: true }) });

  /** @param {Page} page @param {string} name */
  const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

  /**
   * A row's button has done what it is for: that is said, the row shows it, and the focus is in it.
   * @param {Page} page
   * @param {string} term
   * @param {string} said
   * @param {string | RegExp} value
   */
  async function isDone(page, term, said, value) {
    const place = row(page, term);
    await place.locator('.said', { hasText: said }).waitFor();
    await place.locator('.value', { hasText: value }).waitFor();
    await place.locator('button:focus').waitFor();
    assert.equal(await page.locator('#view form').count(), 0);
  }

  /**
   * What was typed is refused, at the field that has the focus now.
   * @param {Page} page
   * @param {string} label
   * @param {string | RegExp} words
   */
  async function isRefused(page, label, words) {
    await page.locator('.fault', { hasText: words }).waitFor();
    const field = page.getByLabel(label, { exact: true });
    assert.deepEqual(
      await field.evaluate((input) => ({
        focus: input === document.activeElement,
        invalid: input.getAttribute('aria-invalid'),
        described: document.getElementById((input.getAttribute('aria-describedby') ?? '').split(' ')[0])?.textContent,
      })),
      { focus: true, invalid: 'true', described: await page.locator('.fault', { hasText: words }).textContent() },
    );
  }

  /**
   * Takes pictures of a state of the view, in which there is one thing to do first at most.
   * @param {Page} page
   * @param {string} name
   */
  async function state(page, name) {
    assert.ok((await page.locator('.primary:visible').count()) <= 1, `several things to do first in ${name}`);
    await picture(page, `account-${name}`);
  }

  /** Another code than that one. @param {string} code */
  const mistyped = (code) => code.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10));

  it('changes a name by keyboard, which every tab shows', opened(user, async (visit) => {
    const { page } = visit;
    const other = await visit.tab();
    await other.openDemo('Signed in');
    await other.view('You');

    await tabTo(page, '[aria-label="Change name"]');
    await page.keyboard.press('Enter');
    await page.locator('input[name=value]:focus').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('[aria-label="Change name"]:focus').waitFor();
    assert.equal(await page.locator('#view form').count(), 0);

    await page.keyboard.press('Enter');
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('Alice Adams');
    await page.keyboard.press('Enter');
    await isDone(page, 'Name', 'Changed.', 'Alice Adams');
    await other.page.locator('.name', { hasText: 'Alice Adams' }).waitFor();

    await press(page, 'Change nickname');
    await page.getByLabel('Nickname', { exact: true }).fill('Ally');
    await press(page, 'Save');
    await isDone(page, 'Nickname', 'Changed.', 'Ally');
    await visit.view('You');
    await page.locator('.name', { hasText: 'Alice Adams' }).waitFor();
  }));

  it('has one form at a time', opened(user, async ({ page }) => {
    await press(page, 'Change name');
    await press(page, 'Change e-mail address');
    assert.equal(await page.locator('#view form').count(), 1);
    await page.locator('input[type=email]:focus').waitFor();
    assert.deepEqual((await auditFocus(page)).faults, []);
    await press(page, 'Cancel');
    await page.locator('[aria-label="Change e-mail address"]:focus').waitFor();
  }));

  it('changes an e-mail address once its code has come back', opened(user, async (visit) => {
    const { page } = visit;
    const address = 'alice.adams@example.com';
    await press(page, 'Change e-mail address');
    await page.getByLabel('E-mail address', { exact: true }).fill(secondUser.name);
    await press(page, 'Save');
    await isRefused(page, 'E-mail address', /already exists/);
    await state(page, 'email');
    await page.getByLabel('E-mail address', { exact: true }).fill(address);
    await press(page, 'Save');

    await page.getByLabel('Code', { exact: true }).waitFor();
    const first = await codeFor(gateway, address);
    await page.getByLabel('Code', { exact: true }).fill(mistyped(first));
    await press(page, 'Verify');
    await isRefused(page, 'Code', 'This is not the code');
    await state(page, 'code');
    await press(page, 'Send another code');
    await page.getByText('Another code is on its way').waitFor();
    await page.getByLabel('Code', { exact: true }).fill(await codeFor(gateway, address));
    await press(page, 'Verify');
    await isDone(page, 'E-mail address', 'Verified.', `${address}, verified`);

    await visit.signOut();
    await visit.signIn({ ...user, name: address });
  }));

  it('verifies an address that is not', opened(dave, async (visit) => {
    const { page } = visit;
    await row(page, 'E-mail address').getByText('not verified').waitFor();
    await press(page, 'Verify e-mail address');
    await page.getByLabel('Code', { exact: true }).waitFor();
    await page.getByLabel('Code', { exact: true }).fill(await codeFor(gateway, dave.name));
    await press(page, 'Verify');
    await isDone(page, 'E-mail address', 'Verified.', `${dave.name}, verified`);
    assert.equal(await page.getByRole('button', { name: 'Verify e-mail address' }).count(), 0);
  }));

  it('changes a password, and the old one is refused at the next sign-in', opened(secondUser, async (visit) => {
    const { page } = visit;
    const changed = { ...secondUser, password: 'Corr3ct-horse!' };
    const change = async (/** @type {string} */ from, /** @type {string} */ to) => {
      await page.getByLabel('Current password').fill(from);
      await page.getByLabel('New password').fill(to);
      await page.locator('#view form').getByRole('button', { name: 'Change password' }).click();
    };
    await press(page, 'Change password');
    await change('Wr0ng-password!', changed.password);
    await isRefused(page, 'Current password', 'not your current password');
    await change(secondUser.password, 'lowercase');
    await isRefused(page, 'New password', /did not conform with policy/);
    await state(page, 'password');
    await change(secondUser.password, changed.password);
    await isDone(page, 'Password', 'Changed.', '');

    await visit.signOut();
    await press(page, 'Sign in');
    await visit.fillIn(secondUser);
    await page.getByText('Incorrect username or password').waitFor();
    await visit.fillIn(changed);
    await visit.status('Signed in');
  }));

  it('sets up an authenticator app, whose code is asked for at the next sign-in', opened(carol, async (visit) => {
    const { page } = visit;
    await press(page, 'Set up an authenticator app');
    const shown = (await page.locator('#app-key code').textContent()) ?? '';
    const secret = shown.replaceAll(' ', '');
    // The app's next code: the user pool takes it a step early and a step late, which is a minute at least to type it in.
    const code = () => appCode(secret, 1);
    const link = new URL((await page.getByRole('link', { name: 'Add it to an app' }).getAttribute('href')) ?? '');
    assert.equal(link.protocol, 'otpauth:');
    assert.equal(link.searchParams.get('secret'), secret);
    const field = page.getByLabel('Code that the app shows then');
    await field.fill(appCode(secret, 1000));
    await press(page, 'Switch on');
    await isRefused(page, 'Code that the app shows then', 'not the code that the app shows now');
    await state(page, 'app');
    await field.fill(code().replace(/^.../, '$& '));
    await press(page, 'Switch on');
    await isDone(page, 'Authenticator app', 'Switched on.', 'On:');

    await visit.signOut();
    await press(page, 'Sign in');
    await visit.fillIn(carol);
    await page.getByLabel('Code').fill(code());
    await press(page, 'Sign in');
    await visit.status('Signed in');
    await visit.view('Account');
    await press(page, 'Switch off the authenticator app');
    await isDone(page, 'Authenticator app', 'Switched off.', 'Off');
  }));

  it('adds passkeys, lists them, and deletes them', opened(carol, async (visit) => {
    const { page } = visit;
    const devtools = await visit.context.newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    const device = /** @type {const} */ ({
      protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
    });
    await devtools.send('WebAuthn.addVirtualAuthenticator', { options: device });
    const passkeys = row(page, 'Passkeys').locator('li');
    await press(page, 'Add a passkey');
    await isDone(page, 'Passkeys', 'Added.', /added today/);
    assert.equal(await passkeys.count(), 1);
    await press(page, 'Add a passkey');
    await row(page, 'Passkeys').locator('.failed', { hasText: 'has a passkey for you already' }).waitFor();
    await state(page, 'passkeys');
    await page.reload();
    await passkeys.getByRole('button').click();
    await isDone(page, 'Passkeys', 'Deleted.', 'None');
  }));

  /** Signs in as somebody whom Google knows, and opens the account page. @param {Visit} visit */
  async function signInWithGoogle(visit) {
    await visit.openDemo();
    await press(visit.page, 'Continue with Google');
    await visit.page.getByRole('button', { name: /Gina/ }).click();
    await visit.status('Signed in');
    await visit.view('Account');
  }

  it('says with whom somebody signs in elsewhere, and has no password for them', async () => {
    await (await Visit.start(browser, gateway)).run(async (visit) => {
      await signInWithGoogle(visit);
      await row(visit.page, 'With').getByText('Google').waitFor();
      assert.equal(await row(visit.page, 'Password').count(), 0);
      await state(visit.page, 'google');
    });
  });

  it('keeps what was typed while nobody answers', opened(carol, async ({ page }) => {
    await press(page, 'Change name');
    await page.getByLabel('Name', { exact: true }).fill('Al');
    await page.route('**/auth/**', (route) => route.abort());
    await press(page, 'Save');
    await page.locator('#view form .failed', { hasText: 'cannot be reached' }).waitFor();
    await state(page, 'outage');
    await page.unroute('**/auth/**');
    await press(page, 'Save');
    await isDone(page, 'Name', 'Changed.', 'Al');
  }));

  it('deletes the account when asked twice, and signs out everywhere', opened(dave, async (visit) => {
    const { page } = visit;
    const other = await visit.tab();
    await other.openDemo('Signed in');
    await press(page, 'Delete your account');
    await page.getByText('This cannot be taken back').waitFor();
    await state(page, 'leave');
    await press(page, 'Cancel');
    await page.locator('[aria-label="Delete your account"]:focus').waitFor();
    await visit.status('Signed in');

    await press(page, 'Delete your account');
    await page.locator('#view form').getByRole('button', { name: 'Delete your account' }).click();
    await page.locator('#notice', { hasText: 'Your account is deleted.' }).waitFor();
    await visit.status('Signed out');
    await other.status('Signed out');

    await press(page, 'Sign in');
    await visit.fillIn(dave);
    await page.getByText('Incorrect username or password').waitFor();
  }));

  it('gets no token', () => {
    assert.ok(wire.answers.some(({ url }) => url.endsWith('/auth/amplify/idp/')), 'the scan saw no operation');
    assert.deepEqual(wire.leaks(), []);
  });

  /**
   * Somebody with the account page of another gateway open.
   * @param {string} config what the file of that says
   * @param {(visit: Visit) => Promise<void>} test
   */
  const openedWith = (config, test) => async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
    const file = join(dir, 'gatehouse.yaml');
    await writeFile(file, config);
    const other = await startDev(['--config', file]);
    try {
      await (await Visit.start(browser, other)).run(async (visit) => {
        await visit.signIn();
        await visit.view('Account');
        await test(visit);
      });
    } finally {
      await other.stop();
      await rm(dir, { recursive: true });
    }
  };

  it('shows the attributes where the gateway passes nothing on', openedWith('amplify: {enabled: false}', async ({ page }) => {
    await page.getByText('lacks amplify.enabled').waitFor();
    await row(page, 'E-mail address').getByText(user.name).waitFor();
    assert.equal(await page.locator('#view button:visible').count(), 0);
    await state(page, 'off');
  }));

  it('and so for who signs in elsewhere', openedWith('amplify: {enabled: false}', async (visit) => {
    await visit.signOut();
    await signInWithGoogle(visit);
    await visit.page.getByText('lacks amplify.enabled').waitFor();
    assert.equal(await visit.page.locator('#view button:visible').count(), 0);
  }));

  it('says so where the gateway takes no password', openedWith('amplify: {password_sign_in: false}', async ({ page }) => {
    await press(page, 'Change password');
    await page.getByLabel('Current password').fill(user.password);
    await page.getByLabel('New password').fill('Corr3ct-horse!');
    await page.locator('#view form').getByRole('button', { name: 'Change password' }).click();
    await page.locator('#view form .failed', { hasText: 'lacks amplify.password_sign_in' }).waitFor();
  }));
});

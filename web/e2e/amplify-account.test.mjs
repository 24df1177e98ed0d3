// Amplify's functions for the user's own account, in each of its versions: what they do at the user pool, through the gateway.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ownSamples } from './amplify/guide.mjs';
import { buildPages, call, show, told, versions } from './amplify/pages.mjs';
import { sendAppCode } from './authenticator.mjs';
import { launch } from './browser.mjs';
import { codeFor } from './codes.mjs';
import { freePorts, startServe } from './gateway.mjs';
import { until } from './until.mjs';
import { Visit, suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

const password = 'Passw0rd!';
const samples = await ownSamples();
/** One without logins by redirect, which take https. */
const sample = samples.find(({ text }) => text.includes('setKeyValueStorage'));

/** @param {string} version */
const userOf = (version) => `${version}@example.com`;

describe("aws-amplify's functions for the account", { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {Awaited<ReturnType<typeof startServe>>} */
  let gateway;
  /** @type {Awaited<ReturnType<typeof buildPages>>} */
  let pages;
  let dir = '';

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
    pages = await buildPages(samples);
    const ports = await freePorts();
    const own = `http://localhost:${ports.gateway}/auth`;
    const seed = join(dir, 'seed.yaml');
    await writeFile(seed, JSON.stringify({
      pool_id: 'eu-west-1_GatehouseDev',
      clients: [{ id: 'gatehouse-dev', callback_urls: [`${own}/callback`], logout_urls: [`${own}/signed-out`] }],
      users: versions.map((version) => ({ email: userOf(version), password, name: 'Frida Fox', attributes: { nickname: 'Fri' } })),
      devices: 'always',
      relying_party_id: 'localhost',
    }));
    gateway = await startServe({
      session: { store: 'memory:' },
      amplify: { enabled: true, password_sign_in: true },
      routes: [{ path: '/', static: pages.dir, auth: 'none' }],
    }, { ports, pool: ['--seed', seed] });
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
    await pages?.remove();
    await rm(dir, { recursive: true });
  });

  for (const version of versions) {
    it(version, async () => {
      const visit = await Visit.start(browser, gateway);
      await visit.context.addInitScript(show(version, sample));
      await visit.run(async ({ page }) => {
        await page.goto(`${gateway.url}/auth/login`);
        await visit.fillIn({ name: userOf(version), password });
        await page.waitForFunction(() => 'auth' in window);
        await attributes(page, version);
        await passwordAndFactors(page);
        await devices(page);
        if (version !== '6.0.30') await passkeys(page);
        await deletion(page);
      });
    });
  }

  it('shows no token', () => assert.deepEqual(wire.leaks(), []));

  /** @param {Page} page @param {string} version */
  async function attributes(page, version) {
    const email = userOf(version);
    assert.equal((await call(page, 'fetchUserAttributes')).email, email);
    const { name } = await call(page, 'updateUserAttributes', { userAttributes: { name: 'Frida Fuchs' } });
    assert.equal(name.isUpdated, true);
    await until(async () => (await claims(page)).name === 'Frida Fuchs', 'the claims are as they were');
    const next = `new-${email}`;
    const { nextStep } = await call(page, 'updateUserAttribute', { userAttribute: { attributeKey: 'email', value: next } });
    assert.equal(nextStep.updateAttributeStep, 'CONFIRM_ATTRIBUTE_WITH_CODE');
    assert.deepEqual(
      await call(page, 'confirmUserAttribute', { userAttributeKey: 'email', confirmationCode: '000000' }),
      { error: 'CodeMismatchException' },
    );
    await call(page, 'confirmUserAttribute', { userAttributeKey: 'email', confirmationCode: await codeFor(gateway, next) });
    assert.equal((await call(page, 'fetchUserAttributes')).email, next);
    await until(async () => (await claims(page)).email === next, 'the claims are as they were');
    const { deliveryMedium } = await call(page, 'sendUserAttributeVerificationCode', { userAttributeKey: 'email' });
    assert.equal(deliveryMedium, 'EMAIL');
    await call(page, 'confirmUserAttribute', { userAttributeKey: 'email', confirmationCode: await codeFor(gateway, next) });
    await call(page, 'deleteUserAttributes', { userAttributeKeys: ['nickname'] });
    assert.equal((await call(page, 'fetchUserAttributes')).nickname, undefined);
  }

  /** @param {Page} page */
  async function passwordAndFactors(page) {
    const wrong = { oldPassword: 'Wr0ng-one!', newPassword: 'An0ther-one!' };
    assert.deepEqual(await call(page, 'updatePassword', wrong), { error: 'NotAuthorizedException' });
    assert.equal(await call(page, 'updatePassword', { ...wrong, oldPassword: password }), undefined);
    assert.equal((await call(page, 'fetchMFAPreference')).preferred, undefined);
    const { sharedSecret } = await call(page, 'setUpTOTP');
    assert.equal(await sendAppCode(sharedSecret, async (code) => (await call(page, 'verifyTOTPSetup', { code }))?.error), undefined);
    assert.equal(await call(page, 'updateMFAPreference', { totp: 'PREFERRED' }), undefined);
    assert.equal((await call(page, 'fetchMFAPreference')).preferred, 'TOTP');
  }

  /** @param {Page} page */
  async function devices(page) {
    const known = await call(page, 'fetchDevices');
    assert.equal(known.length, 1);
    assert.equal(await call(page, 'rememberDevice'), undefined);
    assert.equal(await call(page, 'forgetDevice'), undefined);
    assert.deepEqual(await call(page, 'fetchDevices'), []);
    assert.deepEqual(await call(page, 'forgetDevice', { device: { id: known[0].id } }), { error: 'ResourceNotFoundException' });
  }

  /** @param {Page} page */
  async function passkeys(page) {
    const chromium = await page.context().newCDPSession(page);
    await chromium.send('WebAuthn.enable');
    await chromium.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    assert.equal(await call(page, 'associateWebAuthnCredential'), undefined);
    const { credentials } = await call(page, 'listWebAuthnCredentials');
    assert.equal(credentials.length, 1);
    assert.equal(await call(page, 'deleteWebAuthnCredential', { credentialId: credentials[0].credentialId }), undefined);
    assert.deepEqual((await call(page, 'listWebAuthnCredentials')).credentials, []);
  }

  /** @param {Page} page */
  async function deletion(page) {
    assert.ok(await call(page, 'getCurrentUser'));
    await call(page, 'deleteUser');
    assert.deepEqual(await call(page, 'getCurrentUser'), { error: 'UserUnAuthenticatedException' });
    assert.ok((await told(page)).includes('signedOut'));
  }
});

/** @typedef {import('playwright-core').Page} Page */

/** @param {Page} page */
const claims = async (page) => (await call(page, 'fetchAuthSession')).tokens.idToken.payload;

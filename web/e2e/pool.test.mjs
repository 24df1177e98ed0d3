// The emulator without the gateway: a page on the real aws-amplify that calls the user pool itself, in real Chromium. What
// passes here is close enough to Amazon Cognito for Amplify: its own proof of passwords, its codes and its passkeys.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { appCode, sendAppCode } from './authenticator.mjs';
import { launch } from './browser.mjs';
import { codeFor } from './codes.mjs';
import { startPool } from './gateway.mjs';
import { serve } from './upstream.mjs';
import { suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

const amplify = fileURLToPath(new URL('../amplify/test/', import.meta.url));
const { build } = createRequire(amplify)('esbuild');

const password = 'Passw0rd!';
const secret = 'JBSWY3DPEHPK3PXP';
const seed = {
  pool_id: 'eu-west-1_Amplify',
  devices: 'opt_in',
  clients: [{ id: 'page', callback_urls: ['http://localhost:8080/'], password_auth: true }],
  users: [
    { email: 'alice@example.com', password, name: 'Alice Archer' },
    { email: 'bob@example.com', password, temporary_password: true },
    { email: 'tom@example.com', password, totp_secret: secret },
  ],
};

/** What a page is made of. @param {string} endpoint */
const app = (endpoint) => `
  import { Amplify } from 'aws-amplify';
  import * as auth from 'aws-amplify/auth';
  Amplify.configure({ Auth: { Cognito: { userPoolId: '${seed.pool_id}', userPoolClientId: 'page', userPoolEndpoint: '${endpoint}' } } });
  globalThis.auth = auth;
`;

describe('aws-amplify at the emulator', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** @type {Awaited<ReturnType<typeof startPool>>} */
  let pool;
  /** @type {import('./upstream.mjs').Upstream} */
  let site;
  /** @type {import('playwright-core').Browser} */
  let browser;
  /** @type {import('playwright-core').Page} */
  let page;

  before(async () => {
    pool = await startPool(seed);
    const { outputFiles } = await build({
      stdin: { contents: app(pool.api), resolveDir: amplify },
      alias: { 'aws-amplify': `${amplify}node_modules/amplify-newest` },
      bundle: true,
      write: false,
      logLevel: 'silent',
    });
    site = await serve((_, response) => {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(`<!doctype html><title>Amplify</title><script>${outputFiles[0].text.replaceAll('</script', '<\\/script')}</script>`);
    });
    browser = await launch(await wire.start());
    page = await (await browser.newContext()).newPage();
    await page.goto(site.url.replace('127.0.0.1', 'localhost')); // passkeys are for names
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    site?.stop();
    await pool?.stop();
  });

  /**
   * Calls a function of aws-amplify/auth in the page. An error comes back as its name and message.
   * @param {string} name
   * @param {object} [input]
   * @returns {Promise<any>}
   */
  function call(name, input) {
    return page.evaluate(
      async ({ name, input }) => {
        try {
          const output = await /** @type {any} */ (globalThis).auth[name](input);
          return output && JSON.parse(JSON.stringify(output));
        } catch (err) {
          return `${/** @type {Error} */ (err).name}: ${/** @type {Error} */ (err).message}`;
        }
      },
      { name, input },
    );
  }

  const confirm = (/** @type {string} */ challengeResponse) => call('confirmSignIn', { challengeResponse });

  const done = { isSignedIn: true, nextStep: { signInStep: 'DONE' } };

  it('signs in by SRP, and refuses a wrong password', async () => {
    assert.equal(await call('signIn', { username: 'alice@example.com', password: 'wrong' }), 'NotAuthorizedException: Incorrect username or password.');
    assert.deepEqual(await call('signIn', { username: 'alice@example.com', password }), done);
    assert.equal((await call('getCurrentUser')).signInDetails.authFlowType, 'USER_SRP_AUTH');
  });

  it('reads and writes attributes, and verifies a new address', async () => {
    const updated = await call('updateUserAttributes', { userAttributes: { nickname: 'Ali', email: 'alex@example.com' } });
    assert.equal(updated.nickname.isUpdated, true);
    assert.equal(updated.email.nextStep.updateAttributeStep, 'CONFIRM_ATTRIBUTE_WITH_CODE');
    await call('sendUserAttributeVerificationCode', { userAttributeKey: 'email' });
    await call('confirmUserAttribute', { userAttributeKey: 'email', confirmationCode: await codeFor(pool, 'alex@example.com') });
    const { sub, ...attributes } = await call('fetchUserAttributes');
    assert.ok(sub);
    assert.deepEqual(attributes, { email: 'alex@example.com', email_verified: 'true', name: 'Alice Archer', nickname: 'Ali' });
    await call('deleteUserAttributes', { userAttributeKeys: ['nickname'] });
    assert.equal((await call('fetchUserAttributes')).nickname, undefined);
    assert.match(await call('updateUserAttribute', { userAttribute: { attributeKey: 'email_verified', value: 'true' } }), /^NotAuthorizedException/);
  });

  it('changes the password', async () => {
    assert.match(await call('updatePassword', { oldPassword: password, newPassword: 'sesame' }), /^InvalidPasswordException/);
    assert.match(await call('updatePassword', { oldPassword: 'wrong', newPassword: 'Sesame-12' }), /^NotAuthorizedException/);
    assert.equal(await call('updatePassword', { oldPassword: password, newPassword: 'Sesame-12' }), undefined);
  });

  it('remembers and forgets this device', async () => {
    const state = async () => (await call('fetchDevices')).map((/** @type {any} */ d) => d.attributes['dev:device_remembered_status']);
    assert.deepEqual(await state(), ['not_remembered']);
    await call('rememberDevice');
    assert.deepEqual(await state(), ['remembered']);
    await call('forgetDevice');
    assert.deepEqual(await state(), []);
  });

  it('registers, lists and deletes a passkey', async () => {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    assert.equal(await call('associateWebAuthnCredential'), undefined);
    const { credentials } = await call('listWebAuthnCredentials');
    assert.equal(credentials.length, 1);
    assert.equal(credentials[0].relyingPartyId, 'localhost');
    assert.equal(await call('deleteWebAuthnCredential', { credentialId: credentials[0].credentialId }), undefined);
    assert.deepEqual((await call('listWebAuthnCredentials')).credentials, []);
  });

  it('sets up an authenticator app, and signs in with its code', async () => {
    const { sharedSecret } = await call('setUpTOTP');
    assert.equal(await sendAppCode(sharedSecret, (code) => call('verifyTOTPSetup', { code })), undefined);
    assert.equal(await call('updateMFAPreference', { totp: 'PREFERRED', sms: 'DISABLED' }), undefined);
    assert.deepEqual(await call('fetchMFAPreference'), { enabled: ['TOTP'], preferred: 'TOTP' });
    await call('signOut', { global: true });
    const asked = await call('signIn', { username: 'alex@example.com', password: 'Sesame-12' });
    assert.equal(asked.nextStep.signInStep, 'CONFIRM_SIGN_IN_WITH_TOTP_CODE');
    assert.deepEqual(await sendAppCode(sharedSecret, confirm), done);
    await call('signOut');
  });

  it('signs in by password and code, corrects a mistyped one, and deletes the account', async () => {
    const options = { authFlowType: 'USER_PASSWORD_AUTH' };
    const asked = await call('signIn', { username: 'tom@example.com', password, options });
    assert.equal(asked.nextStep.signInStep, 'CONFIRM_SIGN_IN_WITH_TOTP_CODE');
    const far = appCode(secret, 1000); // six digits, but not of this time
    assert.equal(await confirm(far), 'CodeMismatchException: Invalid code received for user');
    assert.deepEqual(await sendAppCode(secret, confirm), done);
    assert.equal(await call('deleteUser'), undefined);
    assert.match(await call('signIn', { username: 'tom@example.com', password }), /^NotAuthorizedException/);
  });

  it('has a temporary password replaced', async () => {
    const asked = await call('signIn', { username: 'bob@example.com', password });
    assert.equal(asked.nextStep.signInStep, 'CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED');
    assert.deepEqual(await call('confirmSignIn', { challengeResponse: 'Sesame-12' }), done);
    await call('signOut');
  });

  it('signs up, confirms and signs in by itself', async () => {
    const username = 'zoe@example.com';
    const options = { userAttributes: { email: username }, autoSignIn: true };
    assert.equal((await call('signUp', { username, password: 'Sesame-12', options })).nextStep.signUpStep, 'CONFIRM_SIGN_UP');
    await call('resendSignUpCode', { username });
    const confirmed = await call('confirmSignUp', { username, confirmationCode: await codeFor(pool, username) });
    assert.equal(confirmed.nextStep.signUpStep, 'COMPLETE_AUTO_SIGN_IN');
    assert.deepEqual(await call('autoSignIn'), done);
    await call('signOut');
  });

  it('sets a new password in place of a forgotten one', async () => {
    const username = 'zoe@example.com';
    assert.equal((await call('resetPassword', { username })).nextStep.resetPasswordStep, 'CONFIRM_RESET_PASSWORD_WITH_CODE');
    assert.equal(await call('confirmResetPassword', { username, newPassword: 'Sesame-13', confirmationCode: await codeFor(pool, username) }), undefined);
    assert.deepEqual(await call('signIn', { username, password: 'Sesame-13' }), done);
  });
});

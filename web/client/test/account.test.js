// Account functions: which operation of the user pool each of them is, what it sends, and what it makes of the answer.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Browser, alice, own, problem, settled, signedOut } from './browser.js';

/** @typedef {import('./browser.js').Client} Client */

const atWhich = { AttributeName: 'email', DeliveryMedium: 'EMAIL', Destination: 'a***@e***' };
const delivery = { attributeName: 'email', deliveryMedium: 'EMAIL', destination: 'a***@e***' };
const done = { isUpdated: true, nextStep: { updateAttributeStep: 'DONE' } };
const toConfirm = { isUpdated: false, nextStep: { updateAttributeStep: 'CONFIRM_ATTRIBUTE_WITH_CODE', codeDeliveryDetails: delivery } };
const created = { at: new Date('2026-01-02T03:04:05Z'), seconds: 1767323045 };

/**
 * What is called, the operation, its body, what the user pool answers, what comes of it.
 * @type {[string, (client: Client) => Promise<unknown>, string, object, object, unknown][]}
 */
const functions = [
  ['updateUserAttributes', (c) => c.updateUserAttributes({ userAttributes: { name: 'A', email: 'b@example.com' }, options: { clientMetadata: { a: 'b' } } }),
    'UpdateUserAttributes', { UserAttributes: [{ Name: 'name', Value: 'A' }, { Name: 'email', Value: 'b@example.com' }], ClientMetadata: { a: 'b' } },
    { CodeDeliveryDetailsList: [atWhich] }, { name: done, email: toConfirm }],
  ['updateUserAttribute', (c) => c.updateUserAttribute({ userAttribute: { attributeKey: 'name', value: 'A' } }),
    'UpdateUserAttributes', { UserAttributes: [{ Name: 'name', Value: 'A' }] }, {}, done],
  ['deleteUserAttributes', (c) => c.deleteUserAttributes({ userAttributeKeys: ['name', 'custom:team'] }),
    'DeleteUserAttributes', { UserAttributeNames: ['name', 'custom:team'] }, {}, undefined],
  ['sendUserAttributeVerificationCode', (c) => c.sendUserAttributeVerificationCode({ userAttributeKey: 'email' }),
    'GetUserAttributeVerificationCode', { AttributeName: 'email' }, { CodeDeliveryDetails: atWhich }, delivery],
  ['confirmUserAttribute', (c) => c.confirmUserAttribute({ userAttributeKey: 'email', confirmationCode: '123456' }),
    'VerifyUserAttribute', { AttributeName: 'email', Code: '123456' }, {}, undefined],
  ['updatePassword', (c) => c.updatePassword({ oldPassword: 'old', newPassword: 'new' }),
    'ChangePassword', { PreviousPassword: 'old', ProposedPassword: 'new' }, {}, undefined],
  ['fetchMFAPreference', (c) => c.fetchMFAPreference(), 'GetUser', {},
    { UserMFASettingList: ['SMS_MFA', 'SOFTWARE_TOKEN_MFA', 'EMAIL_OTP'], PreferredMfaSetting: 'SOFTWARE_TOKEN_MFA' },
    { enabled: ['SMS', 'TOTP', 'EMAIL'], preferred: 'TOTP' }],
  ['fetchMFAPreference of a user without', (c) => c.fetchMFAPreference(), 'GetUser', {}, {}, { enabled: undefined, preferred: undefined }],
  ['updateMFAPreference', (c) => c.updateMFAPreference({ totp: 'PREFERRED', email: 'NOT_PREFERRED', sms: 'DISABLED' }), 'SetUserMFAPreference',
    { SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true }, EmailMfaSettings: { Enabled: true, PreferredMfa: false }, SMSMfaSettings: { Enabled: false } },
    {}, undefined],
  ['updateMFAPreference of one factor', (c) => c.updateMFAPreference({ totp: 'ENABLED' }), 'SetUserMFAPreference',
    { SoftwareTokenMfaSettings: { Enabled: true } }, {}, undefined],
  ['verifyTOTPSetup', (c) => c.verifyTOTPSetup({ code: '123456', options: { friendlyDeviceName: 'phone' } }),
    'VerifySoftwareToken', { UserCode: '123456', FriendlyDeviceName: 'phone' }, { Status: 'SUCCESS' }, undefined],
  ['fetchDevices', (c) => c.fetchDevices(), 'ListDevices', { Limit: 60 },
    { Devices: [{ DeviceKey: 'D1', DeviceAttributes: [{ Name: 'device_name', Value: 'Laptop' }], DeviceCreateDate: created.seconds }] },
    [{ id: 'D1', name: 'Laptop', attributes: { device_name: 'Laptop' }, createDate: created.at, lastModifiedDate: undefined, lastAuthenticatedDate: undefined }]],
  ['rememberDevice', (c) => c.rememberDevice(), 'UpdateDeviceStatus', { DeviceKey: 'D0', DeviceRememberedStatus: 'remembered' }, {}, undefined],
  ['forgetDevice', (c) => c.forgetDevice(), 'ForgetDevice', { DeviceKey: 'D0' }, {}, undefined],
  ['forgetDevice of another', (c) => c.forgetDevice({ device: { id: 'D1' } }), 'ForgetDevice', { DeviceKey: 'D1' }, {}, undefined],
  ['listWebAuthnCredentials', (c) => c.listWebAuthnCredentials({ pageSize: 3, nextToken: 'N1' }), 'ListWebAuthnCredentials', { MaxResults: 3, NextToken: 'N1' },
    { Credentials: [{ CredentialId: 'C1', FriendlyCredentialName: 'Key', RelyingPartyId: 'example.com', AuthenticatorTransports: ['usb'], CreatedAt: created.seconds }], NextToken: 'N2' },
    { credentials: [{ credentialId: 'C1', friendlyCredentialName: 'Key', relyingPartyId: 'example.com', authenticatorAttachment: undefined, authenticatorTransports: ['usb'], createdAt: created.at }], nextToken: 'N2' }],
  ['deleteWebAuthnCredential', (c) => c.deleteWebAuthnCredential({ credentialId: 'C1' }), 'DeleteWebAuthnCredential', { CredentialId: 'C1' }, {}, undefined],
  ['deleteUser', (c) => c.deleteUser(), 'DeleteUser', {}, {}, undefined],
];

/** A page of Alice's, signed in on a device. @param {(operation: string) => Response | Promise<Response>} answer to operations */
async function signedIn(answer) {
  const browser = new Browser();
  browser.gateway = ({ path, headers }) =>
    path === '/auth/amplify/idp/' ? answer(headers.get('X-Amz-Target') ?? '') : own(alice({ tokens: { ...alice().tokens, accessToken: { payload: { device_key: 'D0' } } } }));
  const tab = browser.open();
  tab.listen();
  await settled();
  return { browser, tab };
}

/** As the user pool refuses. @param {string} name @param {ResponseInit} [init] */
const refused = (name, init = { status: 400 }) => own({ __type: name, message: `It says ${name}.` }, init);

for (const [what, call, operation, body, answer, expected] of functions) {
  test(what, async () => {
    const { browser, tab } = await signedIn(() => own(answer));
    assert.deepEqual(await call(tab.client), expected);
    const sent = browser.requests.filter(({ path }) => path === '/auth/amplify/idp/');
    assert.equal(sent.length, 1);
    const [{ method, headers, body: text, credentials }] = /** @type {[import('./browser.js').Sent]} */ (sent);
    assert.deepEqual([method, credentials, headers.get('X-CSRF')], ['POST', 'include', '1']);
    assert.equal(headers.get('Content-Type'), 'application/x-amz-json-1.1');
    assert.equal(headers.get('X-Amz-Target'), `AWSCognitoIdentityProviderService.${operation}`);
    assert.deepEqual(JSON.parse(text), body);
  });
}

test('setUpTOTP gives the secret, and the address for an app, whatever its name holds', async () => {
  const { tab } = await signedIn(() => own({ SecretCode: 'ABC234' }));
  const { sharedSecret, getSetupUri } = await tab.client.setUpTOTP();
  assert.equal(sharedSecret, 'ABC234');
  assert.equal(getSetupUri('Shop').href, 'otpauth://totp/Shop:alice?secret=ABC234&issuer=Shop');
  assert.equal(getSetupUri('A & B', 'a b@example.com').href, 'otpauth://totp/A%20%26%20B:a%20b%40example.com?secret=ABC234&issuer=A%20%26%20B');
});

describe('what changes the attributes has the session asked for anew', () => {
  for (const [what, call] of functions.filter(([name]) => /^(update|delete|confirm)UserAttribute/.test(name))) {
    test(what, async () => {
      const { browser, tab } = await signedIn(() => own({}));
      await call(tab.client);
      const before = browser.paths.length;
      await tab.client.getCurrentUser();
      assert.deepEqual(browser.paths.slice(before), ['/auth/session']);
    });
  }
});

test('deleteUser signs out every tab', async () => {
  const { browser, tab } = await signedIn(() => own({}));
  const other = browser.open();
  other.listen();
  await settled();
  browser.gateway = ({ path }) => own(path === '/auth/amplify/idp/' ? {} : signedOut);
  await tab.client.deleteUser();
  await settled();
  assert.deepEqual(tab.events, [['signedOut', { reason: 'global' }]]);
  assert.deepEqual(other.events, [['signedOut', { reason: 'global' }]]);
});

describe('errors', () => {
  test('the user pool refuses: its own name, and nobody is signed out', async () => {
    const { tab } = await signedIn(() => refused('CodeMismatchException'));
    const expected = { name: 'CodeMismatchException', message: 'It says CodeMismatchException.', status: 400 };
    await assert.rejects(tab.client.confirmUserAttribute({ userAttributeKey: 'email', confirmationCode: '1' }), expected);
    await settled();
    assert.deepEqual(tab.told, []);
  });

  test('it is refused because the session is over: everybody is told', async () => {
    const { browser, tab } = await signedIn(() => refused('NotAuthorizedException'));
    const { gateway } = browser;
    browser.gateway = (sent) => (sent.path === '/auth/amplify/idp/' ? gateway(sent) : own(signedOut));
    await assert.rejects(tab.client.fetchDevices(), { name: 'NotAuthorizedException' });
    await settled();
    assert.deepEqual(tab.told, ['signedOut']);
  });

  test('nobody is signed in: nothing is sent', async () => {
    const browser = new Browser();
    const { client } = browser.open();
    await assert.rejects(client.fetchDevices(), { name: 'UserUnAuthenticatedException' });
    await assert.rejects(client.rememberDevice(), { name: 'UserUnAuthenticatedException' });
    assert.deepEqual(browser.paths, ['/auth/session', '/auth/session']);
  });

  test('the gateway has it switched off', async () => {
    const { tab } = await signedIn(() => problem(404, 'not_enabled'));
    await assert.rejects(tab.client.fetchDevices(), { name: 'NotEnabledException', status: 404 });
  });

  test('no network, a proxy, an API: never signed out', async () => {
    /** @type {() => Promise<Response>} */
    let answer = () => Promise.reject(new TypeError('Failed to fetch'));
    const { tab } = await signedIn(() => answer());
    await assert.rejects(tab.client.fetchDevices(), { name: 'NetworkError' });
    answer = async () => new Response('<!doctype html>', { status: 502 });
    await assert.rejects(tab.client.fetchDevices(), { name: 'NetworkError', status: 502 });
    answer = async () => Response.json({ __type: 'NotAuthorizedException' }, { status: 400 });
    await assert.rejects(tab.client.fetchDevices(), { name: 'UnexpectedResponseException' });
    await settled();
    assert.deepEqual(tab.told, []);
  });

  test('the gateway cannot answer now: it is called again when it says', async () => {
    const answers = [problem(503, 'store_unavailable', { 'Retry-After': '2' }), own({ Devices: [] })];
    const { browser, tab } = await signedIn(() => /** @type {Response} */ (answers.shift()));
    const devices = tab.client.fetchDevices();
    await browser.pass(2000);
    assert.deepEqual(await devices, []);
  });

  test('a session of no known device', async () => {
    const browser = new Browser();
    browser.gateway = () => own(alice());
    const { client } = browser.open();
    await assert.rejects(client.rememberDevice(), { name: 'DeviceMetadataNotFoundException' });
  });

  test('a browser that makes no passkeys: nothing is sent', async () => {
    const { browser, tab } = await signedIn(() => own({}));
    await assert.rejects(tab.client.associateWebAuthnCredential(), { name: 'PasskeyNotSupported' });
    assert.ok(!browser.paths.includes('POST /auth/amplify/idp/'));
  });
});

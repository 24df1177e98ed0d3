// What users do with their own account: attributes, password, second factors, devices, passkeys. They are operations of the
// user pool's API, which the gateway passes on with its own tokens where its configuration says `amplify.enabled`. What the
// user pool refuses is thrown by the user pool's own name, such as CodeMismatchException.

import { at, settings } from './configure.js';
import { AuthError } from './errors.js';
import { check, current, forget, learn, notSignedIn } from './session.js';
import { isOwn, noJSON, send, toError } from './wire.js';

/** @typedef {{attributeName?: string, deliveryMedium?: 'EMAIL' | 'SMS' | 'PHONE' | 'UNKNOWN', destination?: string}} CodeDelivery */
/**
 * @typedef {object} UpdatedAttribute
 * @property {boolean} isUpdated false: it changes once confirmUserAttribute is given the code
 * @property {{updateAttributeStep: 'CONFIRM_ATTRIBUTE_WITH_CODE' | 'DONE', codeDeliveryDetails?: CodeDelivery}} nextStep
 */
/** @typedef {{clientMetadata?: Record<string, string>}} Options clientMetadata is for the user pool's triggers */
/** @typedef {'SMS' | 'TOTP' | 'EMAIL'} Factor */
/** @typedef {'ENABLED' | 'DISABLED' | 'PREFERRED' | 'NOT_PREFERRED'} Preference */
/**
 * @typedef {object} Device
 * @property {string} id
 * @property {string} [name]
 * @property {Record<string, string>} attributes
 * @property {Date} [createDate]
 * @property {Date} [lastModifiedDate]
 * @property {Date} [lastAuthenticatedDate]
 */
/**
 * @typedef {object} Passkey
 * @property {string | undefined} credentialId
 * @property {string | undefined} friendlyCredentialName
 * @property {string | undefined} relyingPartyId
 * @property {string | undefined} [authenticatorAttachment]
 * @property {string[] | undefined} authenticatorTransports
 * @property {Date | undefined} createdAt
 */

/**
 * @param {{userAttributes: Partial<Record<string, string>>, options?: Options}} input
 * @returns {Promise<Record<string, UpdatedAttribute>>} by attribute
 */
export async function updateUserAttributes({ userAttributes, options }) {
  const { CodeDeliveryDetailsList = [] } = await operation('UpdateUserAttributes', {
    UserAttributes: Object.entries(userAttributes).map(([Name, Value]) => ({ Name, Value })),
    ClientMetadata: options?.clientMetadata,
  });
  forget();
  /** @type {Record<string, UpdatedAttribute>} */
  const updated = {};
  for (const name of Object.keys(userAttributes)) updated[name] = { isUpdated: true, nextStep: { updateAttributeStep: 'DONE' } };
  for (const details of CodeDeliveryDetailsList) {
    const codeDeliveryDetails = toDelivery(details);
    updated[details.AttributeName] = {
      isUpdated: false,
      nextStep: { updateAttributeStep: 'CONFIRM_ATTRIBUTE_WITH_CODE', codeDeliveryDetails },
    };
  }
  return updated;
}

/**
 * @param {{userAttribute: {attributeKey: string, value: string}, options?: Options}} input
 * @returns {Promise<UpdatedAttribute>}
 */
export async function updateUserAttribute({ userAttribute: { attributeKey, value }, options }) {
  const updated = await updateUserAttributes({ userAttributes: { [attributeKey]: value }, options });
  return /** @type {UpdatedAttribute} */ (updated[attributeKey]);
}

/** @param {{userAttributeKeys: [string, ...string[]]}} input @returns {Promise<void>} */
export async function deleteUserAttributes({ userAttributeKeys }) {
  await operation('DeleteUserAttributes', { UserAttributeNames: userAttributeKeys });
  forget();
}

/**
 * @param {{userAttributeKey: string, options?: Options}} input
 * @returns {Promise<CodeDelivery>} where the code was sent
 */
export async function sendUserAttributeVerificationCode({ userAttributeKey, options }) {
  const { CodeDeliveryDetails } = await operation('GetUserAttributeVerificationCode', {
    AttributeName: userAttributeKey,
    ClientMetadata: options?.clientMetadata,
  });
  return toDelivery(CodeDeliveryDetails ?? {});
}

/** @param {{userAttributeKey: string, confirmationCode: string}} input @returns {Promise<void>} */
export async function confirmUserAttribute({ userAttributeKey, confirmationCode }) {
  await operation('VerifyUserAttribute', { AttributeName: userAttributeKey, Code: confirmationCode });
  forget();
}

/** @param {{oldPassword: string, newPassword: string}} input @returns {Promise<void>} */
export async function updatePassword({ oldPassword, newPassword }) {
  await operation('ChangePassword', { PreviousPassword: oldPassword, ProposedPassword: newPassword });
}

/** @returns {Promise<{enabled?: Factor[], preferred?: Factor}>} */
export async function fetchMFAPreference() {
  const { UserMFASettingList, PreferredMfaSetting } = await operation('GetUser');
  return { enabled: UserMFASettingList?.map(toFactor), preferred: toFactor(PreferredMfaSetting) };
}

/** @param {{sms?: Preference, totp?: Preference, email?: Preference}} input @returns {Promise<void>} */
export async function updateMFAPreference({ sms, totp, email }) {
  await operation('SetUserMFAPreference', {
    SMSMfaSettings: toSettings(sms),
    SoftwareTokenMfaSettings: toSettings(totp),
    EmailMfaSettings: toSettings(email),
  });
}

/**
 * The secret for an authenticator app, and the address of which a page makes a QR code. verifyTOTPSetup is next.
 * @returns {Promise<{sharedSecret: string, getSetupUri(appName: string, accountName?: string): URL}>}
 */
export async function setUpTOTP() {
  const { SecretCode: sharedSecret } = await operation('AssociateSoftwareToken');
  const session = await current();
  return {
    sharedSecret,
    getSetupUri(appName, accountName = session?.username ?? '') {
      const [issuer, account] = [appName, accountName].map(encodeURIComponent);
      return new URL(`otpauth://totp/${issuer}:${account}?secret=${sharedSecret}&issuer=${issuer}`);
    },
  };
}

/** @param {{code: string, options?: {friendlyDeviceName?: string}}} input @returns {Promise<void>} */
export async function verifyTOTPSetup({ code, options }) {
  await operation('VerifySoftwareToken', { UserCode: code, FriendlyDeviceName: options?.friendlyDeviceName });
}

/** @returns {Promise<Device[]>} */
export async function fetchDevices() {
  const { Devices = [] } = await operation('ListDevices', { Limit: 60 }); // the most that the user pool gives at once
  return Devices.map(toDevice);
}

/** Remembers the device that this session was signed in from. @returns {Promise<void>} */
export async function rememberDevice() {
  await operation('UpdateDeviceStatus', { DeviceKey: await deviceKey(), DeviceRememberedStatus: 'remembered' });
}

/** @param {{device?: {id: string}}} [input] by default the device that this session was signed in from @returns {Promise<void>} */
export async function forgetDevice({ device } = {}) {
  await operation('ForgetDevice', { DeviceKey: device?.id ?? (await deviceKey()) });
}

/**
 * @param {{pageSize?: number, nextToken?: string}} [input]
 * @returns {Promise<{credentials: Passkey[], nextToken?: string}>}
 */
export async function listWebAuthnCredentials({ pageSize, nextToken } = {}) {
  const answer = await operation('ListWebAuthnCredentials', { MaxResults: pageSize, NextToken: nextToken });
  return { credentials: (answer.Credentials ?? []).map(toPasskey), nextToken: answer.NextToken };
}

/** @param {{credentialId: string}} input @returns {Promise<void>} */
export async function deleteWebAuthnCredential({ credentialId }) {
  await operation('DeleteWebAuthnCredential', { CredentialId: credentialId });
}

/**
 * Has the browser make a passkey, and registers it (Web Authentication Level 3, section 5.1). The page's host must belong
 * to the user pool's relying party.
 * @returns {Promise<void>}
 */
export async function associateWebAuthnCredential() {
  if (!globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON) {
    throw new AuthError({ name: 'PasskeyNotSupported', message: 'This browser cannot make passkeys.' });
  }
  const { CredentialCreationOptions } = await operation('StartWebAuthnRegistration');
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(CredentialCreationOptions);
  const credential = await navigator.credentials.create({ publicKey }).catch(notCreated);
  await operation('CompleteWebAuthnRegistration', { Credential: /** @type {PublicKeyCredential} */ (credential).toJSON() });
}

/** Deletes the user, which ends all of the user's sessions. @returns {Promise<void>} */
export async function deleteUser() {
  await operation('DeleteUser');
  learn(null, 'global');
}

/**
 * @param {string} name
 * @param {Record<string, unknown>} [input]
 * @returns {Promise<any>} what the user pool answers
 */
async function operation(name, input = {}) {
  if (!(await current())) throw notSignedIn();
  const headers = {
    'Content-Type': 'application/x-amz-json-1.1',
    'X-Amz-Target': `AWSCognitoIdentityProviderService.${name}`,
    [settings.csrfHeader]: '1',
  };
  const body = JSON.stringify(input);
  const response = await send(() => fetch(at('/amplify/idp/'), { method: 'POST', headers, body, credentials: 'include' }));
  const answer = isOwn(response) ? await response.json().catch(noJSON) : undefined;
  if (response.ok && answer) return answer;
  // It is refused for want of a session too.
  check();
  const { __type, message } = answer ?? {};
  if (!__type) throw toError(response, answer);
  throw new AuthError({ name: __type, message: message ?? __type, status: response.status });
}

/** @param {any} details @returns {CodeDelivery} */
function toDelivery({ AttributeName, DeliveryMedium, Destination }) {
  return { attributeName: AttributeName, deliveryMedium: DeliveryMedium, destination: Destination };
}

/** @type {Record<string, Factor>} */
const factors = { SMS_MFA: 'SMS', SOFTWARE_TOKEN_MFA: 'TOTP', EMAIL_OTP: 'EMAIL' };

/** @param {string} [name] @returns {any} */
const toFactor = (name) => name && factors[name];

/** @param {Preference} [preference] */
function toSettings(preference) {
  if (!preference) return undefined;
  const PreferredMfa = { PREFERRED: true, NOT_PREFERRED: false, ENABLED: undefined, DISABLED: undefined }[preference];
  return { Enabled: preference !== 'DISABLED', PreferredMfa };
}

/** @param {any} device @returns {Device} */
function toDevice(device) {
  /** @type {Record<string, string>} */
  const attributes = {};
  for (const { Name, Value } of device.DeviceAttributes ?? []) attributes[Name] = Value;
  return {
    id: device.DeviceKey,
    name: attributes.device_name,
    attributes,
    createDate: toDate(device.DeviceCreateDate),
    lastModifiedDate: toDate(device.DeviceLastModifiedDate),
    lastAuthenticatedDate: toDate(device.DeviceLastAuthenticatedDate),
  };
}

/** @param {any} credential @returns {Passkey} */
function toPasskey(credential) {
  return {
    credentialId: credential.CredentialId,
    friendlyCredentialName: credential.FriendlyCredentialName,
    relyingPartyId: credential.RelyingPartyId,
    authenticatorAttachment: credential.AuthenticatorAttachment,
    authenticatorTransports: credential.AuthenticatorTransports,
    createdAt: toDate(credential.CreatedAt),
  };
}

/** @param {number} [seconds] Unix time */
const toDate = (seconds) => (seconds === undefined ? undefined : new Date(1000 * seconds));

/** @returns {Promise<unknown>} the key of the device that this session was signed in from */
async function deviceKey() {
  const session = await current();
  if (!session) throw notSignedIn();
  const key = session.tokens.accessToken.payload.device_key;
  if (key) return key;
  throw new AuthError({
    name: 'DeviceMetadataNotFoundException',
    message: 'This session was not signed in from a device that the user pool knows.',
  });
}

/** @param {DOMException} err @returns {never} */
function notCreated(err) {
  /** @type {Record<string, string>} */
  const names = {
    InvalidStateError: 'PasskeyAlreadyExists',
    NotAllowedError: 'PasskeyRegistrationCanceled',
    SecurityError: 'RelyingPartyMismatch',
  };
  const name = names[err.name] ?? 'PasskeyRegistrationFailed';
  throw new AuthError({ name, message: err.message, underlyingError: err });
}

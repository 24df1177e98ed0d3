// The rows of the attributes that can be changed here: texts, and the e-mail address with its code.

import { confirmUserAttribute, fetchUserAttributes, sendUserAttributeVerificationCode, updateUserAttribute } from '/auth/sdk/index.js';
import { fill, setText } from '../dom.js';
import { Row } from '../row.js';
import { look } from '../state.js';
import { digits } from '../words.js';

/** @typedef {import('../views/account.js').Part} Part */
/** @typedef {import('/auth/sdk/account.js').CodeDelivery} CodeDelivery */

/**
 * What attributes are called, in the order they are shown (OpenID Connect Core §5.1). Others come last, with the name
 * that the pool gives them.
 * @type {Record<string, string>}
 */
export const names = {
  name: 'Name', nickname: 'Nickname', email: 'E-mail address', given_name: 'Given name', family_name: 'Family name',
  phone_number: 'Phone number', phone_number_verified: 'Phone verified', locale: 'Language', zoneinfo: 'Time zone',
  birthdate: 'Date of birth', address: 'Address', picture: 'Picture', website: 'Website', gender: 'Gender',
  preferred_username: 'Preferred username', profile: 'Profile', updated_at: 'Updated', sub: 'Subject',
};

/**
 * @param {'name' | 'nickname'} key
 * @returns {Part}
 */
export function textPart(key) {
  const row = new Row(names[key]);
  const change = async () => {
    await askForValue(row, key);
    return 'Changed.';
  };
  row.buttons.append(row.button('Change', `Change ${key}`, change));
  return { row, draw: (attributes) => setText(row.value, attributes[key] ?? 'None') };
}

/** @returns {Part} */
export function emailPart() {
  const row = new Row(names.email);
  const change = async () => {
    const { value, updated } = await askForValue(row, 'email', { type: 'email' });
    if (updated.isUpdated) return 'Changed.';
    // The address is not the user's before its code came back: another code is asked for as the first was.
    const again = async () => (await update('email', value)).nextStep.codeDeliveryDetails;
    return askForCode(row, updated.nextStep.codeDeliveryDetails, again);
  };
  const verify = async () => {
    const send = () => sendUserAttributeVerificationCode({ userAttributeKey: 'email' });
    return askForCode(row, await send(), send);
  };
  const verifyButton = row.button('Verify', 'Verify e-mail address', verify);
  row.buttons.append(row.button('Change', 'Change e-mail address', change), verifyButton);
  return {
    row,
    draw({ email, email_verified: verified }) {
      setText(row.value, email ? `${email}, ${verified === 'true' ? 'verified' : 'not verified'}` : 'None');
      verifyButton.hidden = !email || verified === 'true';
    },
  };
}

/**
 * @param {string} attributeKey
 * @param {string} value
 */
async function update(attributeKey, value) {
  const updated = await updateUserAttribute({ userAttribute: { attributeKey, value } });
  await look();
  return updated;
}

/**
 * @param {Row} row
 * @param {string} key
 * @param {Record<string, string>} [attributes] of the field
 */
async function askForValue(row, key, attributes = {}) {
  const { [key]: now = '' } = await fetchUserAttributes();
  return row.ask({
    form: 'attribute',
    contents: { label: names[key] },
    fields: { value: { value: now, autocomplete: key, ...attributes } },
    submit: async ({ value }) => ({ value, updated: await update(key, value) }),
    faults: { InvalidParameterException: ['value'], AliasExistsException: ['value'] },
  });
}

/**
 * @param {Row} row
 * @param {CodeDelivery | undefined} sent where the code went
 * @param {() => Promise<CodeDelivery | undefined>} again has another one sent
 */
async function askForCode(row, sent, again) {
  await row.ask({
    form: 'code',
    contents: { sent: `A code is on its way to ${sent?.destination}.` },
    actions: {
      again: async () => {
        const { destination } = (await again()) ?? {};
        fill(row.element, { sent: `Another code is on its way to ${destination}. The one before is no longer good.` });
      },
    },
    submit: async ({ code }) => {
      await confirmUserAttribute({ userAttributeKey: 'email', confirmationCode: digits(code) });
      await look();
    },
    faults: { CodeMismatchException: ['code'], ExpiredCodeException: ['code'] },
  });
  return 'Verified.';
}

import { fetchAuthSession, fetchUserAttributes } from '/auth/sdk/index.js';
import { onPressOf } from '../actions.js';
import { fact, fill } from '../dom.js';
import { look, state } from '../state.js';

/**
 * What attributes are called, in the order they are shown (OpenID Connect Core §5.1). Others come last, with the name
 * that the pool gives them.
 * @type {Record<string, string>}
 */
const names = {
  name: 'Name', given_name: 'Given name', family_name: 'Family name', nickname: 'Nickname', email: 'E-mail address',
  email_verified: 'E-mail verified', phone_number: 'Phone number', phone_number_verified: 'Phone verified', locale: 'Language',
  zoneinfo: 'Time zone', birthdate: 'Date of birth', address: 'Address', picture: 'Picture', website: 'Website', gender: 'Gender',
  preferred_username: 'Preferred username', profile: 'Profile', updated_at: 'Updated', sub: 'Subject',
};

/** @type {Record<string, string>} */
const values = { true: 'yes', false: 'no' };

/** @param {HTMLElement} root */
async function show(root) {
  const attributes = await fetchUserAttributes();
  const ordered = new Set([...Object.keys(names), ...Object.keys(attributes)].filter((name) => name in attributes));
  const row = (/** @type {string} */ name) => {
    const value = attributes[name];
    return fact(names[name] ?? name.replace(/^custom:/, ''), values[value] ?? value);
  };
  fill(root, { attributes: [...ordered].map(row) });
}

/** @type {import('../app.js').View} */
export default {
  title: 'Account',
  personal: true,
  open(root) {
    onPressOf(root, { reload: () => fetchAuthSession({ forceRefresh: true }).then(() => look()) });
  },
  draw(root) {
    // What was shown stays where they cannot be had, and the page says so above.
    if (state.session) show(root).catch(() => {});
  },
};

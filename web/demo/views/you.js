import { el, fact, fill } from '../dom.js';
import { displayName, state } from '../state.js';
import { timeWords } from '../words.js';

/** @typedef {import('/auth/sdk/session.js').Claims} Claims */

/** @param {unknown} value */
const chips = (value) => [value].flat().filter(Boolean).map((name) => el('li', {}, String(name)));

/**
 * What the claims say, in words; those that say nothing to people are left to the JSON.
 * @param {Claims} id
 * @param {Claims} access
 */
function sentences(id, access) {
  const [identity] = /** @type {{providerName?: string}[]} */ (Array.isArray(id.identities) ? id.identities : []);
  /** @type {[string, Node | string][]} */
  const facts = [
    ['Username', el('code', {}, String(access.username))],
    ['Subject', el('code', {}, String(id.sub))],
    ['Signed in', timeWords(Number(id.auth_time))],
    ['By', identity?.providerName ?? 'the user pool'],
    ['Tokens are good until', timeWords(Number(access.exp))],
    ['For the app client', el('code', {}, String(access.client_id))],
    ['Issued by', el('code', {}, String(id.iss))],
    ['Scopes', el('ul', { class: 'chips' }, ...chips(String(access.scope ?? '').split(' ')))],
  ];
  return facts.map(([term, description]) => fact(term, description));
}

/** @type {import('../app.js').View} */
export default {
  title: 'You',
  personal: true,
  draw(root) {
    if (!state.session) return;
    const id = state.session.tokens.idToken.payload;
    const access = state.session.tokens.accessToken.payload;
    const groups = chips(id['cognito:groups']);
    fill(root, {
      initial: displayName().slice(0, 1).toUpperCase(),
      name: displayName(),
      email: id.email ? `${id.email}${id.email_verified ? ', verified' : ', not verified'}` : 'no e-mail address',
      groups: groups.length ? groups : [el('li', { class: 'none' }, 'in no group')],
      claims: sentences(id, access),
      'id-claims': JSON.stringify(id, null, 2),
      'access-claims': JSON.stringify(access, null, 2),
    });
  },
};

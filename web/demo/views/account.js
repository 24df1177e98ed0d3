import { fetchUserAttributes } from '/auth/sdk/index.js';
import { appPart } from '../account/app.js';
import { emailPart, names, textPart } from '../account/attributes.js';
import { leavePart } from '../account/leave.js';
import { passkeysPart } from '../account/passkeys.js';
import { passwordPart } from '../account/password.js';
import { fact, fill, find, setText } from '../dom.js';
import { giveUp } from '../row.js';
import { isOutage, lookAfter, state } from '../state.js';
import { errorWords } from '../words.js';

/**
 * A row of the account.
 * @typedef {object} Part
 * @property {import('../row.js').Row} row
 * @property {(attributes: Record<string, string>) => void} [draw] shows what the session says
 * @property {() => Promise<void>} [load] asks the user pool
 */

/** @type {Record<string, string>} */
const values = { true: 'yes', false: 'no' };

/** Of the open view. @type {Part[]} */
let parts = [];
/** Whether the user pool has been asked, or is being asked. */
let asked = false;

/** @param {HTMLElement} root */
async function show(root) {
  const attributes = await fetchUserAttributes();
  for (const { draw } of parts) draw?.(attributes);
  const known = new Set([...Object.keys(names), ...Object.keys(attributes)]);
  for (const name of ['name', 'nickname', 'email', 'email_verified', 'identities']) known.delete(name); // shown above
  const others = [...known].filter((name) => name in attributes);
  const row = (/** @type {string} */ name) => {
    const value = attributes[name];
    return fact(names[name] ?? name.replace(/^custom:/, ''), values[value] ?? value);
  };
  fill(root, { others: others.map(row) });
}

/**
 * Asks the user pool for what the session does not say. If it, or the gateway, does not let the page do so, nothing can be
 * changed either.
 * @param {HTMLElement} root
 */
async function load(root) {
  asked = true;
  try {
    await Promise.all(parts.map((part) => part.load?.()));
    allow(root);
  } catch (err) {
    asked = !isOutage(err);
    if (asked) refuse(root, err);
    await lookAfter(err);
  }
}

/** @param {HTMLElement} root */
function allow(root) {
  for (const place of root.querySelectorAll('[data-when="allowed"]')) /** @type {HTMLElement} */ (place).hidden = false;
  for (const { row } of parts) row.buttons.hidden = false;
}

/**
 * @param {HTMLElement} root
 * @param {unknown} err
 */
function refuse(root, err) {
  const off = 'Nothing can be changed here: the configuration of this gateway lacks amplify.enabled.';
  const isOff = /** @type {Error} */ (err).name === 'NotEnabledException';
  setText(find('[data-fill="refused"]', root), isOff ? off : `Nothing can be changed here. ${errorWords(err)}`);
}

/** The provider that somebody signs in with who has no password in the user pool. */
function provider() {
  const [identity] = [state.session?.tokens.idToken.payload.identities].flat();
  return /** @type {{providerName?: string} | undefined} */ (identity)?.providerName;
}

/** @type {import('../app.js').View} */
export default {
  title: 'Account',
  personal: true,
  open(root) {
    const elsewhere = provider();
    const about = [textPart('name'), textPart('nickname'), emailPart()];
    // Asked for even where they are not shown: the answer tells whether anything can be changed.
    const signingIn = [passwordPart(), appPart(), passkeysPart()];
    const leaving = [leavePart()];
    parts = [...about, ...signingIn, ...leaving];
    for (const { row } of about) row.buttons.hidden = true;
    const rows = (/** @type {Part[]} */ some) => some.map(({ row }) => row.element);
    fill(root, {
      about: rows(about),
      'signing-in': elsewhere ? [fact('With', elsewhere)] : rows(signingIn),
      leaving: rows(leaving),
    });
    asked = false;
  },
  draw(root) {
    if (!state.session) return;
    // What was shown stays where they cannot be had, and the page says so above.
    show(root).catch(() => {});
    if (!asked && !state.trouble) void load(root);
  },
  close() {
    giveUp();
  },
};

// What Amplify's token store reads, which goes past the token provider. Nothing is kept: it is what the gateway says.

import { current, own, tokensOf } from './providers.js';

/** @typedef {{key: string, oldValue: string | null, newValue: string | null}} Change */

/** Stands where Amplify wants some text to be. */
const something = 'gateway';

/** Amplify from 6.22 on, which tells of other tabs. @type {Set<(change: Change) => unknown>} */
export const watchers = new Set();

/**
 * The values by the last part of their key, which is `CognitoIdentityServiceProvider.<client>[.<user>].<name>`.
 * @type {Record<string, (session: import('./providers.js').AuthSession) => string | undefined>}
 */
const values = {
  LastAuthUser: ({ username }) => username,
  accessToken: (session) => `${tokensOf(session).accessToken}`,
  idToken: (session) => `${tokensOf(session).idToken}`,
  refreshToken: () => something,
  deviceKey,
  deviceGroupKey: (session) => deviceKey(session) && something,
  randomPasswordKey: (session) => deviceKey(session) && something,
  // Then signOut ends the login at the user pool too. It leaves the page for that, by https only.
  oauthMetadata: ({ signInDetails }) =>
    signInDetails || location.protocol !== 'https:' ? undefined : '{"oauthSignIn":true}',
};

/** The session that signOut is ending: what it reads after the end is about that one still. @type {ReturnType<typeof session>} */
let ending;

export const storage = {
  /** @param {string} key @returns {Promise<string | null>} */
  async getItem(key) {
    const name = nameOf(key);
    if (name === 'accessToken') {
      own.signedOut = true; // read by signOut only, as the first of all
      ending = session();
    }
    const known = await (own.signedOut ? ending : session());
    return (known && values[name]?.(known)) ?? null;
  },

  /** @param {string} key @param {string} _value */
  async setItem(key, _value) {
    if (nameOf(key) === 'LastAuthUser') own.signedIn = true; // the first that a sign-in writes
  },

  /** @param {string} _key */
  async removeItem(_key) {},

  async clear() {},

  /** @param {(change: Change) => unknown} watcher @returns {() => void} ends it */
  addListener(watcher) {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  },
};

/** The session, if there is an answer: signOut learns of an outage when it ends the session. */
const session = () => current().catch(() => undefined);

/** @param {import('./providers.js').AuthSession} session */
function deviceKey({ tokens }) {
  return /** @type {string | undefined} */ (tokens?.accessToken.payload['device_key']);
}

/** @param {string} key */
const nameOf = (key) => key.slice(key.lastIndexOf('.') + 1);

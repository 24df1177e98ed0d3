// The gateway's session, as Amplify asks for it: a token provider and a credentials provider.

import { fetchAuthSession, signOut } from '@gatehouse/client';
import { toShadow } from './shadow.js';

/** @typedef {import('@gatehouse/client').AuthSession} AuthSession */

/**
 * What Amplify does in this page itself, and tells itself when it is done: the events of these names are not the adapter's
 * to tell meanwhile.
 */
export const own = { signedIn: false, signedOut: false };

/** What is no answer about the session. */
const outages = ['NetworkError', 'ServiceUnavailableException'];

/** The last session that the gateway has told of. @type {AuthSession | undefined} */
let last;
/** Until when its tokens are good, in ms of this computer's clock. */
let goodUntil = 0;

/** Nobody is signed in any more. */
export function forget() {
  last = undefined;
}

/**
 * The session. During an outage the last one is told for as long as its tokens are good, as Amplify would from its storage.
 * @param {boolean} [forceRefresh]
 * @returns {Promise<AuthSession | undefined>} undefined when nobody is signed in. Throws what kept the gateway from an answer
 */
export async function current(forceRefresh) {
  try {
    const session = await fetchAuthSession({ forceRefresh });
    last = session.tokens && session;
    goodUntil = Date.now() + 1000 * (Number(session.accessExpiresAt) - Number(session.serverTime));
  } catch (err) {
    const { name } = /** @type {Error} */ (err);
    if (forceRefresh || !last || !outages.includes(name) || Date.now() >= goodUntil) throw err;
  }
  return last;
}

/**
 * The tokens with what Amplify reads of their claims, also where the gateway tells the page fewer.
 * @param {AuthSession} session
 * @returns {any}
 */
export function tokensOf({ tokens, userSub: sub, username, signInDetails }) {
  return {
    accessToken: toShadow({ sub, username, ...tokens?.accessToken.payload }),
    idToken: toShadow({ sub, 'cognito:username': username, ...tokens?.idToken.payload }),
    signInDetails,
  };
}

export const tokenProvider = {
  /** @param {{forceRefresh?: boolean}} [options] */
  async getTokens({ forceRefresh } = {}) {
    const session = await current(forceRefresh);
    own.signedIn = false; // who came is known now
    return session ? tokensOf(session) : null;
  },
};

export const credentialsProvider = {
  async getCredentialsAndIdentityId() {
    return undefined; // the gateway keeps them
  },
  // Every sign-out comes by here. Amplify's own call has often ended the session already, but it does not make it where
  // tokens cannot be revoked, and swallows what goes wrong: so this is the one that counts.
  async clearCredentialsAndIdentityId() {
    if (!own.signedOut) return;
    try {
      await signOut({ redirect: false });
      forget();
    } finally {
      own.signedOut = false;
    }
  },
};

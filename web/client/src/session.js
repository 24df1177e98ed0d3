// What this tab knows about the session, and who may know it.

import { AuthError, signedOutError } from './errors.js';
import { listeners, tabs, tell } from './hub.js';
import { page, takeSignIn } from './page.js';
import { call, toError } from './wire.js';

/** @typedef {Record<string, unknown>} Claims */
/**
 * Who is signed in. signInDetails is there where the gateway says it; Amplify leaves it out after a login by redirect.
 * @typedef {{username: string, userId: string, signInDetails?: {loginId?: string, authFlowType?: string}}} CurrentUser
 */

/**
 * The gateway's answer about a session; times are Unix seconds of the server's clock.
 * @typedef {object} Answer
 * @property {true} authenticated
 * @property {string} userSub
 * @property {string} username
 * @property {{accessToken: {payload: Claims}, idToken: {payload: Claims}}} tokens
 * @property {CurrentUser['signInDetails']} [signInDetails]
 * @property {number} generation
 * @property {number} serverTime
 * @property {number} accessExpiresAt
 * @property {number} idleExpiresAt
 * @property {number} sessionExpiresAt
 */

/**
 * A token's claims. The token itself is at the gateway, so toString() is the empty string.
 * @typedef {{payload: Claims, toString(): string}} Token
 */

/**
 * What fetchAuthSession gives; signed out, all is undefined. Times are Unix seconds of the server's clock: subtract
 * serverTime, for a computer's own clock may be wrong.
 * @typedef {object} AuthSession
 * @property {{accessToken: Token, idToken: Token}} [tokens]
 * @property {string} [userSub]
 * @property {string} [username]
 * @property {CurrentUser['signInDetails']} [signInDetails]
 * @property {number} [generation] grows with each refresh of the tokens
 * @property {number} [serverTime] when the gateway answered
 * @property {number} [accessExpiresAt] when the access token expires. The gateway refreshes it by itself
 * @property {number} [idleExpiresAt] when the session ends if it is not used
 * @property {number} [sessionExpiresAt] when it ends in any case
 * @property {undefined} [credentials] always undefined: the gateway keeps them
 * @property {undefined} [identityId] always undefined
 */

/** Asking by this path is no use of the session. */
export const quietly = '/session?touch=false';

const cacheFor = 30; // seconds
const beforeExpiry = 5; // seconds

/** Of the session, as far as this tab knows: null is signed out, undefined not known yet. @type {Answer | null | undefined} */
export let known;
/** Until when it is told without asking, in ms of this computer's clock. */
let freshUntil = 0;
/** The idle limit that listeners were warned of. */
let warnedOf = 0;
/** Questions on their way, by path. @type {Record<string, Promise<Answer | null>>} */
let asked = {};

/** @returns {Promise<CurrentUser>} throws UserUnAuthenticatedException when nobody is signed in */
export async function getCurrentUser() {
  const session = await current();
  if (!session) throw notSignedIn();
  return userOf(session);
}

/**
 * The session with the tokens' claims; signed out, a session with all fields undefined.
 * @param {{forceRefresh?: boolean}} [options] forceRefresh has new tokens made, which shows changed attributes and groups
 * @returns {Promise<AuthSession>}
 */
export async function fetchAuthSession({ forceRefresh } = {}) {
  return toAuthSession(await (forceRefresh ? ask('/refresh', { method: 'POST' }) : current()));
}

/**
 * The session, from memory while it is fresh and others would tell of changes.
 * @returns {Promise<Answer | null>}
 */
export async function current() {
  return known && tabs.post && Date.now() < freshUntil ? known : ask('/session');
}

/**
 * Asks the gateway. Whoever asks the same meanwhile shares the answer.
 * @param {string} path
 * @param {RequestInit} [init]
 * @param {string} [reason] why the session is over, if it turns out to be
 * @returns {Promise<Answer | null>} null when nobody is signed in
 */
export function ask(path, init, reason) {
  const now = asked;
  return (now[path] ??= load(path, init, reason).finally(() => delete now[path]));
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 * @param {string} [reason]
 * @returns {Promise<Answer | null>}
 */
async function load(path, init, reason) {
  const before = known;
  let next;
  try {
    const { response, body } = await call(path, init);
    next = body.authenticated === true ? body : null;
    if (!next && body.authenticated !== false) throw toError(response);
  } catch (err) {
    const error = /** @type {AuthError} */ (err);
    if (init && known && !page.leaving) tell('tokenRefresh_failure', { error });
    if (error.name !== signedOutError) throw error;
    next = null;
  }
  // Something newer was heard while this was on its way.
  if (before !== known && stateOf(next) !== stateOf(known)) return load(quietly, undefined, reason);
  learn(next, next ? undefined : reason);
  return next;
}

/** @param {Answer | null} [session] */
const stateOf = (session) => session && session.userSub + session.generation;

/**
 * Takes over what was learnt about the session, and tells what is new.
 * @param {Answer | null} next
 * @param {string} [reason] why it is over, if that is certain: then it is told even if nobody has asked yet who is signed in
 * @param {boolean} [heard] from another tab, which has told the others
 */
export function learn(next, reason, heard) {
  const before = known;
  const signIn = !heard && listeners.size ? takeSignIn() : null;
  const same = next && before?.userSub === next.userSub;
  const left = reason ? before !== null : before && !same;
  const came = next && !same && before !== undefined;
  const refreshed = same && next.generation > before.generation;
  const extended = warnedOf && same && next.idleExpiresAt > warnedOf;
  known = next;
  if (next) freshUntil = Date.now() + 1000 * Math.min(cacheFor, next.accessExpiresAt - next.serverTime - beforeExpiry);
  if (!next || extended) warnedOf = 0;
  if (!heard && (next || left || reason)) tabs.post?.({ session: next, reason, of: before });

  if (left) tell('signedOut', { reason: reason ?? 'expired' });
  if (signIn !== null) tellSignIn(signIn, next);
  if (next && (came || signIn !== null)) tell('signedIn', userOf(next));
  if (refreshed) tell('tokenRefresh');
  if (extended) tell('sessionExtended', toAuthSession(next));
}

/**
 * The session is about to end unless it is used. Told once a limit, however often the stream says so.
 * @param {import('./hub.js').Limits} limits
 * @param {boolean} [heard] from another tab
 */
export function warn(limits, heard) {
  if (warnedOf === limits.idleExpiresAt) return;
  warnedOf = limits.idleExpiresAt;
  if (!heard) tabs.post?.({ limits });
  tell('sessionExpiring', limits);
}

/**
 * Uses the session, so that its idle limit begins anew. `sessionExtended` tells how far it got.
 * @returns {Promise<AuthSession>}
 */
export async function extendSession() {
  warnedOf ||= 1; // whatever the answer is, it is later
  try {
    return toAuthSession(await ask('/session'));
  } finally {
    if (warnedOf === 1) warnedOf = 0; // it failed, and what is asked later extends nothing
  }
}

/**
 * Takes over what another tab or the stream says. What contradicts this tab's own knowledge may have been overtaken by it,
 * so that it only makes this tab ask too. An end whose reason is known is certain, unless it is told late, of the session
 * before the one at hand: the two end in any case at different times.
 * @param {import('./hub.js').Message} message
 * @param {boolean} [heard] false: from the stream, of which the others are to be told
 */
export function hear({ session, reason, of, limits }, heard = true) {
  const late = known && of && of.sessionExpiresAt !== known.sessionExpiresAt;
  if (limits) warn(limits, true);
  else if (reason && !late) learn(null, reason, heard);
  else if (known !== null && session?.tokens && session.generation >= (known?.generation ?? 0)) learn(session, undefined, true);
  else check();
}

/** Asks whether anything has changed. An outage tells nothing. */
export function check() {
  forget();
  ask(quietly).catch(() => {});
}

/** What is in memory, or asked for already, may be out of date: the next to ask has the gateway asked. */
export function forget() {
  freshUntil = 0;
  asked = {};
}

/**
 * @param {string} customState
 * @param {Answer | null} session
 */
function tellSignIn(customState, session) {
  if (!session) return tell('signInWithRedirect_failure', { error: notCompleted() });
  if (customState) tell('customOAuthState', customState);
  tell('signInWithRedirect');
}

/** @param {Answer} session @returns {CurrentUser} */
function userOf({ username, userSub, signInDetails }) {
  return { username, userId: userSub, ...(signInDetails && { signInDetails }) };
}

/** @param {Answer | null} session @returns {AuthSession} */
function toAuthSession(session) {
  if (!session) return {};
  const { accessToken, idToken } = session.tokens;
  return { ...session, tokens: { accessToken: toToken(accessToken), idToken: toToken(idToken) } };
}

/** @param {{payload: Claims}} token @returns {Token} */
const toToken = ({ payload }) => ({ payload, toString: () => '' });

export const notSignedIn = () => new AuthError({ name: signedOutError, message: 'Sign in first.' });
const notCompleted = () => new AuthError({ name: 'OAuthSignInException', message: 'The login was not completed.' });

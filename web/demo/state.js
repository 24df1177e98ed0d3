// Who is signed in, as far as this page knows, and what has happened since it was opened.

import { fetchAuthSession, listen } from '/auth/sdk/index.js';
import { errorWords } from './words.js';

/** @typedef {import('/auth/sdk/session.js').AuthSession} AuthSession */
/** @typedef {Required<AuthSession> & {tokens: NonNullable<AuthSession['tokens']>}} SignedIn */
/** @typedef {import('/auth/sdk/hub.js').Payload} Payload */

/**
 * @typedef {object} State
 * @property {SignedIn | null | undefined} session null is signed out; undefined is not known
 * @property {string} trouble why the gateway could not be asked the last time; '' if it could
 * @property {boolean} leaving this tab is signing out: what it hears of that is no news
 * @property {{payload: Payload, at: Date}[]} events newest first
 */

const most = 50; // events
const tryAgainAfter = 3000; // ms

/** @type {State} */
export const state = { session: undefined, trouble: '', leaving: false, events: [] };

/** @type {(payload?: Payload) => void} */
let changed = () => {};
/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;

/** @param {(payload?: Payload) => void} listener is told of every change, and by which event it came */
export function onChange(listener) {
  changed = listener;
}

/**
 * Asks who is signed in. Trouble is not being signed out: what was known stays, and the page asks again.
 * @param {Payload} [payload] the event that it is asked for
 */
export async function look(payload) {
  clearTimeout(again);
  try {
    if (!navigator.onLine) throw Object.assign(new Error(), { name: 'NetworkError' });
    const session = await fetchAuthSession();
    know(session.tokens ? /** @type {SignedIn} */ (session) : null, payload);
  } catch (err) {
    failed(err, payload);
  }
}

/**
 * @param {unknown} err
 * @param {Payload} [payload]
 */
function failed(err, payload) {
  clearTimeout(again);
  state.trouble = errorWords(err);
  again = setTimeout(look, tryAgainAfter);
  changed(payload);
}

/** @param {unknown} err whether it says nothing but that somebody cannot answer for now */
export const isOutage = (err) => ['NetworkError', 'ServiceUnavailableException'].includes(/** @type {Error} */ (err).name);

/**
 * After something has gone wrong: an outage stands for itself, and all else is for the session to explain.
 * @param {unknown} err
 */
export async function lookAfter(err) {
  if (isOutage(err)) failed(err);
  else await look();
}

/**
 * @param {SignedIn | null} session
 * @param {Payload} [payload]
 */
function know(session, payload) {
  state.session = session;
  state.trouble = '';
  changed(payload);
}

/** @param {Payload} payload */
function hear(payload) {
  if (state.leaving) return;
  state.events.unshift({ payload, at: new Date() });
  state.events.length = Math.min(state.events.length, most);
  if (payload.event === 'signedOut') know(null, payload);
  // Asking would be a use of the session, and an open page would never be signed out.
  else if (payload.event === 'sessionExpiring') changed(payload);
  else void look(payload);
}

/** Starts to listen, and looks for the first time. */
export function start() {
  listen(({ payload }) => hear(payload));
  for (const event of ['online', 'offline']) addEventListener(event, () => void look());
  // Back after a sign-out: the page may come from the back/forward cache, as it was left.
  addEventListener('pageshow', ({ persisted }) => {
    state.leaving = false;
    if (persisted) void look();
  });
  return look();
}

/** The name to greet with: in a pool whose users sign in with their e-mail the username is a UUID. */
export function displayName() {
  const { name, email } = state.session?.tokens.idToken.payload ?? {};
  return String(name ?? email ?? state.session?.username ?? '');
}

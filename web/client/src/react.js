'use client';
// The session as React knows it: one state for all components, which follows what happens in other tabs and elsewhere.

import { createContext, createElement, useContext, useEffect, useMemo, useSyncExternalStore } from 'react';
import { fetchAuthSession, listen, signInWithRedirect } from './index.js';
import { page } from './page.js';

/**
 * What is known about the session.
 * @typedef {object} SessionState
 * @property {'loading' | 'authenticated' | 'unauthenticated'} status `loading` until the gateway has answered once, and while
 *   the page is made on a server
 * @property {import('./session.js').AuthSession} [session] while somebody is signed in
 * @property {string} [reason] why the session that was there is over, as `signedOut` tells it
 * @property {unknown} [error] why the gateway could not be asked. The status is the last that was known: an outage signs
 *   nobody out
 */

const retryAfter = 5000; // ms, at least, from one failed question to the next

/** @type {SessionState} */
const loading = { status: 'loading' };

let state = loading;
/** The Providers on the page. @type {Set<() => void>} */
const readers = new Set();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {SessionState} next */
function show(next) {
  state = next;
  for (const changed of readers) changed();
}

/** Takes over what the client knows, or has it ask. After an outage it asks until there is an answer. */
async function look() {
  clearTimeout(timer);
  try {
    const session = await fetchAuthSession();
    show(session.tokens ? { status: 'authenticated', session } : { status: 'unauthenticated', reason: state.reason });
  } catch (error) {
    lost(error);
  }
}

/** @param {unknown} error */
function lost(error) {
  show({ ...state, error });
  clearTimeout(timer);
  if (readers.size) timer = setTimeout(look, retryAfter * (1 + Math.random()));
}

/** @param {import('./hub.js').Capsule} capsule */
function hear({ payload: { event, data } }) {
  if (event === 'signedOut') show({ status: 'unauthenticated', reason: data.reason });
  else if (event === 'tokenRefresh_failure') lost(data.error);
  else if (event !== 'sessionExpiring') look();
}

/** @param {() => void} changed */
function subscribe(changed) {
  readers.add(changed);
  const stop = listen(hear);
  look();
  return () => {
    readers.delete(changed);
    stop();
    if (!readers.size) clearTimeout(timer);
  };
}

const Session = createContext(/** @type {SessionState | undefined} */ (undefined));

/**
 * Keeps the session up to date for the components in it.
 * @param {{children?: import('react').ReactNode}} props
 */
export function Provider({ children }) {
  const value = useSyncExternalStore(subscribe, () => state, () => loading);
  return createElement(Session.Provider, { value }, children);
}

/**
 * What is known about the session. The component is rendered anew whenever that changes.
 * @returns {SessionState}
 */
export function useSession() {
  const value = useContext(Session);
  if (!value) throw new Error('There is no <Provider> of @gatehouse/client/react around this component.');
  return value;
}

/** @returns {{username: string, userId: string} | undefined} who is signed in */
export function useUser() {
  const { session } = useSession();
  return useMemo(
    () => session && /** @type {any} */ ({ username: session.username, userId: session.userSub }),
    [session],
  );
}

/** Whether a login is about to start. */
let starting = false;

/**
 * Leaves the page for the login, once for however many components want it, and for none while the page is on its way to
 * the logout. A page in the background waits: somebody may sign in elsewhere before it is looked at.
 * @param {SessionState} state
 */
async function login({ reason }) {
  if (starting || page.leaving || document.visibilityState !== 'visible') return;
  starting = true;
  // The user pool may still know who has just signed out here, or was signed out, and would let them in without a question.
  const options = reason && reason !== 'expired' ? { prompt: 'LOGIN' } : {};
  await signInWithRedirect({ options }).catch(look);
  starting = false;
}

/**
 * Shows its children to whoever is signed in, and sends others to the login. An outage sends nobody there.
 * @param {object} props
 * @param {import('react').ReactNode} [props.children]
 * @param {import('react').ReactNode} [props.fallback] what is shown instead of them
 * @param {(error: any, retry: () => void) => import('react').ReactNode} [props.renderError] what is shown instead of the
 *   fallback while the gateway cannot be asked
 * @param {boolean} [props.login] false leaves the login to the fallback
 */
export function RequireAuth({ children, fallback = null, renderError, login: automatic = true }) {
  const current = useSession();
  const { status, error } = current;
  const wanted = automatic && status === 'unauthenticated' && !error;
  useEffect(() => {
    if (!wanted) return;
    const start = () => void login(current);
    start();
    addEventListener('visibilitychange', start);
    return () => removeEventListener('visibilitychange', start);
  }, [wanted, current]);
  if (status === 'authenticated') return children;
  return error && renderError ? renderError(error, look) : fallback;
}

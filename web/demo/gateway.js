// The gateway's endpoints as functions. All of them are plain same-origin
// fetches: the browser attaches the session cookie by itself, and no answer ever
// holds a token.

/** Where the gateway's endpoints are mounted. */
export const mount = '/auth';

/**
 * A signed-in session; times are Unix seconds of the server's clock.
 * @typedef {object} SignedIn
 * @property {true} authenticated
 * @property {string} userSub
 * @property {string} username
 * @property {{accessToken: {payload: Claims}, idToken: {payload: Claims}}} tokens
 * @property {number} generation grows with each token refresh
 * @property {number} serverTime
 * @property {number} accessExpiresAt
 * @property {number} idleExpiresAt
 * @property {number} sessionExpiresAt
 * @property {string} logoutUrl
 */

/** @typedef {{authenticated: false}} SignedOut */
/** @typedef {SignedIn | SignedOut} Session */
/** @typedef {Record<string, unknown>} Claims */
/** @typedef {{username: string, userId: string}} User */

/**
 * One call as it is shown in the page's log.
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path
 * @property {number} status 0 if there was no answer
 * @property {number} ms
 */

/** An answer that is not 2xx, an RFC 9457 problem where it was one. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   */
  constructor(status, code, detail) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
  }
}

/** @type {(call: Call) => void} */
let report = () => {};

/** @param {(call: Call) => void} listener is told of every call */
export function onCall(listener) {
  report = listener;
}

/**
 * Fetches from the own origin and tells the log.
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<{response: Response, ms: number}>}
 */
export async function call(path, init = {}) {
  const headers = new Headers(init.headers);
  headers.set('Accept', 'application/json');
  // Demanded where csrf_header is configured, harmless elsewhere: a form or an
  // image on another site cannot add a header.
  headers.set('X-CSRF', '1');
  const method = init.method ?? 'GET';
  const start = performance.now();
  try {
    const response = await fetch(path, { ...init, headers, cache: 'no-store' });
    const ms = Math.round(performance.now() - start);
    report({ method, path, status: response.status, ms });
    return { response, ms };
  } catch (err) {
    report({ method, path, status: 0, ms: Math.round(performance.now() - start) });
    throw err;
  }
}

/**
 * The state of the session, signed in or out.
 * @param {{touch?: boolean}} [options] touch false looks without using the session
 * @returns {Promise<Session>}
 */
export async function getSession({ touch = true } = {}) {
  return json(await call(`${mount}/session${touch ? '' : '?touch=false'}`));
}

/** @returns {Promise<User>} */
export async function getUser() {
  return json(await call(`${mount}/user`));
}

/** @returns {Promise<SignedIn>} the session with new tokens */
export async function refresh() {
  return json(await call(`${mount}/refresh`, { method: 'POST' }));
}

/**
 * Ends the session.
 * @param {string} returnTo local path to come back to
 * @returns {Promise<string>} the user pool's logout address: the browser must go
 *   there, or the pool signs the next visitor in silently
 */
export async function logout(returnTo) {
  const { logoutUrl } = await json(
    await call(`${mount}/logout`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ returnTo }),
    }),
  );
  return logoutUrl;
}

/**
 * The address that starts a login and comes back to returnTo.
 * @param {string} returnTo local path, its query and fragment
 * @param {string} [query] further parameters: provider, screen…
 */
export function loginURL(returnTo, query = '') {
  const parameters = new URLSearchParams(query);
  parameters.set('return_to', returnTo);
  return `${mount}/login?${parameters}`;
}

/**
 * @param {{response: Response}} answer
 * @returns {Promise<any>}
 */
async function json({ response }) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Problem(response.status, body.code ?? '', body.detail ?? `The gateway answered ${response.status}.`);
  }
  return body;
}

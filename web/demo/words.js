// What the page says, in words that people use.

/** @typedef {import('/auth/sdk/index.js').AuthError} AuthError */

/** The names of the statuses that a page comes across (RFC 9110 §15): HTTP/2 sends none along. @type {Record<number, string>} */
const statuses = {
  200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 302: 'Found', 303: 'See Other', 304: 'Not Modified',
  400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 409: 'Conflict',
  413: 'Content Too Large', 421: 'Misdirected Request', 429: 'Too Many Requests', 431: 'Request Header Fields Too Large',
  500: 'Internal Server Error', 501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
};

/**
 * @param {number} status 0 if there was no answer
 * @returns {string} such as "401 Unauthorized"
 */
export const statusWords = (status) => (status ? `${status} ${statuses[status] ?? ''}`.trim() : 'No answer');

/**
 * What went wrong, in a sentence.
 * @param {unknown} err
 */
export function errorWords(err) {
  const { name, message, retryAfter } = /** @type {AuthError} */ (err);
  switch (name) {
    case 'NetworkError':
      return navigator.onLine ? 'The gateway cannot be reached.' : 'This computer is offline.';
    case 'ServiceUnavailableException':
      return 'The gateway cannot look up your session just now.';
    case 'LimitExceededException':
      return retryAfter ? `That was too often. Try again in ${retryAfter} seconds.` : 'That was too often. Try again in a while.';
    case 'UserUnAuthenticatedException':
      return 'You are not signed in.';
    case 'PopupBlockedException':
      return 'The browser has blocked the window. Allow it, or sign in in this one.';
    case 'PopupClosedException':
      return 'The window was closed before you were signed in.';
    case 'UnsupportedOperationException':
      return 'The configuration of this gateway lacks amplify.password_sign_in.';
    case 'CodeMismatchException':
      return 'This is not the code that was sent last.';
    case 'ExpiredCodeException':
      return 'This code has run out. Have another one sent.';
    case 'EnableSoftwareTokenMFAException':
      return 'This is not the code that the app shows now.';
    case 'PasskeyAlreadyExists':
      return 'This device has a passkey for you already.';
    case 'PasskeyRegistrationCanceled':
      return 'No passkey was made.';
    case 'RelyingPartyMismatch':
      return 'The user pool takes passkeys for another host than that of this page.';
    default:
      return message || String(err);
  }
}

/** Why a session is over. @type {Record<string, string>} */
const endings = {
  logout: 'You signed out in another tab.',
  global: 'You signed out everywhere.',
  revoked: 'Your session was ended from another device.',
  expired: 'Your session has run out.',
  admin: 'An administrator has ended your session.',
};

/** @param {string} reason */
export const endingWords = (reason) => endings[reason] ?? endings.revoked;

/**
 * An event as a person would tell it.
 * @param {import('/auth/sdk/hub.js').Payload} payload
 */
export function eventWords(payload) {
  switch (payload.event) {
    case 'signedIn': return 'You are signed in.';
    case 'signedOut': return endingWords(payload.data.reason);
    case 'tokenRefresh': return 'The tokens were renewed.';
    case 'tokenRefresh_failure': return 'The tokens could not be renewed.';
    case 'signInWithRedirect': return 'Back from the sign-in pages.';
    case 'signInWithRedirect_failure': return 'Back from the sign-in pages, and not signed in.';
    case 'customOAuthState': return `Back with what the page had left: “${payload.data}”.`;
    case 'sessionExpiring': return 'The session is about to end.';
    case 'sessionExtended': return 'The session goes on.';
  }
}

/**
 * A browser by its user agent, roughly: of several names in it the most particular one counts.
 * @param {string} userAgent
 */
export function browserWords(userAgent) {
  const of = (/** @type {[RegExp, string][]} */ names) => names.find(([pattern]) => pattern.test(userAgent))?.[1];
  const browser = of([
    [/Edg/, 'Edge'], [/OPR\//, 'Opera'], [/SamsungBrowser/, 'Samsung Internet'], [/Firefox|FxiOS/, 'Firefox'],
    [/Chrome|CriOS/, 'Chrome'], [/Safari/, 'Safari'], [/curl/, 'curl'],
  ]);
  const system = of([
    [/Android/, 'Android'], [/iPhone/, 'iPhone'], [/iPad/, 'iPad'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'],
    [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux'],
  ]);
  return [browser ?? 'A browser', system].filter(Boolean).join(' on ');
}

/** @param {string} userAgent */
export const isPhone = (userAgent) => /Mobile|Android|iPhone/.test(userAgent);

/** A code as it is meant, however it was typed. @param {string} typed */
export const digits = (typed) => typed.replace(/\s/g, '');

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' });
const day = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });

/**
 * @param {number} seconds Unix time
 * @param {number} [now] Unix time
 * @returns {string} such as "today at 18:02"
 */
export function timeWords(seconds, now = Date.now() / 1000) {
  const [then, today] = [new Date(1000 * seconds), new Date(1000 * now)];
  const date = day.format(then) === day.format(today) ? 'today' : day.format(then);
  return `${date} at ${clock.format(then)}`;
}

/**
 * @param {number} seconds
 * @returns {string} h:mm:ss, or m:ss below an hour
 */
export function duration(seconds) {
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const h = Math.floor(seconds / 3600);
  const m = Math.floor(seconds / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(seconds % 60)}` : `${m}:${two(seconds % 60)}`;
}

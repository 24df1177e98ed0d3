// What can go wrong, by name. Whoever catches decides by `name`; `message` is for people.

/**
 * What an AuthError is made of.
 * @typedef {object} Failure
 * @property {string} name
 * @property {string} message one or two sentences
 * @property {string} [recoverySuggestion] what the program should do about it
 * @property {unknown} [underlyingError] what fetch threw
 * @property {number} [status] of the answer, if there was one
 * @property {string} [code] the gateway's own name of the problem
 * @property {string} [requestId] names the request in the gateway's log
 * @property {number} [retryAfter] in how many seconds to try again
 * @property {string} [loginUrl] where a login starts
 */

/**
 * The one class of errors that the client throws. An outage has another name than a missing session: only
 * `UserUnAuthenticatedException` means that nobody is signed in.
 */
export class AuthError extends Error {
  /** @param {Failure} failure */
  constructor({ name, message, ...more }) {
    super(message);
    this.name = name;
    /** @type {string | undefined} */
    this.recoverySuggestion = undefined;
    /** @type {unknown} */
    this.underlyingError = undefined;
    /** @type {number | undefined} */
    this.status = undefined;
    /** @type {string | undefined} */
    this.code = undefined;
    /** @type {string | undefined} */
    this.requestId = undefined;
    /** @type {number | undefined} */
    this.retryAfter = undefined;
    /** @type {string | undefined} */
    this.loginUrl = undefined;
    Object.assign(this, more);
  }
}

export const signedOutError = 'UserUnAuthenticatedException';

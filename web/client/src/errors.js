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

/** @typedef {Error & Readonly<Failure>} AuthError */

/**
 * The one class of errors that the client throws. An outage has another name than a missing session: only
 * `UserUnAuthenticatedException` means that nobody is signed in.
 * @type {new (failure: Failure) => AuthError}
 */
export const AuthError = class extends Error {
  /** @param {Failure} failure */
  constructor(failure) {
    super(failure.message);
    Object.assign(this, failure);
  }
};

export const signedOutError = 'UserUnAuthenticatedException';

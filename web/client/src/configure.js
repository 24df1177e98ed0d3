// Where the gateway is, and how it is to be called.

/**
 * @typedef {object} Options
 * @property {string} [gateway] where the gateway's endpoints are: a path of this origin, by default `/auth`, or an
 *   address such as `https://app.example.com/auth`, whose configuration must then name this page's origin in
 *   `allowed_origins` and, so that logins come back to it, in `login.return_origins`
 * @property {string} [csrfHeader] the header that the configuration's `csrf_header` names, by default `X-CSRF`. Sent with
 *   every call: harmless where none is demanded
 * @property {boolean | 'popup'} [login] what gatewayFetch does when nobody is signed in: `false`, the default, throws;
 *   `true` sends the window to the login; `'popup'` opens a window for it and repeats the call
 */

/** @type {Required<Options>} */
export const settings = { gateway: '/auth', csrfHeader: 'X-CSRF', login: false };

/**
 * Sets what differs from the defaults; what is undefined stays as it is. Call it before any other function.
 * @param {Options} options
 */
export function configure(options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  Object.assign(settings, Object.fromEntries(given));
}

/**
 * The absolute address of one of the gateway's endpoints.
 * @param {string} [path] such as `/session`
 */
export function at(path = '') {
  return new URL(settings.gateway, location.href).href.replace(/\/$/, '') + path;
}

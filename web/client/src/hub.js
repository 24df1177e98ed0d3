// Who listens in this tab, and the way to the other tabs.

/**
 * What a listener is told, by event. `tokenRefresh_failure` is no sign-out: `error` says why.
 * @typedef {{event: 'signedIn', data: import('./session.js').CurrentUser}
 *   | {event: 'signedOut', data: {reason: string}}
 *   | {event: 'tokenRefresh', data?: undefined}
 *   | {event: 'tokenRefresh_failure', data: {error: import('./errors.js').AuthError}}
 *   | {event: 'signInWithRedirect', data?: undefined}
 *   | {event: 'signInWithRedirect_failure', data: {error: import('./errors.js').AuthError}}
 *   | {event: 'customOAuthState', data: string}
 *   | {event: 'sessionExpiring', data: Limits}
 *   | {event: 'sessionExtended', data: import('./session.js').AuthSession}} Payload
 */
/** @typedef {{channel: 'auth', payload: Payload & {message?: string}}} Capsule */
/** @typedef {(capsule: Capsule) => void} Listener */

/**
 * When the session ends unless it is used, and when in any case; Unix seconds of the server's clock, which says
 * serverTime. Where both are the same, no use prolongs it.
 * @typedef {{serverTime: number, idleExpiresAt: number, sessionExpiresAt: number}} Limits
 */

/**
 * What one tab tells the others, by BroadcastChannel: the session or its end, with the reason where that is certain and
 * of: the session that has ended; or that it is about to end.
 * @typedef {{session?: import('./session.js').Answer | null, reason?: string, of?: import('./session.js').Answer | null, limits?: Limits}} Message
 */

/** @type {Set<Listener>} */
export const listeners = new Set();

/**
 * The other tabs. live.js connects them while anybody listens.
 * @type {{post?: (message: Message) => void}}
 */
export const tabs = {};

/**
 * Tells everybody in this tab. One listener that fails keeps nothing from the others.
 * @template {Payload['event']} Event
 * @param {Event} event
 * @param {Extract<Payload, {event: Event}>['data']} [data]
 */
export function tell(event, data) {
  const payload = /** @type {Payload} */ ({ event, data });
  for (const listener of [...listeners]) {
    try {
      listener({ channel: 'auth', payload });
    } catch (err) {
      console.error(err);
    }
  }
}

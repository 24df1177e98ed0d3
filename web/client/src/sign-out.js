import { leave, page } from './page.js';
import { learn } from './session.js';
import { call } from './wire.js';

/**
 * @typedef {object} SignOutInput
 * @property {boolean} [global] ends all of the user's sessions, on all devices
 * @property {{redirectUrl?: string}} [oauth] redirectUrl: where the sign-out ends; by default where the gateway's
 *   configuration says
 * @property {boolean} [redirect] false stays on the page. The user pool then still knows the user, and signs them in again
 *   without a question
 */

/**
 * Ends the session, tells `signedOut`, and leaves the page for the user pool's own logout.
 * @param {SignOutInput} [input]
 * @returns {Promise<void>} throws when the gateway cannot be reached: then nobody is signed out
 */
export async function signOut({ global, oauth, redirect = true } = {}) {
  page.leaving = true;
  let body;
  try {
    const wish = JSON.stringify({ global, returnTo: oauth?.redirectUrl });
    ({ body } = await call('/logout', { method: 'POST', body: new Blob([wish], { type: 'application/json' }) }));
    learn(null, global ? 'global' : 'logout');
  } finally {
    page.leaving = false;
  }
  if (redirect) leave(body.logoutUrl);
}

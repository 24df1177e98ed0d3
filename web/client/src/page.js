// What becomes of this page: whether it is being left, and for which login.

/**
 * A login that this tab has left for.
 * @typedef {{customState?: string, silent?: boolean}} SignIn
 */

const key = 'gatehouse.signIn';

/** leaving: the page is on its way to the login or the logout, so that failing calls mean nothing. */
export const page = { leaving: false };

/**
 * Leaves for a login that ends at the current address, and notes what to tell there. The note stays in this tab.
 * @param {string} address
 * @param {SignIn} signIn
 */
export function leave(address, signIn) {
  page.leaving = true;
  sessionStorage.setItem(key, JSON.stringify(signIn));
  location.assign(address);
}

/** @returns {SignIn | undefined} the login that this page is the end of; once */
export function takeSignIn() {
  const note = !page.leaving && sessionStorage.getItem(key);
  if (!note) return undefined;
  sessionStorage.removeItem(key);
  return JSON.parse(note);
}

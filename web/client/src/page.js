// What becomes of this page: whether it is being left, and for which login.

/** Where this tab's sessionStorage has the customState of a login that it has left for. */
export const signInKey = 'gatehouse.signIn';

/** leaving: the page is on its way to the login or the logout, so that failing calls mean nothing. */
export const page = { leaving: false };

/**
 * Leaves for the login or the logout. Whoever comes back by the Back button finds the page as it was left.
 * @param {string} address
 */
export function leave(address) {
  page.leaving = true;
  addEventListener('pageshow', comeBack);
  location.assign(address);
}

/** @param {PageTransitionEvent} event */
function comeBack({ persisted }) {
  page.leaving &&= !persisted;
}

/** @returns {string | null} the customState of the login that this page is the end of, empty without one; only once */
export function takeSignIn() {
  if (page.leaving) return null;
  const note = sessionStorage.getItem(signInKey);
  sessionStorage.removeItem(signInKey);
  return note;
}

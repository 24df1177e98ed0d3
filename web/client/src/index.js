// The browser's side of Gatehouse, without a token in the page. Names, arguments and results are those of
// aws-amplify/auth v6; what goes beyond is in the README.

import { listen } from './live.js';

/** @typedef {import('./configure.js').Options} Options */
/** @typedef {import('./hub.js').Capsule} HubCapsule */
/** @typedef {import('./redirect.js').SignInInput} SignInWithRedirectInput */
/** @typedef {import('./session.js').AuthSession} AuthSession */
/** @typedef {import('./session.js').CurrentUser} AuthUser */
/** @typedef {import('./sessions.js').Session} Session */
/** @typedef {import('./sign-out.js').SignOutInput} SignOutInput */

export { at as gatewayUrl, configure } from './configure.js';
export { AuthError } from './errors.js';
export { extendSession, fetchAuthSession, getCurrentUser } from './session.js';
export { fetchUserAttributes } from './attributes.js';
export {
  associateWebAuthnCredential,
  confirmUserAttribute,
  deleteUser,
  deleteUserAttributes,
  deleteWebAuthnCredential,
  fetchDevices,
  fetchMFAPreference,
  forgetDevice,
  listWebAuthnCredentials,
  rememberDevice,
  sendUserAttributeVerificationCode,
  setUpTOTP,
  updateMFAPreference,
  updatePassword,
  updateUserAttribute,
  updateUserAttributes,
  verifyTOTPSetup,
} from './account.js';
export { signInWithRedirect } from './redirect.js';
export { signInWithPopup } from './sign-in-popup.js';
export { signInSilently } from './sign-in-silently.js';
export { signOut } from './sign-out.js';
export { gatewayFetch } from './gateway-fetch.js';
export { endOtherSessions, endSession, listSessions } from './sessions.js';
export { listen };

/** For those who know it from aws-amplify/utils. */
export const Hub = { listen };

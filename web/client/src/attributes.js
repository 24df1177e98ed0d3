import { current, notSignedIn } from './session.js';

// Claims of OpenID Connect and of Cognito that are about the token, not about the user.
const protocol = /^(cognito:|(iss|aud|exp|iat|nbf|jti|azp|acr|amr|sid|nonce|at_hash|auth_time|token_use|event_id|origin_jti)$)/;

/**
 * The user's attributes, as the ID token has them: those that the app client may read, as of the last refresh.
 * @returns {Promise<Record<string, string>>} throws UserUnAuthenticatedException when nobody is signed in
 */
export async function fetchUserAttributes() {
  const session = await current();
  if (!session) throw notSignedIn();
  const claims = Object.entries(session.tokens.idToken.payload).filter(([name]) => !protocol.test(name));
  return Object.fromEntries(claims.map(([name, value]) => [name, toText(value)]));
}

/**
 * Cognito's attributes are texts. In a token some are not: email_verified is a boolean, address an object.
 * @param {any} value
 * @returns {string}
 */
function toText(value) {
  return typeof value === 'string' ? value : (value?.formatted ?? JSON.stringify(value));
}

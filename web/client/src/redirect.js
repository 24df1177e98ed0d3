// Signing in by leaving the page.

import { at } from './configure.js';
import { AuthError } from './errors.js';
import { leave, signInKey } from './page.js';
import { current } from './session.js';

/**
 * @typedef {object} SignInInput
 * @property {'Google' | 'Facebook' | 'Amazon' | 'Apple' | {custom: string} | {idpIdentifier: string} | (string & {})} [provider]
 *   goes to this provider at once
 * @property {string} [customState] told as `customOAuthState` after the login
 * @property {SignInOptions} [options]
 */

/**
 * @typedef {object} SignInOptions
 * @property {string} [prompt] `LOGIN` asks again, `NONE` asks nothing, as the user pool takes it
 * @property {string} [loginHint] what stands in the user name field
 * @property {string} [lang] language of the user pool's pages
 * @property {string} [idpIdentifier] names the provider by one of its identifiers, such as a mail domain
 * @property {'signup'} [screen] `signup`: the page for new users
 * @property {string} [returnTo] where the login ends; by default at the current address
 */

/**
 * How the user pool calls the providers that have another name there.
 * @type {Record<string, string>}
 */
const names = { Amazon: 'LoginWithAmazon', Apple: 'SignInWithApple' };

/**
 * Leaves the page for the login. The page it ends at tells `signedIn`, once it listens.
 * @param {SignInInput} [input]
 * @returns {Promise<void>} throws UserAlreadyAuthenticatedException when somebody is signed in and no prompt was asked for
 */
export async function signInWithRedirect(input = {}) {
  if (!input.options?.prompt && (await current())) {
    throw new AuthError({
      name: 'UserAlreadyAuthenticatedException',
      message: 'Sign out first, or ask for a prompt.',
    });
  }
  leaveToSignIn(input);
}

/**
 * Leaves at once, and notes what to tell where the login ends.
 * @param {SignInInput} input
 */
export function leaveToSignIn(input) {
  sessionStorage.setItem(signInKey, input.customState ?? '');
  leave(loginAddress(input));
}

/**
 * @param {SignInInput} input
 * @returns {string} where such a login starts
 */
export function loginAddress({ provider, options = {} }) {
  /** @type {{custom?: string, idpIdentifier?: string}} */
  const { custom, idpIdentifier } = typeof provider === 'object' ? provider : { custom: names[provider ?? ''] ?? provider };
  const query = {
    return_to: options.returnTo ?? location.href,
    provider: custom,
    idp_identifier: idpIdentifier ?? options.idpIdentifier,
    login_hint: options.loginHint,
    lang: options.lang,
    prompt: options.prompt?.toLowerCase(),
    screen: options.screen,
  };
  return at(`/login?${new URLSearchParams(JSON.parse(JSON.stringify(query)))}`);
}

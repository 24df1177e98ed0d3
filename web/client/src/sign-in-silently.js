import { loginAddress } from './redirect.js';
import { current } from './session.js';

const key = 'gatehouse.silent';

/**
 * Signs in whoever is signed in at the user pool, without a question: the page is left, and comes back at the current
 * address. Tried once a tab, until somebody signs in, so that it may be called on every load.
 * @returns {Promise<void>} once there is nothing to wait for: somebody is signed in, or it was tried. Else the page is left
 */
export async function signInSilently() {
  if (await current()) return sessionStorage.removeItem(key);
  if (sessionStorage.getItem(key)) return;
  sessionStorage.setItem(key, '1');
  location.replace(loginAddress({ options: { prompt: 'NONE' } }));
  await new Promise(() => {});
}

// What buttons do, one at a time, and what is said of it.

import { signInWithRedirect } from '/auth/sdk/index.js';
import { find } from './dom.js';
import { lookAfter } from './state.js';
import { errorWords } from './words.js';

/**
 * Runs an action whenever a button is pressed. That it has failed is said below the button; what that means for the
 * session is for the session to say.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<unknown>} action
 */
export function onPress(button, action) {
  button.addEventListener('click', () => {
    const failed = placeOf(button);
    if (failed) failed.hidden = true;
    void attempt(button, action, (err) => {
      if (!failed) return;
      failed.textContent = errorWords(err);
      failed.hidden = false;
    });
  });
}

/**
 * Does what a button is for, unless that is under way.
 * @param {HTMLButtonElement} button
 * @param {() => Promise<unknown>} action
 * @param {(err: unknown) => void} fail says what has gone wrong
 */
export async function attempt(button, action, fail) {
  // aria-disabled, so that the focus stays where it is.
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try {
    await action();
  } catch (err) {
    fail(err);
    await lookAfter(err);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/**
 * The same for the buttons of a view, by their data-do.
 * @param {ParentNode} root
 * @param {Record<string, () => Promise<unknown>>} actions
 */
export function onPressOf(root, actions) {
  for (const [name, action] of Object.entries(actions)) onPress(find(`[data-do="${name}"]`, root), action);
}

/**
 * Where it is said that a button's action has failed: the nearest such place behind it.
 * @param {Element} button
 * @returns {HTMLElement | undefined}
 */
function placeOf(button) {
  const places = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('#view .failed'));
  return [...places].find((place) => button.compareDocumentPosition(place) & Node.DOCUMENT_POSITION_FOLLOWING);
}

/**
 * Says at the top what has happened, until the user moves on.
 * @param {string} text
 * @param {Node[]} more
 */
export function say(text, ...more) {
  find('#notice').replaceChildren(text, ...more);
}

/**
 * Leaves for the login, which ends at the view that is open.
 * @param {import('/auth/sdk/redirect.js').SignInInput} [input]
 */
export function signIn(input) {
  return signInWithRedirect({ customState: location.hash || '#/overview', ...input });
}

import { at } from './configure.js';
import { AuthError } from './errors.js';
import { loginAddress } from './redirect.js';
import { forget, getCurrentUser, known } from './session.js';

const size = 'popup,width=480,height=720';
const lookEvery = 300; // ms between two looks whether the window is still there

/**
 * Signs in in a window of its own; this page stays. Call it in a click, or the browser opens no window.
 * @param {import('./redirect.js').SignInInput} [input] customState and returnTo have no use here
 * @returns {Promise<import('./session.js').CurrentUser>} rejects with UserAlreadyAuthenticatedException where somebody is
 *   known to be signed in and no prompt was asked for, with PopupBlockedException where there was no window, with
 *   PopupClosedException where it was closed before the end, and with OAuthSignInException where the login was refused
 */
export function signInWithPopup(input = {}) {
  // A login in place of this session would end it. To ask the gateway first would take the click from the window.
  if (known && !input.options?.prompt) {
    return Promise.reject(
      new AuthError({ name: 'UserAlreadyAuthenticatedException', message: 'Sign out first, or ask for a prompt.' }),
    );
  }
  const id = crypto.randomUUID();
  const options = { ...input.options, returnTo: at(`/sdk/popup.html#${id}`) };
  const popup = open(loginAddress({ ...input, options }), `gatehouse-${id}`, size);
  if (!popup) {
    return Promise.reject(
      new AuthError({
        name: 'PopupBlockedException',
        message: 'The browser has opened no window.',
        recoverySuggestion: 'Call this in a click, or use signInWithRedirect.',
      }),
    );
  }
  return ending(popup, id).then(async (failure) => {
    popup.close();
    if (failure) throw failure;
    forget();
    return getCurrentUser().catch((err) => {
      throw err.name === 'UserUnAuthenticatedException' ? closed() : err;
    });
  });
}

/**
 * Waits until the window says that the login has ended, or is gone. A page on the way that cuts the tie between the
 * windows (Cross-Origin-Opener-Policy) makes it look closed: so it counts as gone only when this page has the focus back.
 * It closes right after it has spoken: so it counts as gone at the second look, by when what it said has come.
 * @param {Window} popup
 * @param {string} id
 * @returns {Promise<AuthError | undefined>} why the login has failed, if it is known to have
 */
function ending(popup, id) {
  return new Promise((resolve) => {
    const channel = new BroadcastChannel(`gatehouse:${at()}`);
    const done = (/** @type {AuthError | undefined} */ failure) => {
      clearInterval(timer);
      channel.close();
      resolve(failure);
    };
    let missed = 0;
    const timer = setInterval(() => {
      missed = popup.closed && document.hasFocus() ? missed + 1 : 0;
      if (missed > 1) done(undefined);
    }, lookEvery);
    channel.onmessage = ({ data }) => data?.type === 'popup' && data.id === id && done(data.error && refused(data.error));
  });
}

/** @param {{code: string, requestId?: string, reason?: string}} failure */
const refused = ({ code, requestId, reason }) =>
  new AuthError({ name: 'OAuthSignInException', message: reason ?? 'The login did not work.', code, requestId });

const closed = () =>
  new AuthError({ name: 'PopupClosedException', message: 'The window was closed before anybody was signed in.' });

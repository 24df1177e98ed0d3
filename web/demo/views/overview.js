import { gatewayFetch, signInSilently, signInWithPopup } from '/auth/sdk/index.js';
import { onPress, onPressOf, signIn } from '../actions.js';
import { el, fill, find } from '../dom.js';
import { displayName, look, state } from '../state.js';
import { timeWords } from '../words.js';

/** Names of the providers that the gateway offers. @type {Promise<string[]> | undefined} */
let providers;

async function askProviders() {
  const response = await gatewayFetch('/auth/config');
  return response.ok ? (await response.json()).providers : [];
}

/** @param {HTMLElement} root */
async function showProviders(root) {
  providers ??= askProviders();
  const names = await providers.catch(() => {
    providers = undefined; // asked again with the next view
    return [];
  });
  const buttons = names.map((provider) => {
    const button = el('button', { type: 'button' }, `Continue with ${provider}`);
    onPress(button, () => signIn({ provider: { custom: provider } }));
    return button;
  });
  fill(root, { providers: buttons });
}

/** @param {Storage} storage */
const listing = (storage) => Object.entries(storage).map(([key, value]) => `${key}=${value}`).join(', ');

/** Leaves the page and comes back, once a tab: the user pool knows whoever is here, or does not. */
async function signInUnasked() {
  await signInSilently();
  throw new Error('The user pool does not know you in this browser: sign in once more.');
}

/** @type {import('../app.js').View} */
export default {
  title: 'Overview',
  open(root) {
    onPressOf(root, {
      'sign-in': signIn,
      'sign-up': () => signIn({ options: { screen: 'signup' } }),
      popup: () => signInWithPopup().then(() => look()),
      silent: signInUnasked,
    });
    void showProviders(root);
  },
  draw(root) {
    const { session } = state;
    find('[data-when="in"]', root).hidden = !session;
    find('[data-when="out"]', root).hidden = Boolean(session);
    const signedInAt = Number(session?.tokens.idToken.payload.auth_time);
    fill(root, {
      name: displayName(),
      since: signedInAt ? `You signed in ${timeWords(signedInAt)}. No token has come into this browser since.` : '',
      local: listing(localStorage) || 'nothing',
      session: listing(sessionStorage) || 'nothing',
      cookie: document.cookie || 'nothing',
    });
  },
};

import { signOut } from '/auth/sdk/index.js';
import { onPressOf } from '../actions.js';
import { state } from '../state.js';

/** @param {boolean} global */
async function leave(global) {
  state.leaving = true;
  try {
    await signOut({ global, oauth: { redirectUrl: '/' } });
  } catch (err) {
    state.leaving = false;
    throw err;
  }
}

/** @type {import('../app.js').View} */
export default {
  title: 'Sign out',
  personal: true,
  open(root) {
    onPressOf(root, { 'sign-out': () => leave(false), 'sign-out-everywhere': () => leave(true) });
  },
};

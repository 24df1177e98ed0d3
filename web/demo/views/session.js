import { extendSession, fetchAuthSession } from '/auth/sdk/index.js';
import { onPressOf } from '../actions.js';
import { Clocks } from '../clocks.js';
import { find } from '../dom.js';
import { look, state } from '../state.js';

/** @type {Clocks | undefined} */
let clocks;

/** @type {import('../app.js').View} */
export default {
  title: 'Session',
  personal: true,
  open(root) {
    const view = (/** @type {string} */ name) => {
      const text = find(`#clock-${name}`, root);
      return { text, bar: text.nextElementSibling };
    };
    clocks = new Clocks({ access: view('access'), idle: view('idle'), session: view('session') });
    onPressOf(root, {
      extend: () => extendSession().then(() => look()),
      refresh: () => fetchAuthSession({ forceRefresh: true }).then(() => look()),
    });
  },
  draw(root) {
    if (!state.session) return;
    clocks?.start(state.session);
    find('#generation', root).textContent = String(state.session.generation);
  },
  close() {
    clocks?.stop();
  },
};

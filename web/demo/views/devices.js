import { endOtherSessions, endSession, listSessions } from '/auth/sdk/index.js';
import { onPress, onPressOf } from '../actions.js';
import { el, fill, find, icon } from '../dom.js';
import { browserWords, errorWords, isPhone, timeWords } from '../words.js';

/** @typedef {import('/auth/sdk/sessions.js').Session} Session */

/** Ends the listening to the window. @type {AbortController} */
let watch;

/** @param {HTMLElement} root */
async function show(root) {
  const sessions = await listSessions();
  const list = find('[data-fill="list"]', root);
  const focused = document.activeElement?.id;
  list.removeAttribute('aria-busy');
  fill(root, { list: sessions.map((session) => row(root, session)) });
  if (focused) document.getElementById(focused)?.focus();
  find('[data-fill="others"]', root).hidden = sessions.length < 2;
  find('[data-fill="alone"]', root).hidden = sessions.length > 1;
}

/**
 * @param {HTMLElement} root
 * @param {Session} session
 */
function row(root, { id, current, createdAt, lastSeenAt, userAgent, ip }) {
  const name = el('h2', { id: `device-${id}` }, browserWords(userAgent));
  const since = el('p', {}, `Signed in ${timeWords(createdAt)} from ${ip}, last used ${timeWords(lastSeenAt)}`);
  const item = el('li', { class: 'card' }, icon(isPhone(userAgent) ? 'phone' : 'computer'), el('div', {}, name, since));
  if (current) item.append(el('span', { class: 'chip' }, 'This browser'));
  else {
    const button = el('button', { id: `end-${id}`, type: 'button', 'aria-describedby': name.id }, 'Sign out there');
    onPress(button, () => endSession(id).then(() => after(root)));
    item.append(button);
  }
  return item;
}

/**
 * After some session has ended, its button is gone.
 * @param {HTMLElement} root
 */
async function after(root) {
  await show(root);
  find('h1', root).focus();
}

/** @type {import('../app.js').View} */
export default {
  title: 'Devices',
  personal: true,
  open(root) {
    const load = () =>
      show(root).catch((err) => {
        const failed = find('.failed', root);
        failed.textContent = errorWords(err);
        failed.hidden = false;
      });
    onPressOf(root, { 'end-others': () => endOtherSessions().then(() => after(root)) });
    watch = new AbortController();
    addEventListener('focus', load, { signal: watch.signal });
    void load();
  },
  close() {
    watch.abort();
  },
};

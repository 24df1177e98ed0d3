// The page as a whole: which view is open, and what stands around it.

import { onCall } from './calls.js';
import { extendSession } from '/auth/sdk/index.js';
import { onPress, onPressOf, say, signIn } from './actions.js';
import { el, fill, find, setText } from './dom.js';
import { look, onChange, start, state } from './state.js';
import { endingWords } from './words.js';
import account from './views/account.js';
import activity from './views/activity.js';
import api from './views/api.js';
import devices from './views/devices.js';
import overview from './views/overview.js';
import session from './views/session.js';
import signOut from './views/sign-out.js';
import you from './views/you.js';

/**
 * A view of the page. Its markup is the template of its name.
 * @typedef {object} View
 * @property {string} title
 * @property {boolean} [personal] there is nothing to see for who is signed out
 * @property {(root: HTMLElement) => void} [open] makes its buttons work
 * @property {(root: HTMLElement) => void} [draw] shows what is known: once it is open, and after each change
 * @property {() => void} [close]
 */

/** By their address, which is #/NAME. @type {Record<string, View>} */
const views = { overview, you, session, activity, api, devices, account, 'sign-out': signOut };

/** Stand in for a view that cannot be shown. @type {Record<string, View>} */
const standIns = {
  waiting: { title: '' },
  unreachable: {
    title: '',
    open: (root) => onPressOf(root, { retry: look }),
    draw: (root) => fill(root, { trouble: state.trouble }),
  },
  locked: { title: '', open: openLocked },
  unknown: { title: '' },
};

const root = /** @type {HTMLElement} */ (find('#view'));
const main = /** @type {HTMLElement} */ (find('#main'));

/** Of the open view. @type {View} */
let open = standIns.waiting;
/** Name of the view that the address asks for. */
let asked = nameInAddress();

function nameInAddress() {
  return location.hash.replace(/^#\/?/, '') || 'overview';
}

/** @returns {[string, View]} the template to show, and what makes it work */
function choose() {
  const view = views[asked];
  if (!Object.hasOwn(views, asked)) return ['unknown', standIns.unknown];
  if (state.session === undefined && state.trouble) return ['unreachable', standIns.unreachable];
  if (state.session === undefined) return ['waiting', standIns.waiting];
  if (state.session === null && view.personal) return ['locked', standIns.locked];
  return [asked, view];
}

/** Brings the page up to date. @param {{moved?: boolean}} [how] moved: the user has gone to another view */
function update({ moved = false } = {}) {
  const focused = document.activeElement;
  const [template, view] = choose();
  if (moved || view !== open) {
    open.close?.();
    open = view;
    // Until the first answer the page stands as it came.
    if (view !== standIns.waiting) root.replaceChildren(find(`#view-${template}`).content.cloneNode(true));
    view.open?.(root);
  }
  view.draw?.(root);
  surround(view);
  const heading = [...root.querySelectorAll('h1')].find((h1) => h1.checkVisibility());
  document.title = `${heading?.textContent} · Gatehouse demo`;
  // Whoever moves hears and sees the new view from its top; a focus that went with its element would begin at the page's.
  if (moved || (focused && focused !== document.body && !focused.checkVisibility())) heading?.focus({ preventScroll: true });
  if (moved) scrollTo(0, 0);
}

/** What stands around the view. @param {View} view */
function surround(view) {
  const { session, trouble } = state;
  showStatus(...statusNow());
  const still = session ? 'You are still signed in, and this page tries again by itself.' : 'This page tries again by itself.';
  const banner = find('#trouble');
  banner.hidden = !trouble || view === standIns.unreachable;
  setText(banner, `${trouble} ${still}`);
  find('#top-sign-out').hidden = !session;
  find('#top-sign-in').hidden = session !== null || view === overview || view === standIns.locked;
  for (const link of document.querySelectorAll('nav a, #top-sign-out')) {
    const current = link.getAttribute('href') === (asked === 'overview' ? '#/' : `#/${asked}`);
    if (current === link.hasAttribute('aria-current')) continue;
    if (!current) link.removeAttribute('aria-current');
    else link.setAttribute('aria-current', 'page');
    if (current) link.scrollIntoView({ block: 'nearest', inline: 'center' });
  }
}

/** @returns {['error' | 'loading' | 'in' | 'out', string]} kind and text */
function statusNow() {
  if (state.trouble) return ['error', 'No answer'];
  if (state.session === undefined) return ['loading', 'Checking…'];
  return state.session ? ['in', 'Signed in'] : ['out', 'Signed out'];
}

/**
 * @param {string} kind
 * @param {string} text
 */
function showStatus(kind, text) {
  const status = find('#status');
  status.dataset.state = kind;
  setText(status, text);
}

/** @param {HTMLElement} place */
function openLocked(place) {
  fill(place, { title: views[asked].title });
  find('[data-use]', place).setAttribute('href', `#icon-${asked}`);
  onPressOf(place, { 'sign-in': signIn });
}

/** @param {import('./state.js').Payload} payload what others than this page have done */
function sayOf(payload) {
  if (payload.event === 'signedOut') say(endingWords(payload.data.reason));
  else if (payload.event === 'sessionExtended' || payload.event === 'signedIn') say('');
  else if (payload.event === 'sessionExpiring') {
    const { idleExpiresAt, sessionExpiresAt } = payload.data;
    if (idleExpiresAt >= sessionExpiresAt) return say('Your session is about to end. Then you sign in again.');
    const stay = el('button', { type: 'button' }, 'Stay signed in');
    onPress(stay, extendSession);
    say('You are about to be signed out, as nothing has happened for a while.', stay);
  }
}

addEventListener('hashchange', () => {
  if (location.hash && !location.hash.startsWith('#/')) return;
  asked = nameInAddress();
  say('');
  update({ moved: true });
});
find('.skip').addEventListener('click', (/** @type {MouseEvent} */ event) => {
  event.preventDefault(); // the fragment of the address names the view
  main.focus();
});
onPress(find('#top-sign-in'), signIn);
onChange((payload) => {
  if (payload) sayOf(payload);
  update();
});
onCall(() => open === activity && activity.draw?.(root));
update();
void start();

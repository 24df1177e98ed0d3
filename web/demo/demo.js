// The demo page: shows the session, and calls the API behind the gateway. It is
// also the shortest honest example of a page that uses the gateway by hand.

import { Clocks } from './clocks.js';
import { Problem, call, getSession, getUser, loginURL, logout, onCall, refresh } from './gateway.js';

/** @typedef {import('./gateway.js').Session} Session */
/** @typedef {import('./gateway.js').SignedIn} SignedIn */
/** @typedef {import('./gateway.js').Call} Call */

const pollEvery = 30_000; // ms between two looks at the session, while the page is visible
const logLength = 12;

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/** @param {'access' | 'idle' | 'session'} name */
function clockView(name) {
  return { text: byId(`clock-${name}`), bar: /** @type {HTMLProgressElement} */ (byId(`bar-${name}`)) };
}

const clocks = new Clocks(
  { access: clockView('access'), idle: clockView('idle'), session: clockView('session') },
  () => void look(),
);

/** The user the page was last drawn for, so that /auth/user is asked once each. */
let shownUser = '';

// --- the session ---------------------------------------------------------

/**
 * Looks at the session and draws it. Looking by itself is no use of the
 * session: a page left open must not keep it alive.
 * @param {{touch?: boolean}} [options]
 */
async function look({ touch = false } = {}) {
  showReach();
  try {
    await show(await getSession({ touch }));
  } catch (err) {
    showTrouble(err);
  }
}

/** @param {Session} session */
async function show(session) {
  const signedIn = session.authenticated;
  setStatus(signedIn ? 'in' : 'out', signedIn ? 'Signed in' : 'Signed out');
  byId('notice').hidden = true;
  byId('signed-in').hidden = !signedIn;
  byId('signed-out').hidden = signedIn;
  byId('session').hidden = !signedIn;
  byId('claims').hidden = !signedIn;
  if (!session.authenticated) {
    shownUser = '';
    clocks.stop();
    return;
  }
  clocks.start(session);
  byId('generation').textContent = String(session.generation);
  showClaims(session);
  if (shownUser !== session.userSub) {
    const user = await getUser();
    shownUser = session.userSub;
    byId('username').textContent = user.username;
  }
}

/** @param {SignedIn} session */
function showClaims(session) {
  const id = session.tokens.idToken.payload;
  const access = session.tokens.accessToken.payload;
  const email = typeof id.email === 'string' ? id.email : '';
  // In a pool whose users sign in with their e-mail the username is a UUID.
  byId('user').textContent = typeof id.name === 'string' ? id.name : email || session.username;
  byId('subject').textContent = session.userSub;
  byId('email').textContent = email || '–';
  const groups = Array.isArray(id['cognito:groups']) ? id['cognito:groups'].map(String) : [];
  byId('groups').replaceChildren(...(groups.length ? groups : ['none']).map((group) => element('li', group)));
  byId('id-claims').textContent = JSON.stringify(id, null, 2);
  byId('access-claims').textContent = JSON.stringify(access, null, 2);
}

/**
 * @param {'in' | 'out' | 'error'} state
 * @param {string} text
 */
function setStatus(state, text) {
  const status = byId('status');
  status.dataset.state = state;
  // An unchanged text is not announced again by a screen reader.
  if (status.textContent !== text) status.textContent = text;
}

/**
 * Trouble is not being signed out: what was shown stays.
 * @param {unknown} err
 */
function showTrouble(err) {
  setStatus('error', 'Not available');
  const notice = byId('notice');
  notice.hidden = false;
  notice.textContent = wordsOf(err);
}

/** @param {unknown} err */
function wordsOf(err) {
  return err instanceof Problem ? err.message : 'The gateway does not answer.';
}

// --- what the page can reach ---------------------------------------------

function showReach() {
  byId('local-storage').textContent = listing(localStorage);
  byId('session-storage').textContent = listing(sessionStorage);
  byId('cookies').textContent = document.cookie || '(empty)';
}

/**
 * @param {Storage} storage
 * @returns {string}
 */
function listing(storage) {
  return Object.keys(storage).map((key) => `${key}=${storage.getItem(key)}`).join(', ') || '(empty)';
}

// --- actions -------------------------------------------------------------

/** @param {SubmitEvent} event */
async function callAPI(event) {
  event.preventDefault();
  const path = /** @type {HTMLInputElement} */ (byId('api-path')).value;
  const result = byId('api-result');
  const body = byId('api-body');
  try {
    const { response, ms } = await call(path);
    const text = await response.text();
    result.textContent = `${response.status} ${reason(response, text)} in ${ms} ms`;
    body.textContent = pretty(text);
    body.hidden = false;
  } catch {
    result.textContent = 'No answer.';
    body.hidden = true;
  }
  await look(); // the call has moved the idle limit, or found the session ended
}

/**
 * What a status means: HTTP/2 sends no words with it, but a problem has a title.
 * @param {Response} response
 * @param {string} text the body
 */
function reason(response, text) {
  if (response.ok) return 'OK';
  try {
    return String(JSON.parse(text).title ?? response.statusText);
  } catch {
    return response.statusText;
  }
}

/**
 * @param {string} text
 * @returns {string} JSON with indents, anything else as it is
 */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function refreshTokens() {
  await show(await refresh());
}

async function signOut() {
  location.assign(await logout('/'));
}

/**
 * Runs an action for a button, one at a time. That it failed is said beside the
 * button; what it means for the session is for the session to say.
 * @param {string} id
 * @param {() => Promise<void>} action
 */
function onClick(id, action) {
  const button = /** @type {HTMLButtonElement} */ (byId(id));
  const failed = byId(`${id}-failed`);
  button.addEventListener('click', async () => {
    button.disabled = true;
    failed.hidden = true;
    try {
      await action();
    } catch (err) {
      failed.textContent = wordsOf(err);
      failed.hidden = false;
      await look();
    } finally {
      button.disabled = false;
    }
  });
}

// --- the log ---------------------------------------------------------------

/** @param {Call} made */
function logCall({ method, path, status, ms }) {
  const line = element('li', '');
  line.append(element('b', method), element('span', path), element('span', status ? String(status) : 'no answer'), element('span', `${ms} ms`));
  const log = byId('log');
  log.prepend(line);
  while (log.children.length > logLength) log.lastElementChild?.remove();
}

/**
 * @param {string} tag
 * @param {string} text
 * @returns {HTMLElement}
 */
function element(tag, text) {
  const created = document.createElement(tag);
  created.textContent = text;
  return created;
}

// --- start -----------------------------------------------------------------

onCall(logCall);
onClick('refresh', refreshTokens);
onClick('sign-out', signOut);
byId('api-form').addEventListener('submit', (event) => void callAPI(/** @type {SubmitEvent} */ (event)));
for (const button of document.querySelectorAll('[data-login]')) {
  const query = button.getAttribute('data-login') ?? '';
  // A login is a navigation, never a fetch: the user pool's pages must be seen.
  button.addEventListener('click', () => location.assign(loginURL(location.pathname + location.search + location.hash, query)));
}
setInterval(() => {
  if (!document.hidden) void look();
}, pollEvery);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void look();
});
// Back after a sign-out: the page comes from the back/forward cache, as it was.
addEventListener('pageshow', (event) => {
  if (event.persisted) void look();
});
void look({ touch: true });

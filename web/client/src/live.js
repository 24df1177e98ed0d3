// What keeps an open page up to date while somebody listens: one event stream for all tabs of this browser, what the
// tabs tell each other, and a look at the session whenever the page comes back.

import { at } from './configure.js';
import { listeners, tabs } from './hub.js';
import { ask, check, forget, hear, learn, quietly, warn } from './session.js';
import { pause } from './wire.js';

const lookAgainAfter = 5000; // ms between two looks for the sake of the focus
const forEver = 1e9; // ms: eleven days
const longestPause = 60_000; // ms between two tries to open the stream

/** Ends what begins with the first listener. */
let stop = () => {};
/** Ends the connection to stream and tabs. */
let disconnect = () => {};
/** Goes on with the stream as soon as more is known. */
let wake = () => {};
/** Ends what the tab with the stream is waiting for. */
let release = () => {};
/** Why the session of the last stream has ended. @type {string | undefined} */
let ended;
let lookedAt = 0;

/**
 * Tells of sign-ins, sign-outs and refreshes, in whichever tab or on whichever device they happen.
 * @overload
 * @param {import('./hub.js').Listener} listener
 * @returns {() => void} ends it
 */
/**
 * The same, as Amplify's Hub has it.
 * @overload
 * @param {'auth'} channel
 * @param {import('./hub.js').Listener} listener
 * @returns {() => void} ends it
 */
/**
 * @param {'auth' | import('./hub.js').Listener} channel
 * @param {import('./hub.js').Listener} [callback]
 */
export function listen(channel, callback) {
  const listener = /** @type {import('./hub.js').Listener} */ (callback ?? channel);
  const own = (/** @type {import('./hub.js').Capsule} */ capsule) => listener(capsule);
  listeners.add(own);
  if (listeners.size === 1) start();
  return () => {
    if (listeners.delete(own) && !listeners.size) stop();
  };
}

function start() {
  const watch = new AbortController();
  const { signal } = watch;
  stop = () => {
    watch.abort();
    disconnect();
  };
  addEventListener('focus', look, { signal });
  addEventListener('visibilitychange', look, { signal });
  addEventListener('online', check, { signal });
  // An open stream or a held lock keeps a page out of the back/forward cache.
  addEventListener('pagehide', () => disconnect(), { signal });
  addEventListener('pageshow', ({ persisted }) => persisted && connect(true), { signal });
  connect();
}

/** @param {boolean} [restored] from the back/forward cache */
function connect(restored) {
  const link = new AbortController();
  const { signal } = link;
  const name = `gatehouse:${at()}`;
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => hear(Object(data)); // whatever else speaks there
  tabs.post = (message) => {
    channel.postMessage(message);
    wake();
  };
  disconnect = () => {
    tabs.post = undefined;
    channel.close();
    link.abort();
    release();
  };
  forget();
  const first = ask(restored ? quietly : '/session');
  first.catch(() => {}); // whoever asks next gets the error
  navigator.locks.request(name, { signal }, () => lead(first, signal)).catch(() => {});
}

/**
 * Keeps the one stream, for as long as this tab is connected. A stream that breaks says nothing about the session: that
 * is asked for, and the stream opened again.
 * @param {Promise<import('./session.js').Answer | null>} answer
 * @param {AbortSignal} signal
 */
async function lead(answer, signal) {
  for (let failures = 0; ; answer = ask(quietly, undefined, ended)) {
    const session = await answer.catch(() => undefined);
    const spoke = session && !signal.aborted && (await follow());
    if (signal.aborted) return;
    failures = spoke ? 0 : failures + 1;
    const backoff = (1 + Math.random()) * Math.min(longestPause, 250 * 2 ** failures);
    await pause(session === null ? forEver : backoff, (end) => {
      wake = release = end;
    });
  }
}

/** @returns {Promise<boolean>} once the stream is over: whether it has told anything */
function follow() {
  return new Promise((resolve) => {
    const source = new EventSource(at('/events'), { withCredentials: true });
    /** The session that the stream tells of. @type {import('./session.js').Answer | undefined} */
    let of;
    let spoke = false;
    ended = undefined;
    release = () => {
      source.close();
      resolve(spoke);
    };
    const on = (/** @type {string} */ event, /** @type {(data: any) => void} */ take) =>
      source.addEventListener(event, ({ data }) => {
        spoke = true;
        take(JSON.parse(data));
      });
    on('session', (session) => learn((of = session)));
    on('tokenRefresh', learn);
    on('sessionExpiring', warn);
    on('signedOut', ({ reason }) => {
      // A later login in this browser ends the session before it: that is asked for, once the new cookie may be here.
      if (reason === 'revoked') ended = reason;
      else hear({ reason, of }, false);
    });
    source.onerror = release;
  });
}

/** The page is looked at again. Focus and visibility come together, and often. */
function look() {
  if (document.visibilityState !== 'visible' || Date.now() - lookedAt < lookAgainAfter) return;
  lookedAt = Date.now();
  check();
}

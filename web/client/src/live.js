// What keeps an open page up to date while somebody listens: one event stream for all tabs of this browser, what the
// tabs tell each other, and a look at the session whenever the page comes back.

import { at } from './configure.js';
import { listeners, tabs } from './hub.js';
import { page } from './page.js';
import { ask, check, forget, hear, learn, quietly, warn } from './session.js';
import { pause } from './wire.js';

const lookAgainAfter = 5000; // ms between two looks for the sake of the focus
const longestPause = 60_000; // ms between two tries to open the stream

/** Ends the listening to the window; undefined while nobody listens. @type {AbortController | undefined} */
let watch;
/** Ends the connection to stream and tabs. @type {AbortController} */
let link;
/** Goes on with the stream as soon as more is known. */
let wake = () => {};
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
  const listener = typeof channel === 'function' ? channel : callback;
  const own = (/** @type {import('./hub.js').Capsule} */ capsule) => listener?.(capsule);
  listeners.add(own);
  if (!watch) start();
  return () => {
    listeners.delete(own);
    if (!listeners.size) stop();
  };
}

function start() {
  watch = new AbortController();
  const { signal } = watch;
  addEventListener('focus', look, { signal });
  addEventListener('visibilitychange', look, { signal });
  addEventListener('online', backOnline, { signal });
  // An open stream or a held lock keeps a page out of the back/forward cache.
  addEventListener('pagehide', disconnect, { signal });
  addEventListener('pageshow', ({ persisted }) => persisted && connect(true), { signal });
  connect();
}

function stop() {
  watch?.abort();
  watch = undefined;
  disconnect();
}

/** @param {boolean} [restored] from the back/forward cache */
function connect(restored) {
  page.leaving = false;
  link = new AbortController();
  const { signal } = link;
  const name = `gatehouse:${at()}`;
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => {
    hear(data);
    wake();
  };
  signal.addEventListener('abort', () => channel.close());
  tabs.post = (message) => {
    channel.postMessage(message);
    wake();
  };
  forget();
  const first = ask(restored ? quietly : '/session');
  first.catch(() => {}); // whoever asks next gets the error
  const work = () => lead(first, signal);
  // Without locks, which is without https, every tab has a stream of its own.
  if (navigator.locks) navigator.locks.request(name, { signal }, work).catch(() => {});
  else work();
}

function disconnect() {
  link.abort();
  wake();
  tabs.post = () => {};
}

/**
 * Keeps the one stream, for as long as this tab is connected. A stream that breaks says nothing about the session: that
 * is asked for, and the stream opened again.
 * @param {Promise<import('./session.js').Answer | null>} answer
 * @param {AbortSignal} signal
 */
async function lead(answer, signal) {
  for (let failures = 0; ; answer = ask(quietly)) {
    const session = await answer.catch(() => undefined);
    const spoke = session && !signal.aborted && (await follow(signal));
    if (signal.aborted) return;
    failures = spoke ? 0 : failures + 1;
    const rest = new AbortController();
    wake = () => rest.abort();
    const backoff = (1 + Math.random()) * Math.min(longestPause, 500 * 2 ** failures);
    await pause(session === null ? 2 ** 31 - 1 : backoff, rest.signal);
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} once the stream is over: whether it has told anything
 */
function follow(signal) {
  return new Promise((resolve) => {
    const source = new EventSource(at('/events'), { withCredentials: true });
    let spoke = false;
    const done = () => {
      source.close();
      signal.removeEventListener('abort', done);
      resolve(spoke);
    };
    const on = (/** @type {string} */ event, /** @type {(data: any) => void} */ take) =>
      source.addEventListener(event, ({ data }) => {
        spoke = true;
        take(JSON.parse(data));
      });
    on('session', (session) => learn(session));
    on('tokenRefresh', (session) => learn(session));
    on('sessionExpiring', (limits) => warn(limits));
    on('signedOut', ({ reason }) => {
      learn(null, reason);
      done();
    });
    source.onerror = done;
    signal.addEventListener('abort', done);
  });
}

/** The page is looked at again. Focus and visibility come together, and often. */
function look() {
  if (document.visibilityState !== 'visible' || Date.now() - lookedAt < lookAgainAfter) return;
  lookedAt = Date.now();
  check();
}

function backOnline() {
  check();
  wake();
}

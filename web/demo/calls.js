// What this page asks for. fetch is wrapped before the client is loaded, so that its own calls are seen too.

/**
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path
 * @property {number} status 0 if there was no answer
 * @property {number} ms
 * @property {Date} at
 */

const most = 50;

/** Newest first. @type {Call[]} */
export const calls = [];

/** @type {() => void} */
let report = () => {};

/** @param {() => void} listener is told of every call */
export function onCall(listener) {
  report = listener;
}

const bare = globalThis.fetch;

globalThis.fetch = async (input, init) => {
  const request = input instanceof Request ? input : undefined;
  const method = init?.method ?? request?.method ?? 'GET';
  const { origin, pathname, search } = new URL(request?.url ?? input.toString(), location.href);
  const start = performance.now();
  const done = (/** @type {number} */ status) => {
    const path = (origin === location.origin ? '' : origin) + pathname + search;
    calls.unshift({ method, path, status, ms: Math.round(performance.now() - start), at: new Date() });
    calls.length = Math.min(calls.length, most);
    report();
  };
  try {
    const response = await bare(input, init);
    done(response.status);
    return response;
  } catch (err) {
    done(0);
    throw err;
  }
};

// Calls of the gateway: how they are sent, repeated and judged.

import { at, settings } from './configure.js';
import { AuthError, signedOutError } from './errors.js';

const repeats = 3;
const patience = 30_000; // ms that the repeats of one call may take in all

/**
 * What problems of the gateway are called elsewhere already, by status. Any other is called by its code.
 * @type {Record<number, string>}
 */
const names = {
  401: signedOutError,
  429: 'LimitExceededException',
  503: 'ServiceUnavailableException',
};

/**
 * A problem as the gateway words it (RFC 9457).
 * @typedef {{code?: string, detail?: string, requestId?: string, loginUrl?: string}} Problem
 */

/**
 * Tells an answer that the gateway made itself from one of an API behind it, or of a proxy before it.
 * @param {Response} response
 */
export function isOwn(response) {
  return response.headers.get('X-Gatehouse') === '1';
}

/**
 * The error that an answer stands for. Only a problem of the gateway's own gets one of its names: whatever a proxy
 * says, it cannot say that nobody is signed in.
 * @param {Response} response
 * @param {Problem} [problem] what the gateway says, if it was the gateway that answered
 */
export function toError(response, problem) {
  const { status } = response;
  const { code = '', detail } = problem ?? {};
  return new AuthError({
    ...problem,
    name: (code && names[status]) || (status > 501 ? 'NetworkError' : toName(code || 'unexpected_response')),
    message: detail ?? `Unexpected answer: ${status}.`,
    status,
    retryAfter: retryAfter(response) || undefined,
  });
}

/** @param {string} code such as `step_up_required`, which is a StepUpRequiredException */
const toName = (code) => code.replace(/(?:^|_)(.)/g, (_, letter) => letter.toUpperCase()) + 'Exception';

/**
 * Sends a request, and repeats it while the gateway says that it cannot answer now and when to try again. Such a request
 * has reached no API, so that any method may be repeated.
 * @param {() => Promise<Response>} attempt
 * @param {boolean} [once] the request cannot be sent a second time
 * @param {AbortSignal | null} [signal] ends the waiting too
 */
export async function send(attempt, once, signal) {
  const giveUpAt = Date.now() + patience;
  for (let left = once ? 0 : repeats; ; left--) {
    const response = await attempt().catch(lost);
    const wait = 1000 * retryAfter(response);
    const again = left && response.status === 503 && isOwn(response) && Date.now() + wait <= giveUpAt;
    if (!again) return response;
    await pause(wait, (end) => signal?.addEventListener('abort', end));
  }
}

/**
 * Calls one of the gateway's endpoints.
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<{response: Response, body: any}>} a successful answer of the gateway's own
 */
export async function call(path, init) {
  const headers = { [settings.csrfHeader]: '1' };
  const response = await send(() => fetch(at(path), { ...init, headers, credentials: 'include' }));
  const body = isOwn(response) && (response.status === 204 ? {} : await response.json().catch(noJSON));
  if (!response.ok || !body) throw toError(response, body);
  return { response, body };
}

/**
 * In how many seconds to try again, 0 or more; not a number if the answer does not say.
 * @param {Response} response
 */
function retryAfter(response) {
  const text = response.headers.get('Retry-After') ?? '';
  return Math.max(0, Number(text) || (Date.parse(text) - Date.now()) / 1000);
}

/**
 * fetch throws a TypeError for whatever keeps it from an answer. An AbortError is the caller's own doing.
 * @param {unknown} err
 * @returns {never}
 */
function lost(err) {
  if (!(err instanceof TypeError)) throw err;
  throw new AuthError({ name: 'NetworkError', message: 'The gateway does not answer.', underlyingError: err });
}

/**
 * @param {unknown} err
 * @returns {undefined}
 */
export function noJSON(err) {
  if (!(err instanceof SyntaxError)) lost(err);
}

/**
 * Waits.
 * @param {number} ms
 * @param {(end: () => void) => void} handOver takes what ends the waiting early
 * @returns {Promise<void>}
 */
export function pause(ms, handOver) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    handOver(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

// Calls of the gateway: how they are sent, repeated and judged.

import { at, settings } from './configure.js';
import { AuthError, signedOutError } from './errors.js';

const repeats = 3;
const patience = 30_000; // ms that the repeats of one call may take in all

/**
 * Names of the gateway's problems, by code or else by status.
 * @type {Record<string, string>}
 */
const names = {
  unauthenticated: signedOutError,
  cross_origin: 'CrossOriginException',
  csrf_header_missing: 'CsrfHeaderMissingException',
  step_up_required: 'StepUpRequiredException',
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
 * @param {Response} response
 * @param {Problem} [problem]
 * @returns {string | undefined} how the client calls this problem of the gateway's own
 */
export function nameOf({ status }, problem) {
  return problem && (names[problem.code ?? ''] ?? names[status]);
}

/**
 * The error that an answer stands for. Only a problem of the gateway's own gets one of its names: whatever a proxy
 * says, it cannot say that nobody is signed in.
 * @param {Response} response
 * @param {Problem} [problem] what the gateway says, if it was the gateway that answered
 */
export function toError(response, problem) {
  const { status } = response;
  return new AuthError({
    name: nameOf(response, problem) ?? (status >= 502 && status <= 504 ? 'NetworkError' : 'UnexpectedResponseException'),
    message: problem?.detail ?? `The answer (${status}) is not the gateway's.`,
    status,
    code: problem?.code,
    requestId: problem?.requestId,
    loginUrl: problem?.loginUrl,
    retryAfter: retryAfter(response) || undefined,
  });
}

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
    if (!left || response.status !== 503 || !isOwn(response) || !(Date.now() + wait <= giveUpAt)) return response;
    await pause(wait, signal);
  }
}

/**
 * Calls one of the gateway's endpoints.
 * @param {string} path
 * @param {RequestInit} [init]
 * @returns {Promise<{response: Response, body: any}>} a successful answer of the gateway's own; body is undefined where
 *   there is none
 */
export async function call(path, init) {
  const response = await send(() =>
    fetch(at(path), {
      ...init,
      credentials: 'include',
      headers: { Accept: 'application/json', [settings.csrfHeader]: '1', ...init?.headers },
    }),
  );
  const body = isOwn(response) ? await response.json().catch(noJSON) : undefined;
  if (!response.ok || !(body || (isOwn(response) && response.status === 204))) throw toError(response, body);
  return { response, body };
}

/**
 * In how many seconds to try again, 0 or more; not a number if the answer does not say.
 * @param {Response} response
 */
function retryAfter(response) {
  const text = response.headers.get('Retry-After') ?? '';
  return Math.max(0, /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000);
}

/**
 * fetch throws a TypeError for whatever keeps it from an answer. An AbortError is the caller's own doing.
 * @param {unknown} err
 * @returns {never}
 */
function lost(err) {
  if (!(err instanceof TypeError)) throw err;
  throw new AuthError({ name: 'NetworkError', message: 'The gateway cannot be reached.', underlyingError: err });
}

/**
 * @param {unknown} err
 * @returns {undefined}
 */
function noJSON(err) {
  if (!(err instanceof SyntaxError)) lost(err);
}

/**
 * Waits, but no longer than the signal allows.
 * @param {number} ms
 * @param {AbortSignal | null} [signal]
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}

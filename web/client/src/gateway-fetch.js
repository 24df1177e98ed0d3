import { at, settings } from './configure.js';
import { signedOutError } from './errors.js';
import { page } from './page.js';
import { leaveToSignIn } from './redirect.js';
import { known, learn } from './session.js';
import { signInWithPopup } from './sign-in-popup.js';
import { isOwn, send, toError } from './wire.js';

/** The login in a window that calls are waiting for. @type {Promise<unknown> | undefined} */
let popup;

/**
 * fetch for calls through the gateway. What the API answers is returned as fetch would, its own 401, 403 and 503 too.
 * What the gateway refuses is thrown, by its name; a 503 of the gateway's is waited out first.
 * @param {RequestInfo | URL} input
 * @param {RequestInit & {login?: boolean | 'popup'}} [init] login: as in configure, for this call
 * @returns {Promise<Response>}
 */
export async function gatewayFetch(input, { login = settings.login, ...init } = {}) {
  const request = new Request(input, init);
  const gateway = new URL(at());
  // Another origin gets neither header nor cookie, only what the caller says.
  if (new URL(request.url).origin !== gateway.origin) return fetch(request);

  request.headers.set(settings.csrfHeader, '1');
  // What is named here is set anew, and with it the referrer.
  const { referrer, referrerPolicy } = request;
  /** @type {RequestInit | undefined} */
  const elsewhere = gateway.origin === location.origin ? undefined : { credentials: 'include', referrer, referrerPolicy };
  const once = init.body instanceof ReadableStream;
  const attempt = () => fetch(once ? request : request.clone(), elsewhere);

  for (let again = !once && login === 'popup', late = true; ; ) {
    const before = known;
    const response = await send(attempt, once, request.signal);
    const error = await refusal(request, response);
    if (!error) return response;
    if (error.name !== signedOutError) throw error;
    if (late && known && known !== before) {
      // The call may have been sent before somebody signed in.
      if (once) throw error;
      late = false;
      continue;
    }
    learn(null, 'expired');
    if (login === true) return leaveOnce();
    if (!again) throw error;
    popup ??= signInWithPopup().finally(() => (popup = undefined));
    await popup;
    again = false;
  }
}

/**
 * @param {Request} request
 * @param {Response} response
 * @returns {Promise<import('./errors.js').AuthError | undefined>} the problem of the gateway's own that it stands for
 */
async function refusal({ method }, response) {
  if (response.ok || !isOwn(response)) return undefined;
  // The answer to a HEAD has no body: its status must do.
  const problem = method === 'HEAD' ? { code: 'refused' } : await response.clone().json().catch(() => undefined);
  return problem?.code ? toError(response, problem) : undefined;
}

/**
 * Leaves for the login, once for however many calls. They never settle: the page is going.
 * @returns {Promise<never>}
 */
function leaveOnce() {
  if (!page.leaving) leaveToSignIn({});
  return new Promise(() => {});
}

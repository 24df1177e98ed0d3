/**
 * What the page popup.html runs: the end of a login in a window of its own.
 *
 * It tells the pages of this origin that the login has ended, and closes its window. It does so by
 * BroadcastChannel, because a page on the way may have cut the tie to the window that opened this one
 * (Cross-Origin-Opener-Policy). Who is signed in is not said here: whoever hears of it asks the gateway.
 */

const query = new URLSearchParams(location.search);

/** Where the gateway's endpoints are: this page is `<gateway>/sdk/popup.html`. */
const gateway = new URL('..', location.href).href.slice(0, -1);

/**
 * @typedef {object} PopupMessage
 * @property {'popup'} type
 * @property {string} id what stood behind the `#` of the page's address: the name of the login, made by who began it
 * @property {{code: string, requestId?: string, reason?: string}} [error] why there is no new session; `reason` is the
 *   user pool's own text
 */

/** @type {PopupMessage} */
const message = { type: 'popup', id: location.hash.slice(1) };
const code = query.get('code');
if (code) {
  message.error = { code, requestId: query.get('requestId') ?? undefined, reason: query.get('reason') ?? undefined };
}

const channel = new BroadcastChannel(`gatehouse:${gateway}`);
channel.postMessage(message);
channel.close();
close();

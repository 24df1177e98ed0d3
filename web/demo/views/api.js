import { gatewayFetch } from '/auth/sdk/index.js';
import { el, find } from '../dom.js';
import { look } from '../state.js';
import { errorWords, statusWords } from '../words.js';

/** @type {WebSocket | undefined} */
let socket;

/**
 * Calls the API, and shows its answer or what the client makes of the gateway's.
 * @param {HTMLElement} root
 */
async function call(root) {
  const method = find('#api-method', root).value;
  const result = find('#api-result', root);
  const body = find('#api-body', root);
  const show = (/** @type {string} */ text, /** @type {string} */ more, ok = false) => {
    result.textContent = text;
    result.dataset.state = ok ? 'good' : 'bad';
    body.textContent = more;
    body.hidden = !more;
  };
  result.textContent = 'On its way…';
  delete result.dataset.state;
  const start = performance.now();
  const after = () => `in ${Math.round(performance.now() - start)} ms`;
  const json = { headers: { 'Content-Type': 'application/json' }, body: '{"from": "the demo page"}' };
  try {
    const init = method === 'POST' ? { method, ...json } : {};
    const response = await gatewayFetch(find('#api-path', root).value, init);
    const text = await response.text();
    show(`${statusWords(response.status)} ${after()}`, pretty(text), response.ok);
  } catch (err) {
    const { name, message, status, code, requestId, loginUrl } = /** @type {import('/auth/sdk/index.js').AuthError} */ (err);
    const thrown = JSON.stringify({ name, message, status, code, requestId, loginUrl }, null, 2);
    show(status ? `${statusWords(status)} ${after()}` : errorWords(err), thrown);
  }
  await look(); // the call has moved the idle limit, or found the session ended
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

/**
 * Opens the WebSocket, or closes it.
 * @param {HTMLElement} root
 */
function toggle(root) {
  if (socket) return socket.close();
  const opened = (socket = new WebSocket(new URL('/api/socket', location.href).href.replace(/^http/, 'ws')));
  const said = find('#socket-state', root);
  const draw = (/** @type {boolean} */ isOpen, /** @type {string} */ text) => {
    said.textContent = text;
    said.dataset.state = isOpen ? 'good' : '';
    find('#socket-open', root).textContent = isOpen ? 'Disconnect' : 'Connect';
    find('#socket-form [type=submit]', root).disabled = !isOpen;
  };
  let greeted = false;
  said.textContent = 'Connecting…';
  opened.onopen = () => {
    greeted = true;
    draw(true, 'Connected.');
  };
  opened.onmessage = ({ data }) => log(root, 'received', String(data));
  opened.onclose = () => {
    socket = undefined;
    // A script is not told why a handshake was refused.
    draw(false, greeted ? 'The connection has ended.' : 'Not connected: it was refused. Are you signed in?');
  };
}

/** @param {HTMLElement} root */
function send(root) {
  const text = find('#socket-text', root).value;
  socket?.send(text);
  log(root, 'sent', text);
}

/**
 * @param {HTMLElement} root
 * @param {'sent' | 'received'} direction
 * @param {string} text
 */
function log(root, direction, text) {
  const time = el('time', {}, new Date().toLocaleTimeString('en-GB'));
  find('#socket-log', root).prepend(el('li', {}, time, el('span', { class: 'what' }, text), el('span', {}, direction)));
}

/** @type {import('../app.js').View} */
export default {
  title: 'API',
  open(root) {
    const submit = (/** @type {string} */ form, /** @type {() => unknown} */ action) =>
      find(form, root).addEventListener('submit', (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        void action();
      });
    submit('#api-form', () => call(root));
    submit('#socket-form', () => send(root));
    find('#socket-open', root).addEventListener('click', () => toggle(root));
  },
  close() {
    socket?.close();
  },
};

// Plain servers on this machine, to stand behind the gateway or beside it.

import { once } from 'node:events';
import http from 'node:http';

/**
 * A running server.
 * @typedef {object} Upstream
 * @property {string} url http://127.0.0.1:PORT
 * @property {http.IncomingMessage[]} requests what it was asked, oldest first
 * @property {() => void} stop
 */

/**
 * @param {http.RequestListener} [listener] default: answers with an empty JSON object
 * @returns {Promise<Upstream>}
 */
export async function serve(listener = answerJSON) {
  /** @type {http.IncomingMessage[]} */
  const requests = [];
  const server = http.createServer((request, response) => {
    requests.push(request);
    listener(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** @type {http.RequestListener} */
function answerJSON(_, response) {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end('{}');
}

/**
 * A page with one link, on a site that is not the gateway's: 127.0.0.1 and
 * localhost are two sites to a browser.
 * @param {string} href
 * @returns {http.RequestListener}
 */
export function linkTo(href) {
  return (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end(`<!doctype html><title>Another site</title><a href="${href}">Go there</a>`);
  };
}

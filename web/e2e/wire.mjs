// Records every byte of every answer that a browser is given.
//
// It is a forward proxy rather than a listener in the browser: a page that
// leaves at once takes the bodies of its answers with it, interim answers are
// never reported, and a scan that misses some answers proves nothing.

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { selfSigned } from './certificate.mjs';

/**
 * An answer as it went to the browser.
 * @typedef {object} Answer
 * @property {string} url
 * @property {number} status
 * @property {string} head header lines, those of interim answers too
 * @property {string} body
 */

// JSON Web Tokens (RFC 7519), and the JWE that Cognito's refresh tokens are: a
// base64url header that begins with `{"`, and at least two parts more.
const token = /eyJ[\w-]{8,}(?:\.|%2E)[\w-]*(?:\.|%2E)[\w-]+/gi;

/** Claims in the form of a token, as the façade for aws-amplify gives them: their header and their signature are texts. */
const shadow = new RegExp(`^${Buffer.from('{"alg":"BFF","typ":"JWT"}').toString('base64url')}(\\.|%2E)[\\w-]+\\1unsigned$`);

/**
 * Tokens in a text, shortened so that a report does not spread them.
 * @param {string} text
 * @returns {string[]}
 */
export function tokensIn(text) {
  return (text.match(token) ?? []).filter((found) => !shadow.test(found)).map((found) => `${found.slice(0, 12)}… (${found.length} characters)`);
}

/** A recording forward proxy for plain http and tunnels, on this machine only. It sees into https where it is told to. */
export class Wire {
  /** @param {{https?: boolean}} [options] https: stands in for each server, with a certificate of its own */
  constructor(options = {}) {
    this.options = options;
    /** @type {Answer[]} */
    this.answers = [];
    /**
     * What a front on the way does to the headers of requests; here, nothing.
     * @type {(headers: http.IncomingHttpHeaders) => void}
     */
    this.passOn = () => {};
    this.agent = new http.Agent({ keepAlive: true });
    // A certificate that was made on the spot is known to nobody.
    this.secureAgent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
    /** Where connections inside of tunnels lead. @type {WeakMap<net.Socket, string>} */
    this.origins = new WeakMap();
    this.server = http.createServer((request, response) => this.#forward(request, response));
    this.server.on('connect', (request, socket, head) => this.#tunnel(request, socket, head));
  }

  /** @returns {Promise<string>} the proxy's address */
  async start() {
    if (this.options.https) this.certificate = await selfSigned('localhost');
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    const { port } = /** @type {net.AddressInfo} */ (this.server.address());
    return `http://127.0.0.1:${port}`;
  }

  stop() {
    this.agent.destroy();
    this.secureAgent.destroy();
    this.certificate?.remove();
    this.server.closeAllConnections();
    this.server.close();
  }

  /**
   * Every token in the answers so far, with the place it was found in.
   * @returns {string[]}
   */
  leaks() {
    return this.answers.flatMap(({ url, head, body }) =>
      [
        ['address', url],
        ['head', head],
        ['body', body],
      ].flatMap(([place, text]) => tokensIn(text).map((found) => `${place} of ${url.split('?')[0]}: ${found}`)),
    );
  }

  /**
   * @param {http.IncomingMessage} request
   * @param {http.ServerResponse} response
   */
  #forward(request, response) {
    const url = new URL(request.url ?? '', this.origins.get(request.socket));
    // The browser's own errands, such as looking for updates, end here.
    if (!loopback(url.hostname)) return response.writeHead(403).end();
    /** @type {Answer} */
    const answer = { url: url.href, status: 0, head: '', body: '' };
    this.answers.push(answer);
    const headers = { ...request.headers };
    delete headers['proxy-connection'];
    delete headers['accept-encoding']; // a compressed body hides what it holds
    this.passOn(headers);
    const { hostname, port, pathname, search } = url;
    const secure = url.protocol === 'https:';
    const onward = (secure ? https : http).request({
      agent: secure ? this.secureAgent : this.agent,
      hostname, port, path: pathname + search, method: request.method, headers,
    });
    onward.on('information', ({ rawHeaders }) => (answer.head += lines(rawHeaders)));
    onward.on('response', (incoming) => {
      answer.status = incoming.statusCode ?? 0;
      answer.head += lines(incoming.rawHeaders);
      response.writeHead(answer.status, incoming.rawHeaders);
      incoming.on('data', (chunk) => {
        answer.body += chunk.toString('latin1');
        response.write(chunk);
      });
      incoming.on('end', () => {
        answer.head += lines(incoming.rawTrailers);
        response.end();
      });
      incoming.on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  /**
   * Tunnels are asked for by WebSockets, and for https.
   * @param {http.IncomingMessage} request
   * @param {import('node:stream').Duplex} socket
   * @param {Buffer} head
   */
  #tunnel(request, socket, head) {
    const [host, port] = (request.url ?? '').split(':');
    if (!loopback(host)) return socket.destroy();
    socket.on('error', () => socket.destroy());
    if (this.certificate) {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      const { cert, key } = this.certificate;
      const inside = new tls.TLSSocket(socket, { isServer: true, cert, key });
      inside.on('error', () => inside.destroy());
      this.origins.set(inside, `https://${host}:${port}`);
      this.server.emit('connection', inside);
      return;
    }
    const onward = net.connect(Number(port), host.endsWith('.test') ? '127.0.0.1' : host, () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  }
}

/**
 * Whether a host is on this machine: those of .test, which nobody else has, are taken to be.
 * @param {string} host
 */
function loopback(host) {
  return host === 'localhost' || host === '127.0.0.1' || host.endsWith('.test');
}

/** @param {string[]} raw names and values by turns */
function lines(raw) {
  let text = '';
  for (let i = 0; i < raw.length; i += 2) text += `${raw[i]}: ${raw[i + 1]}\n`;
  return text;
}

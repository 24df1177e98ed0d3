// Builds and runs the gateway for the browser tests.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const startWithin = 20_000; // ms
const stopWithin = 15_000; // ms

/**
 * A running `gateway dev`.
 * @typedef {object} Gateway
 * @property {string} url the gateway, http://localhost:PORT, or https with --tls
 * @property {string} port
 * @property {string} hosted the emulator's hosted pages, http://127.0.0.1:PORT
 * @property {() => Promise<void>} stop ends it, and complains if it does not end well
 */

/**
 * Returns a port that was free a moment ago.
 * @returns {Promise<number>}
 */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Starts `gateway dev` on two free ports and waits until it answers.
 * @param {string[]} [args] further flags
 * @returns {Promise<Gateway>}
 */
export async function startDev(args = []) {
  const binary = await findBinary();
  const [port, cognitoPort] = [await freePort(), await freePort()];
  const child = spawn(
    binary.path,
    ['dev', '--listen', `127.0.0.1:${port}`, '--cognito-listen', `127.0.0.1:${cognitoPort}`, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));

  const stop = async () => {
    const impatience = setTimeout(() => child.kill('SIGKILL'), stopWithin);
    child.kill('SIGTERM');
    await exited; // at once if it has ended already
    clearTimeout(impatience);
    await binary.remove();
    if (child.exitCode !== 0) throw new Error(`gateway dev ended with ${child.exitCode ?? child.signalCode}:\n${output}`);
  };
  const scheme = args.includes('--tls') ? 'https' : 'http';
  try {
    await answers(`${scheme}://127.0.0.1:${port}/auth/healthz`, child);
  } catch (err) {
    await stop().catch(() => {});
    throw new Error(`gateway dev: ${/** @type {Error} */ (err).message}\n${output}`);
  }
  return {
    url: `${scheme}://localhost:${port}`,
    port: String(port),
    hosted: `http://127.0.0.1:${cognitoPort}`,
    stop,
  };
}

/** Takes the binary named by GATEWAY_BIN, or builds one. */
async function findBinary() {
  if (process.env.GATEWAY_BIN) return { path: process.env.GATEWAY_BIN, remove: async () => {} };
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  const path = join(dir, 'gateway');
  await promisify(execFile)('go', ['build', '-o', path, './cmd/gateway'], { cwd: root });
  return { path, remove: () => rm(dir, { recursive: true }) };
}

/**
 * @param {string} url
 * @param {import('node:child_process').ChildProcess} child
 */
async function answers(url, child) {
  for (const deadline = Date.now() + startWithin; Date.now() < deadline; ) {
    if (child.exitCode !== null) throw new Error(`ended with status ${child.exitCode}`);
    const status = await statusOf(url);
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} did not answer within ${startWithin} ms`);
}

/**
 * @param {string} url
 * @returns {Promise<number>} 0 if nothing answers
 */
function statusOf(url) {
  return new Promise((resolve) => {
    // The certificate of --tls was made on the spot: nobody could know it.
    const request = url.startsWith('https:') ? https.get(url, { rejectUnauthorized: false }) : http.get(url);
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', () => resolve(0));
  });
}

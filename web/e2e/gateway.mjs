// Builds and runs the gateway's commands for the browser tests.

import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Both in ms, and there for what never comes: a busy machine must not reach them.
const startWithin = 120_000;
const stopWithin = 60_000;

/**
 * A running gateway with its user pool.
 * @typedef {object} Gateway
 * @property {string} url the gateway, http://localhost:PORT, or https with --tls
 * @property {string} port
 * @property {string} hosted the emulator's hosted pages, http://127.0.0.1:PORT
 * @property {() => Promise<void>} stop ends it, and complains if it does not end well
 */

/**
 * Returns a port that nobody listens on, and that the system gives to no
 * connection by itself. It is this process's own until its end: its UDP port is
 * taken, which is how other tests see it (internal/freeport).
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (await reserve(port)) return port;
  }
}

/** @param {number} port */
async function reserve(port) {
  const taken = createSocket('udp4');
  try {
    taken.bind(port, '127.0.0.1');
    await once(taken, 'listening');
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
  } catch {
    taken.close();
    return false;
  }
  taken.unref();
  return true;
}

/** @returns {Promise<Ports>} ports for a gateway and its user pool */
export async function freePorts() {
  return { gateway: await freePort(), cognito: await freePort() };
}

/** @typedef {{gateway: number, cognito: number}} Ports */

/**
 * Starts `gateway dev` and waits until it answers.
 * @param {string[]} [args] further flags
 * @param {Ports} [ports] default: two free ones
 * @returns {Promise<Gateway & {admin: string}>}
 */
export async function startDev(args = [], ports) {
  const { gateway, cognito } = ports ?? (await freePorts());
  const scheme = args.includes('--tls') ? 'https' : 'http';
  const listen = { '--listen': gateway, '--cognito-listen': cognito, '--admin-listen': await freePort() };
  const stop = await start(
    ['dev', ...Object.entries(listen).flatMap(([flag, port]) => [flag, `127.0.0.1:${port}`]), ...args],
    `${scheme}://127.0.0.1:${gateway}/auth/healthz`,
  );
  return {
    url: `${scheme}://localhost:${gateway}`,
    port: String(gateway),
    hosted: `http://127.0.0.1:${cognito}`,
    admin: `http://127.0.0.1:${listen['--admin-listen']}`,
    stop,
  };
}

/**
 * What a gateway has counted.
 * @param {string} admin address of its admin listener
 * @param {string} metric
 * @param {string} [label]
 * @returns {Promise<number>} the sum of the metric's values, of those with the label
 */
export async function metricOf(admin, metric, label = '') {
  const lines = (await (await fetch(`${admin}/metrics`)).text()).split('\n');
  const values = lines.filter((line) => line.match(`^${metric}[{ ]`) && line.includes(label));
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/**
 * A gateway that can be ended while its user pool stays, and asked what it has counted.
 * @typedef {object} Served
 * @property {() => Promise<() => Promise<void>>} shutDown ends the gateway; what it gives starts it again
 * @property {(metric: string, label?: string) => Promise<number>} metric the sum of a metric's values, of those with a label
 *   such as `call="refresh"`
 */

/**
 * Starts `gateway serve` with a configuration file, and `gateway cognito` as its
 * user pool.
 * @param {{session: object, routes: object[], public_url?: string, [key: string]: unknown}} settings the rest of the
 *   configuration: keys and what is particular to loopback is there already
 * @param {{ports?: Ports, pool?: string[]}} [options] ports: default, free ones; pool: further flags of `gateway cognito`
 * @returns {Promise<Gateway & Served>}
 */
export async function startServe(settings, options = {}) {
  const ports = options.ports ?? (await freePorts());
  const admin = await freePort();
  const url = settings.public_url ?? `http://localhost:${ports.gateway}`;
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  const file = join(dir, 'gatehouse.yaml');
  const stopPool = await start(
    ['cognito', '--listen', `127.0.0.1:${ports.cognito}`, '--gateway', url, ...(options.pool ?? [])],
    `http://127.0.0.1:${ports.cognito}/`,
  );
  const serve = () => start(['serve', '--config', file], `http://127.0.0.1:${admin}/healthz`);
  let stop = async () => {};
  const stopAll = async () => {
    await Promise.all([stop(), stopPool(), rm(dir, { recursive: true })]);
  };
  try {
    const { stdout } = await promisify(execFile)(await binary(), ['keygen']);
    const { session, ...others } = settings;
    const particular = { ...loopback(url, ports), admin_listen: `127.0.0.1:${admin}` };
    await writeFile(file, JSON.stringify({ ...particular, session: { keys: [stdout.trim()], ...session }, ...others }));
    stop = await serve();
    return {
      url,
      port: String(ports.gateway),
      hosted: `http://127.0.0.1:${ports.cognito}`,
      stop: stopAll,
      async shutDown() {
        await stop();
        stop = async () => {};
        return async () => void (stop = await serve());
      },
      metric: (metric, label) => metricOf(`http://127.0.0.1:${admin}`, metric, label),
    };
  } catch (err) {
    await stopAll().catch(() => {});
    throw err;
  }
}

/**
 * Starts `gateway cognito` alone, with a pool of the test's own.
 * @param {object} seed what its seed file says
 * @returns {Promise<{api: string, hosted: string, stop: () => Promise<void>}>} api: the base of the JSON API; hosted: of the pages
 */
export async function startPool(seed) {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  try {
    await writeFile(join(dir, 'pool.yaml'), JSON.stringify(seed)); // JSON is YAML
    const hosted = `http://127.0.0.1:${port}/`;
    const stop = await start(['cognito', '--listen', `127.0.0.1:${port}`, '--seed', join(dir, 'pool.yaml')], hosted);
    return { api: `http://localhost:${port}`, hosted, stop };
  } finally {
    await rm(dir, { recursive: true }); // it was read at the start
  }
}

/**
 * The configuration of a gateway whose user pool is `gateway cognito`.
 * @param {string} url
 * @param {Ports} ports
 */
function loopback(url, ports) {
  const api = `http://localhost:${ports.cognito}`;
  return {
    listen: `127.0.0.1:${ports.gateway}`,
    public_url: url,
    cognito: {
      region: 'eu-west-1',
      user_pool_id: 'eu-west-1_GatehouseDev',
      client_id: 'gatehouse-dev',
      domain: `http://127.0.0.1:${ports.cognito}`,
      issuer: `${api}/eu-west-1_GatehouseDev`,
      api_endpoint: api,
    },
  };
}

/**
 * Starts a command of the gateway's and waits until it answers.
 * @param {string[]} args
 * @param {string} url
 * @returns {Promise<() => Promise<void>>} stops it, and complains if it does not end well
 */
async function start(args, url) {
  const program = await run(`gateway ${args[0]}`, await binary(), args, url);
  return async () => {
    const { status, output } = await program.stop();
    if (status !== 0) throw new Error(`gateway ${args[0]} ended with ${status}:\n${output}`);
  };
}

/**
 * Starts a program and waits until it answers.
 * @param {string} name for what goes wrong
 * @param {string} command
 * @param {string[]} args
 * @param {string} url answers 200 once the program is up
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<{stop: () => Promise<{status: number | string | null, output: string}>}>}
 */
export async function run(name, command, args, url, options) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));

  const stop = async () => {
    const impatience = setTimeout(() => child.kill('SIGKILL'), stopWithin);
    child.kill('SIGTERM');
    await exited; // at once if it has ended already
    clearTimeout(impatience);
    return { status: child.exitCode ?? child.signalCode, output };
  };
  try {
    await answers(url, child);
  } catch (err) {
    await stop();
    throw new Error(`${name}: ${/** @type {Error} */ (err).message}\n${output}`);
  }
  return { stop };
}

/** @type {Promise<string> | undefined} */
let built;

/** The binary named by GATEWAY_BIN, or one built once for this process. */
function binary() {
  built ??= process.env.GATEWAY_BIN ? Promise.resolve(process.env.GATEWAY_BIN) : build();
  return built;
}

async function build() {
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  process.on('exit', () => rmSync(dir, { recursive: true }));
  const path = join(dir, 'gateway');
  await promisify(execFile)('go', ['build', '-o', path, './cmd/gateway'], { cwd: root });
  return path;
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

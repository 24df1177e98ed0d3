// A real Redis for a test, with nothing in it.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './gateway.mjs';
import { until } from './until.mjs';

/** A running redis-server. */
export class Redis {
  /**
   * @param {number} port
   * @param {string} dir
   */
  constructor(port, dir) {
    this.port = port;
    this.dir = dir;
    this.url = `redis://127.0.0.1:${port}/0`;
    // Uncompressed, so that a search through the dump proves something.
    const options = { port, bind: '127.0.0.1', dir, save: '', appendonly: 'no', rdbcompression: 'no' };
    this.args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#spawn();
  }

  static async start() {
    const redis = new Redis(await freePort(), await mkdtemp(join(tmpdir(), 'gatehouse-redis-')));
    await redis.#answers();
    return redis;
  }

  #spawn() {
    this.child = spawn('redis-server', this.args, { stdio: 'ignore' });
    this.exited = once(this.child, 'exit');
  }

  async #answers() {
    await until(async () => (await this.cli('ping').catch(() => '')) === 'PONG', 'redis-server does not answer');
  }

  /**
   * @param {...string} args
   * @returns {Promise<string>}
   */
  async cli(...args) {
    const { stdout } = await promisify(execFile)('redis-cli', ['-e', '-p', String(this.port), ...args]);
    return stdout.trim();
  }

  /** @returns {Promise<string>} everything Redis would put on a disk */
  async dump() {
    await this.cli('save');
    return readFile(join(this.dir, 'dump.rdb'), 'latin1');
  }

  /** Ends the server, once all it holds is on the disk. Nobody listens at its port then. */
  async shutDown() {
    await this.cli('save');
    await this.#kill();
  }

  /** Starts the server that was shut down again, with what it held. */
  async startAgain() {
    this.#spawn();
    await this.#answers();
  }

  async #kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Lets it hang: connections stay, answers do not come. Returns when it does. */
  async hang() {
    this.child.kill('SIGSTOP');
    for (;;) {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=', '-p', String(this.child.pid)]);
      if (stdout.startsWith('T')) return;
    }
  }

  /** Ends the hanging. */
  resume() {
    this.child.kill('SIGCONT');
  }

  async stop() {
    await this.#kill();
    await rm(this.dir, { recursive: true });
  }
}

// Runs the examples' dev servers.

import { cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { freePort, run } from './gateway.mjs';

export const examples = fileURLToPath(new URL('../../examples/', import.meta.url));

/** A copy of an example, which a test may edit, with its dev server. */
export class Example {
  /**
   * @param {string} dir
   * @param {string} url http://localhost:PORT
   * @param {() => Promise<unknown>} stopServer
   */
  constructor(dir, url, stopServer) {
    this.dir = dir;
    this.url = url;
    this.stopServer = stopServer;
  }

  /**
   * Starts what `npm run dev` starts in a copy beside the example, where paths such as ../../web/client lead as they do
   * from the example itself.
   * @param {string} name
   * @param {Record<string, string>} [env] variables besides those of this process
   */
  static async start(name, env) {
    const dir = `${examples}.${name}`;
    await rm(dir, { recursive: true, force: true }); // of a test that was killed
    await cp(examples + name, dir, { recursive: true, filter: (path) => !/\/(node_modules|dist|\.next)$/.test(path) });
    await symlink(`../${name}/node_modules`, `${dir}/node_modules`);
    const { scripts } = JSON.parse(await readFile(`${dir}/package.json`, 'utf8'));
    const [command, ...args] = scripts.dev.split(' ');
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const line = [`node_modules/.bin/${command}`, ...args, '--port', String(port)];
    const server = await run(`${name}: ${command}`, process.execPath, line, url, { cwd: dir, env: { ...process.env, ...env } });
    return new Example(dir, url, server.stop);
  }

  /**
   * Edits a file, wherever it holds the text, as a developer would.
   * @param {string} file
   * @param {string} before
   * @param {string} after
   */
  async edit(file, before, after) {
    const text = await readFile(`${this.dir}/${file}`, 'utf8');
    if (!text.includes(before)) throw new Error(`${file} does not hold "${before}"`);
    await writeFile(`${this.dir}/${file}`, text.replaceAll(before, after));
  }

  async stop() {
    await this.stopServer();
    await rm(this.dir, { recursive: true });
  }
}

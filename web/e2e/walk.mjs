// Follows a page of docs/ that makes an app: by the page's own commands and code, with versions that stay as they are.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, run } from './gateway.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));

/** What a stranger has: the checkout, and an app beside it. */
export class Walk {
  /**
   * @param {string} dir
   * @param {string} name of the app
   * @param {Record<string, string[]>} blocks of the page, by language
   * @param {string} pinned directory of what the app installs, with the versions that its ranges stand for
   */
  constructor(dir, name, blocks, pinned) {
    this.dir = dir;
    this.app = join(dir, name);
    this.name = name;
    this.blocks = blocks;
    this.pinned = pinned;
  }

  /**
   * @param {string} page its name in docs/
   * @param {string} name of the app
   * @param {string} pinned directory beside this file
   */
  static async begin(page, name, pinned) {
    /** @type {Record<string, string[]>} */
    const blocks = {};
    const text = await readFile(join(root, 'docs', page), 'utf8');
    for (const [, language = '', block = ''] of text.matchAll(/^```(\w+)\n(.*?)^```/gms)) {
      (blocks[language] ??= []).push(block.trim());
    }
    const dir = await realpath(await mkdtemp(join(tmpdir(), 'gatehouse-e2e-')));
    await symlink(root, join(dir, 'gatehouse'));
    return new Walk(dir, name, blocks, join(here, pinned));
  }

  end() {
    return rm(this.dir, { recursive: true, force: true });
  }

  /**
   * Makes the app as the page's block says it: by create-vite, and with packages of the registry, which are those pinned.
   * @param {string | undefined} block
   */
  async create(block = '') {
    const [begin = '', enter, ...install] = block.split('\n');
    const create = `npm create --yes vite@latest ${this.name} -- `;
    assert.ok(begin.startsWith(create), begin);
    await this.shell(begin.replace(create, `${here}node_modules/.bin/create-vite ${this.name} `), this.dir);
    assert.equal(enter, `cd ${this.name}`);
    const named = /^npm install ([\w@/-]+)$/;
    await this.#pin(install.flatMap((line) => named.exec(line)?.[1] ?? []));
    await this.shell(install.filter((line) => !named.test(line)).join(' && '));
  }

  /**
   * Gives a new app the packages that were installed for it: those that its ranges stood for when this was written.
   * @param {string[]} added names of packages besides what create-vite chose
   */
  async #pin(added) {
    const [made, known] = await Promise.all([packageOf(this.app), packageOf(this.pinned)]);
    const kept = Object.entries(known.dependencies).filter(([name]) => !added.includes(name));
    assert.deepEqual(
      [made.dependencies, made.devDependencies],
      [Object.fromEntries(kept), known.devDependencies],
      `create-vite makes another app: renew ${this.pinned}`,
    );
    await this.write('package.json', JSON.stringify({ ...made, dependencies: known.dependencies }));
    for (const name of ['package-lock.json', 'node_modules']) {
      await cp(join(this.pinned, name), join(this.app, name), { recursive: true, verbatimSymlinks: true });
    }
  }

  /**
   * Runs a line of the page.
   * @param {string | undefined} command
   * @param {string} [cwd] default: the app's
   */
  async shell(command = 'false', cwd = this.app) {
    const npm = { npm_config_audit: 'false', npm_config_fund: 'false', npm_config_update_notifier: 'false' };
    await promisify(execFile)('bash', ['-euc', command], { cwd, env: { ...process.env, ...npm } });
  }

  /** Packs what `make build client` packs, as the page says; the gateway is built already. @param {string | undefined} line */
  async build(line) {
    assert.equal(line, 'make build client');
    await this.shell('make client', root);
  }

  /**
   * Writes a file of the app.
   * @param {string} file
   * @param {string} text
   */
  write(file, text) {
    return writeFile(join(this.app, file), text);
  }

  /** @param {string} file of the app */
  read(file) {
    return readFile(join(this.app, file), 'utf8');
  }

  /**
   * Starts what `npm run dev` starts, at a port of its own.
   * @param {string | undefined} line
   */
  async startVite(line) {
    assert.equal(line, 'npm run dev');
    const { scripts } = await packageOf(this.app);
    assert.equal(scripts.dev, 'vite');
    const port = String(await freePort());
    const url = `http://localhost:${port}`;
    const args = ['node_modules/.bin/vite', '--port', port, '--strictPort'];
    return { url, ...(await run('vite', process.execPath, args, url, { cwd: this.app })) };
  }
}

/** @param {string} dir */
async function packageOf(dir) {
  return JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'));
}

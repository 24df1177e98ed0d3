// What a page has to load, and what the registry gets.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {string} source @param {string[]} [external] @returns {Promise<number>} bytes as they go over the wire */
async function size(source, external = []) {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: `${root}src` },
    bundle: true,
    minify: true,
    format: 'esm',
    external,
    write: false,
  });
  return gzipSync(/** @type {import('esbuild').OutputFile} */ (outputFiles[0]).contents, { level: 9 }).length;
}

test('the core is no larger than 3 KiB, minified and gzipped', async (t) => {
  const bytes = await size("export { getCurrentUser, fetchAuthSession, signInWithRedirect, signOut, listen } from './index.js'");
  t.diagnostic(`${bytes} bytes`);
  assert.ok(bytes <= 3 * 1024, `${bytes} bytes`);
});

test('what React needs besides is no larger than 1000 bytes', async (t) => {
  const bytes = await size("export * from './react.js'", ['react', './index.js', './page.js']);
  t.diagnostic(`${bytes} bytes`);
  assert.ok(bytes <= 1000, `${bytes} bytes`);
});

test('the package holds modules and types, and nothing else', async () => {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json'], { cwd: root });
  const [{ files }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  const paths = files.map((/** @type {{path: string}} */ { path }) => path);
  const odd = paths.filter((/** @type {string} */ path) => !/^(src\/[\w-]+\.(js|html)|types\/[\w-]+\.d\.ts)$/.test(path));
  assert.deepEqual(odd.sort(), ['LICENSE', 'README.md', 'package.json']);
  for (const entry of ['src/index.js', 'src/react.js', 'types/index.d.ts', 'types/react.d.ts']) assert.ok(paths.includes(entry), entry);
});

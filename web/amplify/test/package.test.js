// What a page has to load, and what the registry gets.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { alias, external } from './amplify.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {import('esbuild').BuildOptions} options @returns {Promise<number>} bytes as they go over the wire */
async function size(options) {
  const { outputFiles } = await build({
    ...options,
    stdin: { contents: "import './auto.js'; export * from './index.js'", resolveDir: `${root}src` },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  });
  return gzipSync(/** @type {import('esbuild').OutputFile} */ (outputFiles[0]).contents, { level: 9 }).length;
}

test('the adapter is no larger than 2500 bytes, minified and gzipped', async (t) => {
  const bytes = await size({ external });
  const { '@gatehouse/client': client } = alias('newest');
  const together = await size({ external: external.filter((name) => name !== '@gatehouse/client'), alias: { '@gatehouse/client': client } });
  t.diagnostic(`${bytes} bytes; ${together} with what it uses of the client; Amplify besides`);
  assert.ok(bytes <= 2500, `${bytes} bytes`);
});

test('the package holds modules and types, and nothing else', async () => {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json'], { cwd: root });
  const [{ files }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  const paths = files.map((/** @type {{path: string}} */ { path }) => path);
  const odd = paths.filter((/** @type {string} */ path) => !/^(src\/[\w-]+\.js|types\/[\w-]+\.d\.ts)$/.test(path));
  assert.deepEqual(odd.sort(), ['LICENSE', 'README.md', 'package.json']);
  for (const entry of ['src/index.js', 'src/auto.js', 'types/index.d.ts', 'types/auto.d.ts']) assert.ok(paths.includes(entry), entry);
});

// Pages of aws-amplify and a sample, each in a version of Amplify, bundled as an app would be.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const amplify = fileURLToPath(new URL('../../amplify/', import.meta.url));
const { build } = createRequire(`${amplify}test/`)('esbuild');

/** @typedef {import('./guide.mjs').Sample} Sample */
/** @typedef {import('playwright-core').Page} Page */

/** The versions of aws-amplify. */
export const versions = ['6.0.30', '6.15.10', 'newest'];

/** What a fragment of code has above it in an app: Amplify, and the configuration that it goes into. */
const above = `
  import { Amplify } from 'aws-amplify';
  const cognitoConfig = { userPoolId: 'eu-west-1_AbCdEf123', userPoolClientId: '1h57kf5cpq17m0eml12EXAMPLE' };
  const oauthConfig = {
    domain: 'login.example.com',
    scopes: ['openid', 'email'],
    redirectSignIn: [location.origin + '/'],
    redirectSignOut: [location.origin + '/'],
    responseType: 'token' as const,
  };
`;

/** What each page has for its test: Amplify's functions, the samples', and what Hub has told. */
const below = `
  import * as auth from 'aws-amplify/auth';
  import { Hub } from 'aws-amplify/utils';
  const told = [];
  // Versions before 6.22 take a name in the third place, and do not look at it.
  Hub.listen('auth', ({ payload: { event, data } }) => told.push(event === 'customOAuthState' ? event + ' ' + data : event), { enableCrossTabEvents: true });
  Object.assign(window, { auth, told, samples });
`;

/** Where a page is to come from: \`window.page\` names it. */
const html = '<!doctype html><html lang="en"><title>A page</title><h1>A page</h1><script type="module">import(`/${page}.js`)</script>';

/**
 * Builds a page for each sample that configures Amplify, in each version. All have the samples' functions.
 * @param {Sample[]} samples
 * @returns {Promise<{dir: string, remove: () => Promise<void>}>} the directory to serve
 */
export async function buildPages(samples) {
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  await writeFile(join(dir, 'index.html'), html);
  await Promise.all(versions.map((version) => buildVersion(version, samples, dir)));
  return { dir, remove: () => rm(dir, { recursive: true }) };
}

/**
 * @param {string} version
 * @param {Sample[]} samples
 * @param {string} dir
 */
async function buildVersion(version, samples, dir) {
  const files = new Map(samples.map((sample) => [`sample:${pageOf(sample)}`, `${head(sample)}${sample.text}${tail(sample)}`]));
  const functions = samples.filter(({ calls }) => calls);
  const imports = functions.map((sample, i) => `import { ${sample.calls} as f${i} } from 'sample:${pageOf(sample)}';`);
  const all = `const samples = { ${functions.map(({ name }, i) => `${JSON.stringify(name)}: f${i}`)} };`;
  const pages = samples.filter(({ calls }) => !calls).map(pageOf);
  for (const page of pages) {
    files.set(page, `import '@gatehouse/amplify/auto'; import 'sample:${page}'; ${imports.join('')} ${all} ${below}`);
  }
  await build({
    entryPoints: pages,
    outdir: join(dir, version),
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2023',
    logLevel: 'error',
    alias: {
      '@gatehouse/client': `${amplify}../client/src/index.js`,
      '@gatehouse/amplify/auto': `${amplify}src/auto.js`,
      'aws-amplify': `${amplify}test/node_modules/amplify-${version}`,
    },
    plugins: [inMemory(files)],
  });
}

/**
 * Lets esbuild find files that are in no directory.
 * @param {Map<string, string>} files
 */
function inMemory(files) {
  return {
    name: 'in-memory',
    /** @param {any} esbuild */
    setup(esbuild) {
      esbuild.onResolve({ filter: /.*/ }, (/** @type {{path: string}} */ { path }) => (files.has(path) ? { path, namespace: 'in-memory' } : undefined));
      esbuild.onLoad({ filter: /.*/, namespace: 'in-memory' }, (/** @type {{path: string}} */ { path }) => ({
        contents: files.get(path),
        loader: 'ts',
        resolveDir: amplify,
      }));
    },
  };
}

/** @param {Sample} sample */
const head = ({ text }) => (text.includes('import ') ? '' : above);

/** @param {Sample} sample */
const tail = ({ calls }) => (calls ? `export { ${calls} };` : '');

/**
 * The name of the page that a sample makes.
 * @param {Sample} sample
 */
const pageOf = ({ name }) => name.replace(/\W+/g, '-');

/** What makes a page that of a sample. @param {string} version @param {Sample | undefined} sample */
export const show = (version, sample) => `window.page = '${version}/${sample && pageOf(sample)}'`;

/**
 * Calls one of Amplify's functions in the page.
 * @param {Page} page
 * @param {string} name
 * @param {object} [input]
 * @returns {Promise<any>} what it gives, or the name of what it throws as `error`
 */
export function call(page, name, input) {
  return page.evaluate(
    async ([name, input]) => {
      try {
        return await /** @type {any} */ (window).auth[name](input);
      } catch (err) {
        return { error: /** @type {Error} */ (err).name };
      }
    },
    /** @type {const} */ ([name, input]),
  );
}

/** @param {Page} page @returns {Promise<string[]>} */
export const told = (page) => page.evaluate(() => /** @type {any} */ (window).told);

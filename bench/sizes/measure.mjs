// Measures what a page downloads to sign people in: each library's entry for the
// same five things (who is it, the session, sign in, sign out, be told of a change),
// bundled and minified by esbuild and compressed by gzip -9. Prints a table in
// Markdown. Run: npm ci --ignore-scripts && npm run measure
import { gzipSync } from 'node:zlib';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const client = fileURLToPath(new URL('../../web/client/src/', import.meta.url));

/** What each row imports. A row with `peers` is measured without React, which the page has anyway. */
const rows = [
  {
    name: '@gatehouse/client',
    package: '../../web/client',
    source: `export { getCurrentUser, fetchAuthSession, signInWithRedirect, signOut, listen } from '${client}index.js';`,
  },
  {
    name: '@gatehouse/client, all of it',
    package: '../../web/client',
    source: `export * from '${client}index.js';`,
  },
  {
    name: '@gatehouse/client with /react',
    package: '../../web/client',
    peers: true,
    source: `export { Provider, useSession, useUser, RequireAuth } from '${client}react.js';
      export { signInWithRedirect, signOut } from '${client}index.js';`,
  },
  {
    name: 'aws-amplify',
    package: 'node_modules/aws-amplify',
    source: `export { Amplify } from 'aws-amplify';
      export { getCurrentUser, fetchAuthSession, signInWithRedirect, signOut } from 'aws-amplify/auth';
      export { Hub } from 'aws-amplify/utils';`,
  },
  {
    name: 'aws-amplify, all of auth',
    package: 'node_modules/aws-amplify',
    source: `export { Amplify } from 'aws-amplify';
      export * from 'aws-amplify/auth';
      export { Hub } from 'aws-amplify/utils';`,
  },
  {
    name: '@auth0/auth0-spa-js',
    package: 'node_modules/@auth0/auth0-spa-js',
    source: `export { Auth0Client } from '@auth0/auth0-spa-js';`,
  },
  {
    name: '@auth0/auth0-react',
    package: 'node_modules/@auth0/auth0-react',
    peers: true,
    source: `export { Auth0Provider, useAuth0, withAuthenticationRequired } from '@auth0/auth0-react';`,
  },
  {
    name: 'oidc-client-ts',
    package: 'node_modules/oidc-client-ts',
    source: `export { UserManager } from 'oidc-client-ts';`,
  },
  {
    name: 'react-oidc-context',
    package: 'node_modules/react-oidc-context',
    peers: true,
    source: `export { AuthProvider, useAuth, withAuthenticationRequired } from 'react-oidc-context';`,
  },
  {
    name: 'next-auth/react',
    package: 'node_modules/next-auth',
    peers: true,
    source: `export { SessionProvider, useSession, getSession, signIn, signOut } from 'next-auth/react';`,
  },
  {
    name: 'keycloak-js',
    package: 'node_modules/keycloak-js',
    source: `export { default } from 'keycloak-js';`,
  },
];

/** Bundles one row; returns bytes, minified and gzipped. */
async function measure({ source, peers }) {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: here },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    external: peers ? ['react', 'react-dom', 'react/jsx-runtime'] : [],
    write: false,
    logLevel: 'error',
  });
  const code = outputFiles[0].contents;
  return { minified: code.length, gzipped: gzipSync(code, { level: 9 }).length };
}

const kB = (bytes) => (bytes / 1000).toFixed(1);

console.log('| library | version | minified, kB | gzipped, kB | times ours |');
console.log('| --- | --- | ---: | ---: | ---: |');
let ours;
for (const row of rows) {
  const { version } = JSON.parse(await readFile(`${here}${row.package}/package.json`, 'utf8'));
  const { minified, gzipped } = await measure(row);
  ours ??= gzipped;
  console.log(`| ${row.name} | ${version} | ${kB(minified)} | ${kB(gzipped)} | ${(gzipped / ours).toFixed(1)} |`);
}

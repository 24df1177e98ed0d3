// The real aws-amplify with the adapter, in the client's browser, before a gateway that does what docs/http.md says.

import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { Browser, Tab, own, signedOut } from '../../client/test/browser.js';

/** @typedef {import('../../client/test/browser.js').Sent} Sent */

/** The versions of aws-amplify, as test/package.json names them. */
export const versions = ['6.0.30', '6.15.10', 'newest'];

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/** Has imports find the client beside, and Amplify in the version that is meant. @param {string} version */
export const alias = (version) => ({
  '@gatehouse/client': here('../../client/src/index.js'),
  '@gatehouse/amplify': here('../src/index.js'),
  '@gatehouse/amplify/auto': here('../src/auto.js'),
  'aws-amplify': here(`node_modules/amplify-${version}`),
});

/** What the adapter's own modules take for granted. */
export const external = ['aws-amplify', 'aws-amplify/*', '@gatehouse/client'];

/** What a page of the tests is made of. */
const app = `
  export { withGateway } from '@gatehouse/amplify';
  export { Amplify } from 'aws-amplify';
  export * as auth from 'aws-amplify/auth';
  export { cognitoUserPoolsTokenProvider } from 'aws-amplify/auth/cognito';
  export { CookieStorage, Hub } from 'aws-amplify/utils';
`;

/** @type {Map<string, Promise<string>>} */
const built = new Map();

/** @param {string} version @param {boolean} auto */
function bundle(version, auto) {
  const key = `${version} ${auto}`;
  if (!built.has(key)) built.set(key, bundleAnew(version, auto));
  return /** @type {Promise<string>} */ (built.get(key));
}

/** @param {string} version @param {boolean} auto */
async function bundleAnew(version, auto) {
  const { outputFiles, warnings } = await build({
    stdin: { contents: (auto ? "import '@gatehouse/amplify/auto';" : '') + app, resolveDir: here('.') },
    bundle: true,
    format: 'cjs',
    target: 'es2023',
    alias: alias(version),
    write: false,
    logLevel: 'silent',
  });
  if (warnings.length) throw new Error(JSON.stringify(warnings));
  return /** @type {import('esbuild').OutputFile} */ (outputFiles[0]).text;
}

/** What a page's modules give where there is no page. @param {string} version @returns {Promise<any>} */
export async function onServer(version) {
  const module = { exports: {} };
  new Function('module', await bundle(version, true))(module);
  return module.exports;
}

/**
 * @param {string} version
 * @param {{auto?: boolean}} [options]
 */
export async function browserWith(version, { auto = false } = {}) {
  return new AmplifyBrowser(await bundle(version, auto));
}

/** A browser with a gateway that has at most one session. */
export class AmplifyBrowser extends Browser {
  /** @param {string} code */
  constructor(code) {
    super(code);
    /** Whether the network is there. */
    this.online = true;
    /** The gateway's one session. @type {{generation: number, signInDetails?: object} | undefined} */
    this.session = undefined;
    /** Claims of the access token besides the usual. @type {Record<string, unknown>} */
    this.claims = { origin_jti: 'o1', device_key: 'device-1' };
    /** @type {Map<string, string>} */
    this.local = new Map();
    this.gateway = (/** @type {Sent} */ sent) => this.#answer(sent);
  }

  /** Somebody signs in. */
  signIn() {
    this.session = { generation: 0 };
  }

  /** Operations called so far. */
  get operations() {
    return this.requests.map(({ headers }) => headers.get('X-Amz-Target')?.split('.')[1]).filter(Boolean);
  }

  /** @override @param {string} [href] @param {Map<string, string>} [storage] @returns {Page} */
  open(href = 'https://app.example.com/', storage = new Map()) {
    return new Page(this, href, storage);
  }

  /** What the gateway says of its session. */
  answer() {
    if (!this.session) return signedOut;
    const { generation, signInDetails } = this.session;
    const now = this.now / 1000;
    const shared = { sub: 'sub-alice', exp: now + 3600, iat: now };
    return {
      authenticated: true,
      userSub: 'sub-alice',
      username: 'alice',
      tokens: {
        accessToken: { payload: { ...shared, username: 'alice', ...this.claims } },
        idToken: { payload: { ...shared, 'cognito:username': 'alice', name: 'Älice' } },
      },
      ...(signInDetails && { signInDetails }),
      generation,
      serverTime: now,
      accessExpiresAt: now + 3600,
      idleExpiresAt: now + 1800,
      sessionExpiresAt: now + 43_200,
    };
  }

  /** @param {Sent} sent */
  #answer({ method, path, headers, body }) {
    if (!this.online) throw new TypeError('fetch failed');
    const operation = headers.get('X-Amz-Target')?.split('.')[1];
    if (path === '/auth/amplify/idp/' && operation) return this.#operation(operation);
    switch (`${method} ${path.split('?')[0]}`) {
      case 'GET /auth/session':
        return own(this.answer());
      case 'POST /auth/refresh':
        if (this.session) this.session.generation++;
        return this.session ? own(this.answer()) : own({ status: 401, code: 'unauthenticated', detail: 'Sign in first.' }, { status: 401 });
      case 'POST /auth/logout':
        this.session = undefined;
        return own({ logoutUrl: 'https://login.example.com/logout' });
      case 'POST /auth/amplify/oauth2/token':
        return own(this.#tokens(new URLSearchParams(body)));
    }
    return own({ status: 404, code: 'not_found' }, { status: 404 });
  }

  /** @param {string} operation */
  #operation(operation) {
    if (!this.session) {
      return own({ __type: 'NotAuthorizedException', message: 'Nobody is signed in.' }, { status: 400 });
    }
    if (/^(RevokeToken|GlobalSignOut|DeleteUser)$/.test(operation)) {
      this.session = undefined;
      this.stream?.says('signedOut', { reason: operation === 'RevokeToken' ? 'logout' : 'global' });
    }
    return own(operation === 'GetUser' ? { Username: 'alice', UserAttributes: [{ Name: 'email', Value: 'alice@example.com' }] } : {});
  }

  /** @param {URLSearchParams} form */
  #tokens(form) {
    if (form.get('code') !== 'a-code' || !form.get('code_verifier')) return { error: 'invalid_grant' };
    const shadow = (/** @type {object} */ claims) =>
      [{ alg: 'BFF', typ: 'JWT' }, claims, 'x'].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const { tokens } = /** @type {any} */ (this.answer());
    return {
      access_token: shadow(tokens.accessToken.payload),
      id_token: shadow(tokens.idToken.payload),
      refresh_token: 'bff',
      token_type: 'Bearer',
      expires_in: 3600,
    };
  }
}

/** One page, with what Amplify wants of a window besides. */
export class Page extends Tab {
  /** What was written to the console. @type {string[]} */
  lines = [];

  /** @override @returns {Record<string, unknown>} */
  globals() {
    const page = this;
    const { local } = /** @type {AmplifyBrowser} */ (this.browser);
    const globals = super.globals();
    const { protocol, pathname, hostname, search, hash } = new URL(this.location.href);
    const { href, ...place } = this.location;
    const location = {
      ...place, protocol, pathname, hostname, search, hash,
      get href() {
        return href;
      },
      set href(address) {
        page.leftFor = address;
      },
    };
    const localStorage = {
      getItem: (/** @type {string} */ key) => local.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => void local.set(key, value),
      removeItem: (/** @type {string} */ key) => void local.delete(key),
    };
    const write = (/** @type {string[]} */ ...words) => void page.lines.push(words.join(' '));
    const history = { state: null, replaceState: () => {} };
    // Amplify looks for the marks of frameworks.
    const document = Object.create(/** @type {object} */ (globals['document']), {
      querySelector: { value: () => null },
      querySelectorAll: { value: () => [] },
    });
    const { browser } = this;
    class PageDate extends Date {
      /** @param {any[]} args */
      constructor(...args) {
        super(.../** @type {[number]} */ (args.length ? args : [browser.now]));
      }

      static now() {
        return browser.now;
      }
    }
    const shared = { location, document, Date: PageDate, localStorage, crypto, history, btoa, atob };
    const window = { ...globals, ...shared };
    const console = { log: write, info: write, warn: write, error: write, debug: write };
    return { ...globals, ...shared, window, console, self: window };
  }

  /** What the page imports. @returns {any} */
  get app() {
    return this.client;
  }

  /** @override @param {string} href @returns {Page} */
  next(href) {
    return /** @type {Page} */ (super.next(href));
  }

  /** Keeps the names of the events that Hub tells. @param {object} [options] */
  hear(options) {
    /** @type {string[]} */
    const heard = [];
    this.app.Hub.listen('auth', (/** @type {any} */ { payload }) => heard.push(payload.event), options);
    return heard;
  }
}

/** The smallest configuration, and one with OAuth. */
export const pool = { userPoolId: 'eu-west-1_AbCdEf123', userPoolClientId: 'client-1' };
export const oauth = {
  domain: 'login.example.com',
  redirectSignIn: ['https://app.example.com/'],
  redirectSignOut: ['https://app.example.com/bye'],
  responseType: 'token',
  scopes: ['openid'],
};
export const plain = { Auth: { Cognito: pool } };
export const withOAuth = { Auth: { Cognito: { ...pool, loginWith: { oauth } } } };

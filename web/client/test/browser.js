// A browser of one's own: tabs that share a gateway, locks and channels, and a clock that only moves when told to.
// Each tab runs the modules anew, as pages do.

import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../src/index.js', import.meta.url));
const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'cjs', write: false, target: 'es2023' });
const source = /** @type {import('esbuild').OutputFile} */ (outputFiles[0]).text;

/** @typedef {typeof import('../src/index.js')} Client */

/** A request as the gateway gets it. */
/** @typedef {{method: string, path: string, headers: Headers, credentials: string, body: string, request: Request}} Sent */

/** Makes an answer of the gateway's own. @param {unknown} body @param {ResponseInit} [init] */
export function own(body, { headers, ...init } = {}) {
  const text = body === undefined ? null : JSON.stringify(body);
  return new Response(text, { ...init, headers: { 'X-Gatehouse': '1', 'Content-Type': 'application/json', ...headers } });
}

/** Makes a problem of the gateway's own. @param {number} status @param {string} code @param {Record<string, string>} [headers] */
export function problem(status, code, headers = {}) {
  const body = { type: 'about:blank', status, code, detail: `It says ${code}.`, requestId: 'R1', loginUrl: '/auth/login' };
  return own(body, { status, headers });
}

/** The gateway's answer about Alice's session. @param {object} [differs] */
export function alice(differs = {}) {
  return {
    authenticated: true,
    userSub: 'sub-alice',
    username: 'alice',
    tokens: { accessToken: { payload: { sub: 'sub-alice' } }, idToken: { payload: { sub: 'sub-alice', email: 'alice@example.com' } } },
    generation: 0,
    serverTime: 1_795_401_232,
    accessExpiresAt: 1_795_404_832,
    idleExpiresAt: 1_795_403_032,
    sessionExpiresAt: 1_795_444_432,
    logoutUrl: '/auth/logout',
    ...differs,
  };
}

export const signedOut = { authenticated: false };

/** Ends when everything that is ready to run has run. */
export async function settled() {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

export class Browser {
  /** @param {string} [code] what pages run: the client, if not something else, as a module of CommonJS */
  constructor(code = source) {
    this.code = code;
    /** @type {Sent[]} */
    this.requests = [];
    /** @type {(sent: Sent) => Response | Promise<Response>} */
    this.gateway = () => own(signedOut);
    this.now = 1_795_401_232_000;
    /** @type {{at: number, run: () => void}[]} */
    this.timers = [];
    /** @type {FakeChannel[]} */
    this.channels = [];
    /** @type {{name: string, run: () => void}[]} waiting for a lock */
    this.waiting = [];
    /** @type {Set<string>} */
    this.held = new Set();
    /** @type {FakeStream[]} */
    this.streams = [];
  }

  /** Paths asked for so far, with the method where it is not GET. */
  get paths() {
    return this.requests.map(({ method, path }) => (method === 'GET' ? path : `${method} ${path}`));
  }

  /** The stream that is open; there is never more than one. */
  get stream() {
    const open = this.streams.filter((stream) => !stream.closed);
    if (open.length > 1) throw new Error(`${open.length} streams are open`);
    return open[0];
  }

  /** Moves the clock. @param {number} ms */
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  /** Opens a page. @param {string} [href] @param {Map<string, string>} [storage] of the tab */
  open(href = 'https://app.example.com/orders?tab=2#top', storage = new Map()) {
    return new Tab(this, href, storage);
  }
}

/** One page in one tab. */
export class Tab {
  /** @param {Browser} browser @param {string} href @param {Map<string, string>} storage */
  constructor(browser, href, storage) {
    this.browser = browser;
    this.storage = storage;
    this.window = new EventTarget();
    /** Listeners on the window: added, less removed. */
    this.listening = 0;
    this.visible = true;
    this.focused = true;
    this.leftFor = '';
    /** @type {FakePopup[] | undefined} undefined: the browser opens none */
    this.popups = [];
    const leave = (/** @type {string} */ url) => (this.leftFor = url);
    this.location = { href, origin: new URL(href).origin, assign: leave, replace: leave };
    const globals = this.globals();
    const module = { exports: /** @type {any} */ ({}) };
    new Function('module', ...Object.keys(globals), browser.code)(module, ...Object.values(globals));
    /** @type {Client} */
    this.client = module.exports;
    /** @type {[string, unknown][]} */
    this.events = [];
  }

  /** Begins to listen, and keeps what is told. */
  listen() {
    return this.client.listen(({ payload }) => this.events.push([payload.event, payload.data]));
  }

  /** Names of the events so far. */
  get told() {
    return this.events.map(([event]) => event);
  }

  /** Something happens to the window. @param {string} type @param {object} [properties] */
  happens(type, properties = {}) {
    this.window.dispatchEvent(Object.assign(new Event(type), properties));
  }

  /** The same tab's next page. @param {string} [href] */
  next(href) {
    this.happens('pagehide');
    return this.browser.open(href ?? this.location.href, this.storage);
  }

  /** @returns {Record<string, unknown>} what a page finds in its window */
  globals() {
    const { browser, storage } = this;
    const tab = this;
    /** Resolves addresses against the page, and knows credentials, as a browser's does. */
    class PageRequest extends Request {
      /** @param {RequestInfo | URL} input @param {RequestInit} [init] */
      constructor(input, init) {
        super(typeof input === 'object' && 'url' in input ? input : new URL(input, tab.location.href), init);
      }
    }
    return {
      location: this.location,
      document: {
        get visibilityState() {
          return tab.visible ? 'visible' : 'hidden';
        },
        hasFocus: () => tab.focused,
      },
      sessionStorage: {
        getItem: (/** @type {string} */ key) => storage.get(key) ?? null,
        setItem: (/** @type {string} */ key, /** @type {string} */ value) => void storage.set(key, value),
        removeItem: (/** @type {string} */ key) => void storage.delete(key),
      },
      navigator: { locks: { request: this.#lock.bind(this) } },
      fetch: async (/** @type {RequestInfo} */ input, /** @type {RequestInit | undefined} */ init) => {
        const request = new Request(typeof input === 'string' ? new URL(input, tab.location.href) : input, init);
        const { pathname, search } = new URL(request.url);
        const { method, headers, credentials } = request;
        const sent = { method, path: pathname + search, headers, credentials, body: await request.clone().text(), request };
        browser.requests.push(sent);
        request.signal.throwIfAborted();
        return browser.gateway(sent);
      },
      Request: PageRequest,
      EventSource: class extends FakeStream {
        /** @param {string} url @param {EventSourceInit} init */
        constructor(url, init) {
          super(url, init);
          browser.streams.push(this);
        }
      },
      BroadcastChannel: class extends FakeChannel {
        /** @param {string} name */
        constructor(name) {
          super(browser, name);
        }
      },
      Date: new Proxy(Date, { get: (date, name) => (name === 'now' ? () => browser.now : Reflect.get(date, name)) }),
      setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => {
        const timer = { at: browser.now + ms, run };
        browser.timers.push(timer);
        return timer;
      },
      clearTimeout: (/** @type {any} */ timer) => {
        const at = browser.timers.indexOf(timer);
        if (at >= 0) browser.timers.splice(at, 1);
      },
      setInterval: (/** @type {() => void} */ run, /** @type {number} */ ms) => {
        const timer = {
          at: browser.now + ms,
          run: () => {
            timer.at += ms;
            browser.timers.push(timer);
            run();
          },
        };
        browser.timers.push(timer);
        return timer;
      },
      clearInterval: (/** @type {any} */ timer) => {
        const at = browser.timers.indexOf(timer);
        if (at >= 0) browser.timers.splice(at, 1);
      },
      addEventListener: (/** @type {string} */ type, /** @type {() => void} */ listener, /** @type {any} */ options) => {
        this.listening++;
        options?.signal?.addEventListener('abort', () => this.listening--);
        this.window.addEventListener(type, listener, options);
      },
      open: (/** @type {string} */ url, /** @type {string} */ name) => {
        if (!this.popups) return null;
        const popup = new FakePopup(url, name);
        this.popups.push(popup);
        return popup;
      },
    };
  }

  /** @param {string} name @param {{signal: AbortSignal}} options @param {() => Promise<void>} work */
  #lock(name, { signal }, work) {
    const { browser } = this;
    return new Promise((resolve, reject) => {
      const run = () => {
        browser.held.add(name);
        Promise.resolve()
          .then(work)
          .then(resolve, reject)
          .finally(() => {
            browser.held.delete(name);
            const next = browser.waiting.findIndex((other) => other.name === name);
            if (next >= 0) browser.waiting.splice(next, 1)[0]?.run();
          });
      };
      if (!browser.held.has(name)) return run();
      const entry = { name, run };
      browser.waiting.push(entry);
      signal.addEventListener('abort', () => {
        const at = browser.waiting.indexOf(entry);
        if (at < 0) return;
        browser.waiting.splice(at, 1);
        reject(signal.reason);
      });
    });
  }
}

class FakePopup {
  /** @param {string} url @param {string} name */
  constructor(url, name) {
    this.url = new URL(url);
    this.name = name;
    this.closed = false;
  }

  close() {
    this.closed = true;
  }

  /** What the gateway's page at the end of the login says. @param {Browser} browser @param {object} [more] */
  says(browser, more) {
    const { hash } = new URL(this.url.searchParams.get('return_to') ?? '');
    new FakeChannel(browser, 'gatehouse:https://app.example.com/auth').postMessage({ type: 'popup', id: hash.slice(1), ...more });
  }
}

export class FakeChannel {
  /** @param {Browser} browser @param {string} name */
  constructor(browser, name) {
    this.browser = browser;
    this.name = name;
    /** @type {((event: {data: any}) => void) | undefined} */
    this.onmessage = undefined;
    browser.channels.push(this);
  }

  /** @param {unknown} message */
  postMessage(message) {
    for (const other of this.browser.channels) {
      if (other === this || other.name !== this.name) continue;
      const data = structuredClone(message);
      queueMicrotask(() => this.browser.channels.includes(other) && other.onmessage?.({ data }));
    }
  }

  close() {
    const at = this.browser.channels.indexOf(this);
    if (at >= 0) this.browser.channels.splice(at, 1);
  }
}

export class FakeStream extends EventTarget {
  /** @param {string} url @param {EventSourceInit} init */
  constructor(url, init) {
    super();
    this.url = url;
    this.init = init;
    this.closed = false;
    /** @type {(() => void) | undefined} */
    this.onerror = undefined;
  }

  /** The gateway says something. @param {string} event @param {unknown} data */
  says(event, data) {
    this.dispatchEvent(Object.assign(new Event(event), { data: JSON.stringify(data) }));
  }

  breaks() {
    this.onerror?.();
  }

  close() {
    this.closed = true;
  }
}

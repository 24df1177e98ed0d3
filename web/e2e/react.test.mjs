// @gatehouse/client/react in real React, in real Chromium, with a gateway that says what each test is about.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { closeProfile, failure, launch } from './browser.mjs';
import { serve } from './upstream.mjs';
import { until, wait } from './until.mjs';
import { suiteTimeout } from './visit.mjs';
import { Wire } from './wire.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('node:http').IncomingMessage} IncomingMessage */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

const alice = {
  authenticated: true, userSub: 'sub-alice', username: 'alice', generation: 0,
  tokens: { accessToken: { payload: {} }, idToken: { payload: {} } },
  serverTime: 1000, accessExpiresAt: 4600, idleExpiresAt: 2800, sessionExpiresAt: 9000,
};

/** A gateway that stays where it is: its login answers 204, which leaves the page in place. */
class Gateway {
  /** Whether it can answer about sessions. */
  away = false;
  signedIn = false;
  /** @type {URL[]} logins and logouts that pages went to */
  visited = [];
  /** @type {Set<ServerResponse>} */
  streams = new Set();

  /** @param {string} script */
  async start(script) {
    const upstream = await serve((request, response) => this.#answer(request, response, script));
    this.url = upstream.url;
    this.stop = upstream.stop;
  }

  /** All pages hear that the session is over. @param {string} reason */
  end(reason) {
    this.signedIn = false;
    for (const stream of this.streams) stream.end(`event: signedOut\ndata: {"reason":"${reason}"}\n\n`);
  }

  /** @param {IncomingMessage} request @param {ServerResponse} response @param {string} script */
  #answer(request, response, script) {
    const url = new URL(request.url ?? '', this.url);
    switch (url.pathname) {
      case '/':
        return send(response, 'text/html', '<!doctype html><div id="root"></div><script src="/app.js"></script>');
      case '/app.js':
        return send(response, 'text/javascript', script);
      case '/auth/login':
      case '/auth/signed-out':
        this.visited.push(url);
        return response.writeHead(204).end();
    }
    if (this.away) return request.socket.destroy();
    switch (url.pathname) {
      case '/auth/session':
        return send(response, 'application/json', JSON.stringify(this.signedIn ? alice : { authenticated: false }));
      case '/auth/logout':
        this.signedIn = false; // the stream says so too, but may well be slower
        return send(response, 'application/json', '{"logoutUrl":"/auth/signed-out"}');
      case '/auth/events':
        this.streams.add(response);
        response.on('close', () => this.streams.delete(response));
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        return response.write(`event: session\ndata: ${JSON.stringify(alice)}\n\n`);
    }
    response.writeHead(404).end();
  }
}

/** @param {ServerResponse} response @param {string} type @param {string} body */
function send(response, type, body) {
  response.writeHead(200, { 'Content-Type': type, 'X-Gatehouse': '1' });
  response.end(body);
}

/** @param {string} modules where React is */
async function bundle(modules) {
  const alias = ['react', 'react-dom'].map((name) => ({
    find: new RegExp(`^${name}(?=$|/)`),
    replacement: fileURLToPath(new URL(`${modules}/${name}`, import.meta.url)),
  }));
  const built = await build({
    configFile: false, logLevel: 'error', mode: 'development', resolve: { alias },
    define: { 'process.env.NODE_ENV': '"development"' },
    build: {
      write: false, minify: false, modulePreload: false,
      lib: { entry: fileURLToPath(new URL('react/app.js', import.meta.url)), formats: ['iife'], name: 'app' },
    },
  });
  return /** @type {any} */ (built)[0].output[0].code;
}

for (const [name, modules] of [['React 18', './node_modules'], ['React 19', '../client/node_modules']]) {
  describe(`@gatehouse/client/react with ${name}`, { timeout: suiteTimeout }, () => {
    const wire = new Wire();
    /** @type {string} */
    let script;
    /** @type {import('playwright-core').Browser} */
    let browser;

    before(async () => {
      script = await bundle(modules);
      browser = await launch(await wire.start());
    });
    after(async () => {
      await browser?.close();
      wire.stop();
    });

    /** @param {(page: Page, gateway: Gateway) => Promise<void>} test */
    const fresh = (test) => async () => {
      const gateway = new Gateway();
      await gateway.start(script);
      const context = await browser.newContext();
      context.setDefaultTimeout(wait);
      const page = await context.newPage();
      /** @type {string[]} */
      const complaints = [];
      page.on('pageerror', (err) => complaints.push(String(err)));
      page.on('console', (message) => {
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
      });
      try {
        await test(page, gateway);
        assert.deepEqual(complaints, [], 'React or the browser complains');
      } catch (err) {
        throw await failure(page, /** @type {Error} */ (err));
      } finally {
        await closeProfile(context);
        gateway.stop();
      }
    };

    it('shows who is signed in', fresh(async (page, gateway) => {
      gateway.signedIn = true;
      await page.goto(`${gateway.url}/`);
      await page.getByText('Secret').waitFor();
      await says(page, 'authenticated alice');
      assert.deepEqual(gateway.visited, []);
    }));

    it('takes over a page that a server has made', fresh(async (page, gateway) => {
      gateway.signedIn = true;
      await page.goto(`${gateway.url}/?from-server`);
      await page.getByText('Secret').waitFor();
    }));

    it('sends a stranger to the login, once for two guards, and back to where he was', fresh(async (page, gateway) => {
      const address = `${gateway.url}/?twice#here`;
      await page.goto(address);
      await visits(gateway, 1);
      await settled(page);
      assert.deepEqual(gateway.visited.map(told), [{ path: '/auth/login', return_to: address }]);
      await page.getByText('One moment').first().waitFor();
      // The back button may show the page again as it was: it goes on to the login, as one that is loaded does.
      await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
      await visits(gateway, 2);
    }));

    it('leaves the login to the page where that is asked for', fresh(async (page, gateway) => {
      await page.goto(`${gateway.url}/?own-login`);
      await says(page, 'unauthenticated');
      await settled(page);
      await page.getByText('One moment').waitFor();
      assert.deepEqual(gateway.visited, []);
    }));

    it('waits with the login until somebody looks', fresh(async (page, gateway) => {
      await page.addInitScript(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden', writable: true }));
      await page.goto(`${gateway.url}/`);
      await says(page, 'unauthenticated');
      await settled(page);
      assert.deepEqual(gateway.visited, []);
      await page.evaluate(() => {
        Object.assign(document, { visibilityState: 'visible' });
        document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
      });
      await visits(gateway, 1);
    }));

    it('sends nobody to the login for an outage, and goes on by itself', fresh(async (page, gateway) => {
      await page.clock.install();
      gateway.away = true;
      await page.goto(`${gateway.url}/`);
      await says(page, 'loading NetworkError');
      await page.getByRole('button', { name: 'NetworkError: try again' }).click();
      await settled(page);
      await says(page, 'loading NetworkError');
      assert.deepEqual(gateway.visited, []);

      gateway.away = false;
      gateway.signedIn = true;
      await page.clock.fastForward(10_000);
      await page.getByText('Secret').waitFor();
      await says(page, 'authenticated alice');
    }));

    it('goes on when asked to', fresh(async (page, gateway) => {
      await page.clock.install(); // no time passes, so that it is the click
      gateway.away = true;
      await page.goto(`${gateway.url}/`);
      const retry = page.getByRole('button', { name: 'NetworkError: try again' });
      await retry.waitFor();
      gateway.away = false;
      gateway.signedIn = true;
      await retry.click();
      await page.getByText('Secret').waitFor();
    }));

    it('keeps showing what it shows when a refresh fails', fresh(async (page, gateway) => {
      gateway.signedIn = true;
      await page.goto(`${gateway.url}/`);
      await page.getByText('Secret').waitFor();
      gateway.away = true;
      await page.getByRole('button', { name: 'Refresh' }).click();
      await says(page, 'authenticated alice NetworkError');
      assert.ok(await page.getByText('Secret').isVisible());
      assert.deepEqual(gateway.visited, []);
    }));

    for (const [reason, prompt] of [['admin', 'login'], ['logout', 'login'], ['expired', undefined]]) {
      it(`has the user pool ${prompt ? 'ask again' : 'let in'} who is signed out: ${reason}`, fresh(async (page, gateway) => {
        gateway.signedIn = true;
        await page.goto(`${gateway.url}/`);
        await page.getByText('Secret').waitFor();
        await streams(gateway);
        gateway.end(/** @type {string} */ (reason));
        await visits(gateway, 1);
        assert.deepEqual(gateway.visited.map(told), [
          { path: '/auth/login', return_to: `${gateway.url}/`, ...(prompt && { prompt }) },
        ]);
        assert.equal(await page.getByText('Secret').count(), 0);
      }));
    }

    it('does not get in the way of a sign-out', fresh(async (page, gateway) => {
      gateway.signedIn = true;
      await page.goto(`${gateway.url}/`);
      await page.getByText('Secret').waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await says(page, 'unauthenticated');
      await visits(gateway, 1);
      await settled(page);
      assert.deepEqual(gateway.visited.map(told), [{ path: '/auth/signed-out' }]);
    }));
  });
}

/** Waits until the hooks say this. @param {Page} page @param {string} text */
async function says(page, text) {
  await page.locator('#who', { hasText: new RegExp(`^${text}$`) }).waitFor();
}

/** @param {URL} url */
function told({ pathname, searchParams }) {
  return { path: pathname, ...Object.fromEntries(searchParams) };
}

/** Waits until pages have gone to the login or the logout so often. @param {Gateway} gateway @param {number} count */
async function visits(gateway, count) {
  await until(() => gateway.visited.length >= count, () => `${gateway.visited.length} visits, not ${count}`);
}

/** Waits until a page has its stream open. @param {Gateway} gateway */
async function streams(gateway) {
  await until(() => gateway.streams.size, 'the page opens no stream');
}

/** Ends once the page has done what it was about to: answers are in, and React has rendered. @param {Page} page */
async function settled(page) {
  for (let i = 0; i < 3; i++) {
    await page.evaluate(async () => {
      await fetch('/auth/session').catch(() => {});
      await new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = resolve;
        port2.postMessage(0);
      });
    });
  }
}

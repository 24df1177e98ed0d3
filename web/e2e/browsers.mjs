// The browsers beside Chromium that Debian has, as far as a short pass needs it: Firefox by WebDriver BiDi, WebKitGTK
// by WebDriver.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import puppeteer from 'puppeteer-core';
import { freePort, run } from './gateway.mjs';

const startWithin = 180_000; // ms, on a busy machine

/**
 * @typedef {object} Tab
 * @property {(url: string) => Promise<unknown>} goto
 * @property {(script: string) => Promise<any>} evaluate what an expression gives in the page, promises waited for
 */
/** @typedef {{tab: () => Promise<Tab>, close: () => Promise<unknown>}} Browser its tabs share one profile, never used before */

/** @returns {Promise<Browser>} */
export async function firefox() {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    timeout: startWithin,
    protocolTimeout: startWithin,
  });
  return {
    async tab() {
      const page = await browser.newPage();
      return {
        goto: (url) => page.goto(url),
        evaluate: (script) => page.evaluate(script),
      };
    },
    close: () => browser.close(),
  };
}

/** @returns {Promise<Browser>} */
export async function webkit() {
  const screen = spawn('Xvfb', ['-displayfd', '1', '-nolisten', 'tcp'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [display] = await once(screen.stdout, 'data');
  const address = `http://127.0.0.1:${await freePort()}`;
  const env = { ...process.env, DISPLAY: `:${String(display).trim()}` };
  const driver = await run('WebKitWebDriver', 'WebKitWebDriver', [`--port=${new URL(address).port}`], `${address}/status`, { env });

  /** @param {string} path @param {object} [body] @param {string} [method] */
  async function command(path, body = {}, method = 'POST') {
    const response = await fetch(`${address}/session${path}`, { method, body: method === 'POST' ? JSON.stringify(body) : undefined });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`WebDriver: ${value.error}: ${value.message}`);
    return value;
  }

  const { sessionId } = await command('', { capabilities: {} });
  const session = `/${sessionId}`;
  return {
    async tab() {
      const { handle } = await command(`${session}/window/new`, { type: 'tab' });
      const inTab = async (/** @type {string} */ path, /** @type {object} */ body) => {
        await command(`${session}/window`, { handle });
        return command(session + path, body);
      };
      return {
        goto: (url) => inTab('/url', { url }),
        evaluate: (script) => inTab('/execute/async', { script: `Promise.resolve(${script}).then(arguments[0])`, args: [] }),
      };
    },
    async close() {
      await command(session, {}, 'DELETE').catch(() => {});
      await driver.stop();
      screen.kill();
    },
  };
}

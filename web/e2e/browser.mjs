// Real Chromium, headless, with nothing of its own on the network.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { audit, auditByAxe } from './audit.mjs';

const screenshots = fileURLToPath(new URL('./screenshots/', import.meta.url));
const readmeImages = fileURLToPath(new URL('../../docs/images/', import.meta.url));

/**
 * @param {string} proxy address of the proxy all traffic goes through, loopback too
 * @param {import('playwright-core').LaunchOptions} [options] what differs
 * @returns {Promise<import('playwright-core').Browser>}
 */
export function launch(proxy, options) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    timeout: 180_000, // ms, on a busy machine
    proxy: { server: proxy, bypass: '<-loopback>' },
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    ...options,
  });
}

/**
 * Closes a browser's profile. Of one whose page is on its way to another Chromium may never say that it is closed: it is
 * not waited for then, and ends with the browser.
 * @param {import('playwright-core').BrowserContext} context
 */
export async function closeProfile(context) {
  const closed = context.close().catch(() => {});
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 20_000).unref())]);
}

/**
 * Takes pictures of the page as it stands, light, dark, and on a small phone, and
 * has each of them pass the audits.
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
export async function picture(page, name) {
  await mkdir(screenshots, { recursive: true });
  const size = page.viewportSize() ?? { width: 1000, height: 700 };
  const faults = [];
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    faults.push(...(await auditByAxe(page)).map((fault) => `${colorScheme}: ${fault}`));
    for (const width of [size.width, 360]) {
      await page.setViewportSize({ width, height: size.height });
      await page.screenshot({ path: `${screenshots}${name}-${colorScheme}-${width}.png`, fullPage: true });
      faults.push(...(await audit(page)).map((fault) => `${colorScheme}, ${width} wide: ${fault}`));
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  await page.setViewportSize(size);
  assert.deepEqual(faults, [], `the page "${name}" is not fit for everyone`);
}

/**
 * Takes the pictures that the README shows, if they were asked for (`make screenshots`).
 * @param {import('playwright-core').Page} page
 */
export async function pictureForReadme(page) {
  if (!process.env.README_IMAGES) return;
  const size = page.viewportSize() ?? { width: 1000, height: 700 };
  const pictures = /** @type {const} */ ([['light', 'light', 1080], ['dark', 'dark', 1080], ['phone', 'light', 390]]);
  for (const [name, colorScheme, width] of pictures) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 800 });
    await page.screenshot({ path: `${readmeImages}demo-${name}.png` });
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  await page.setViewportSize(size);
}

/**
 * Wraps a test's error with what was on the screen, and takes a picture of it. A page
 * that hangs may give neither, and is not waited for.
 * @param {import('playwright-core').Page} page
 * @param {Error} err
 */
export async function failure(page, err) {
  await mkdir(screenshots, { recursive: true });
  const timeout = 10_000; // ms
  await page.screenshot({ path: `${screenshots}failed.png`, timeout }).catch(() => {});
  const text = await page.innerText('body', { timeout }).catch(() => 'The page does not answer.');
  return new Error(`at ${page.url().split('?')[0]}\n${text.slice(0, 800)}\n${err.stack}`, { cause: err });
}

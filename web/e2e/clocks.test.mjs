// The clocks of the demo page, in a time of their own.

import assert from 'node:assert/strict';
import { beforeEach, it, mock } from 'node:test';
import { Clocks } from '../demo/clocks.js';

const texts = { access: { textContent: '' }, idle: { textContent: '' }, session: { textContent: '' } };
/** @param {'access' | 'idle' | 'session'} name */
const view = (name) => /** @type {any} */ ({ text: texts[name], bar: { value: 0 } });
/** @type {Clocks} */
let clocks;

beforeEach((t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1_000_000 });
  clocks = new Clocks({ access: view('access'), idle: view('idle'), session: view('session') });
  /** @type {import('node:test').TestContext} */ (t).after(() => mock.timers.reset());
});

/**
 * What the gateway says whose clock is 500 seconds ahead.
 * @param {number} at second of this computer's clock
 */
function answer(at) {
  const serverTime = at + 500;
  return { serverTime, accessExpiresAt: serverTime + 65, idleExpiresAt: serverTime + 3, sessionExpiresAt: serverTime + 3600 };
}

const shown = () => Object.values(texts).map(({ textContent }) => textContent);

it("count by the server's clock, each second, and stop at zero", () => {
  clocks.start(answer(1000));
  assert.deepEqual(shown(), ['1:05', '0:03', '1:00:00']);
  mock.timers.tick(1000);
  assert.deepEqual(shown(), ['1:04', '0:02', '59:59']);
  mock.timers.tick(9000);
  assert.deepEqual(shown(), ['0:55', 'over', '59:50']);
});

it('take an answer that is shown a second time for as old as it is', () => {
  const first = answer(1000);
  clocks.start(first);
  mock.timers.tick(2000);
  clocks.start({ ...first });
  assert.deepEqual(shown(), ['1:03', '0:01', '59:58']);
  clocks.start(answer(1002));
  assert.deepEqual(shown(), ['1:05', '0:03', '1:00:00']);
});

it('show nothing new once they are stopped, and begin again', () => {
  clocks.start(answer(1000));
  clocks.stop();
  mock.timers.tick(5000);
  assert.deepEqual(shown(), ['1:05', '0:03', '1:00:00']);
  clocks.start(answer(1005));
  mock.timers.tick(1000);
  assert.equal(texts.access.textContent, '1:04');
});

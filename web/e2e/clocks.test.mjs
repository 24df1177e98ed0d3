// The clocks of the demo page, in a time of their own.

import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { Clocks } from '../demo/clocks.js';

/** @param {() => void} onZero */
function clocks(onZero) {
  const view = () => /** @type {any} */ ({ text: {}, bar: {} });
  return new Clocks({ access: view(), idle: view(), session: view() }, onZero);
}

/** @param {number} accessExpiresAt */
const session = (accessExpiresAt) =>
  /** @type {any} */ ({ serverTime: Date.now() / 1000, accessExpiresAt, idleExpiresAt: 9999, sessionExpiresAt: 9999 });

it('a clock whose zero fell between two late ticks is still noticed', (t) => {
  mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1_000_000 });
  t.after(() => mock.timers.reset());
  let asked = 0;
  const view = clocks(() => asked++);
  view.start(session(1003));
  mock.timers.tick(2000);
  assert.equal(asked, 0, 'asked before zero');
  mock.timers.setTime(1_007_500); // a busy machine, or a lid that was closed
  mock.timers.tick(1000);
  assert.equal(asked, 1);
  mock.timers.tick(2000);
  assert.equal(asked, 1, 'asked again at once');
  mock.timers.tick(1000);
  assert.equal(asked, 2, 'gave up while the clock stayed at zero');
  view.start(session(1100));
  mock.timers.tick(10_000);
  assert.equal(asked, 2, 'asked with time left');
  view.stop();
});

// Counts down to the ends of a session, by the server's clock and not the browser's.

import { duration } from './words.js';

/** @typedef {{serverTime: number, accessExpiresAt: number, idleExpiresAt: number, sessionExpiresAt: number}} Times */

export class Clocks {
  /** @param {Record<'access' | 'idle' | 'session', {text: HTMLElement, bar: HTMLProgressElement}>} views */
  constructor(views) {
    this.clocks = [
      { ...views.access, of: (/** @type {Times} */ times) => times.accessExpiresAt, endsAt: 0, span: 1 },
      { ...views.idle, of: (/** @type {Times} */ times) => times.idleExpiresAt, endsAt: 0, span: 1 },
      { ...views.session, of: (/** @type {Times} */ times) => times.sessionExpiresAt, endsAt: 0, span: 1 },
    ];
    /** Of the answer that is shown. */
    this.serverTime = 0;
    /** Seconds that the server's clock is ahead of this one. */
    this.skew = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
  }

  /**
   * Shows what an answer says, and goes on from there. An answer may be shown again later, from memory: only a new one
   * tells what time it is.
   * @param {Times} times
   */
  start(times) {
    if (times.serverTime !== this.serverTime) {
      this.serverTime = times.serverTime;
      this.skew = times.serverTime - Date.now() / 1000;
    }
    for (const clock of this.clocks) {
      clock.endsAt = clock.of(times);
      // A bar is full at the longest time left that was seen: the limits themselves are not in the answer.
      clock.span = Math.max(clock.span, this.#left(clock.endsAt));
    }
    this.#draw();
    this.timer ??= setInterval(() => this.#draw(), 1000);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** @param {number} endsAt */
  #left(endsAt) {
    return endsAt - (Date.now() / 1000 + this.skew);
  }

  #draw() {
    for (const { text, bar, endsAt, span } of this.clocks) {
      const left = Math.max(0, Math.ceil(this.#left(endsAt)));
      text.textContent = left === 0 ? 'over' : duration(left);
      bar.value = Math.min(1, left / span);
    }
  }
}

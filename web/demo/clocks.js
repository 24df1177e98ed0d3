// The session's clocks, counted down in the page between two looks at the
// session. The server's time counts, not the browser's.

/** @typedef {import('./gateway.js').SignedIn} SignedIn */
/** @typedef {{text: HTMLElement, bar: HTMLProgressElement, endsAt: number, span: number}} Clock */

const askAgain = 3; // seconds between two calls while a clock stays at zero

/** Counts down to the ends of one session. */
export class Clocks {
  /**
   * @param {Record<'access' | 'idle' | 'session', {text: HTMLElement, bar: HTMLProgressElement}>} views
   * @param {() => void} onZero called when a clock has reached zero, and again
   *   every three seconds until none is at zero or the clocks are stopped
   */
  constructor(views, onZero) {
    /** @type {Record<'access' | 'idle' | 'session', Clock>} */
    this.clocks = {
      access: { ...views.access, endsAt: 0, span: 1 },
      idle: { ...views.idle, endsAt: 0, span: 1 },
      session: { ...views.session, endsAt: 0, span: 1 },
    };
    this.onZero = onZero;
    /** Seconds that the server's clock is ahead of this one. */
    this.skew = 0;
    /** Moment of the last call of onZero, in seconds of this clock. */
    this.asked = 0;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
  }

  /** @param {SignedIn} session */
  start(session) {
    this.skew = session.serverTime - Date.now() / 1000;
    this.#set(this.clocks.access, session.accessExpiresAt);
    this.#set(this.clocks.idle, session.idleExpiresAt);
    this.#set(this.clocks.session, session.sessionExpiresAt);
    this.#draw();
    this.timer ??= setInterval(() => this.#tick(), 1000);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = undefined;
    for (const clock of Object.values(this.clocks)) clock.span = 1;
  }

  /**
   * A bar is full at the longest time left that was seen, since the limits
   * themselves are not in the answer.
   * @param {Clock} clock
   * @param {number} endsAt
   */
  #set(clock, endsAt) {
    clock.endsAt = endsAt;
    clock.span = Math.max(clock.span, this.#left(clock));
  }

  /** @param {Clock} clock */
  #left(clock) {
    return clock.endsAt - (Date.now() / 1000 + this.skew);
  }

  // Ticks come late on a busy machine and in a tab behind, so that zero itself may
  // be skipped.
  #tick() {
    this.#draw();
    const now = Date.now() / 1000;
    const zero = Object.values(this.clocks).some((clock) => this.#left(clock) <= 0);
    if (!zero || now - this.asked < askAgain) return;
    this.asked = now;
    this.onZero();
  }

  #draw() {
    for (const clock of Object.values(this.clocks)) {
      const left = Math.max(0, Math.ceil(this.#left(clock)));
      clock.text.textContent = left === 0 ? 'expired' : format(left);
      clock.bar.value = Math.min(1, left / clock.span);
    }
  }
}

/**
 * @param {number} seconds
 * @returns {string} h:mm:ss, or m:ss below an hour
 */
export function format(seconds) {
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const h = Math.floor(seconds / 3600);
  const m = Math.floor(seconds / 60) % 60;
  const s = seconds % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

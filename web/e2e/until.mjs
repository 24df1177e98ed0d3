// Waiting for what comes when it comes.

/** In ms, and there for what never comes: a busy machine must not reach it. */
export const wait = 120_000;

/**
 * Waits until something holds.
 * @param {() => unknown} holds
 * @param {string | (() => string)} otherwise what is wrong if it never does
 */
export async function until(holds, otherwise) {
  for (const deadline = Date.now() + wait; !(await holds()); ) {
    if (Date.now() > deadline) throw new Error(typeof otherwise === 'string' ? otherwise : otherwise());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// What the user pool would have mailed.

import assert from 'node:assert/strict';

/**
 * The code that was sent to an address, as the user pool's start page shows it.
 * @param {{hosted: string}} pool
 * @param {string} address
 */
export async function codeFor({ hosted }, address) {
  const start = await (await fetch(hosted)).text();
  const code = start.match(`<span>${address}</span><code>(\\d{6})</code>`)?.[1];
  assert.ok(code, `no code for ${address}`);
  return code;
}

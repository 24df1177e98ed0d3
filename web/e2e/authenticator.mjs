// An authenticator app.

import { createHmac } from 'node:crypto';

/**
 * The code of an authenticator app (RFC 6238).
 * @param {string} base32 its secret
 * @param {number} [steps] of 30 s, from now
 */
export function appCode(base32, steps = 0) {
  const bits = [...base32].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', key).update(step).digest();
  const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/**
 * Sends codes of an authenticator app until one arrives in time.
 * @param {string} base32 the app's secret
 * @param {(code: string) => Promise<any>} send
 */
export async function sendAppCode(base32, send) {
  for (let tries = 1; ; tries++) {
    const output = await send(appCode(base32));
    if (tries === 5 || !/^(CodeMismatch|EnableSoftwareTokenMFA)Exception/.test(output)) return output;
  }
}

/**
 * A token in form only: the claims in three parts, as Amplify decodes them, with a header and a signature that no API takes.
 * @param {Record<string, unknown>} payload
 */
export function toShadow(payload) {
  return { payload, toString: () => `${encode({ alg: 'BFF', typ: 'JWT' })}.${encode(payload)}.unsigned` };
}

/**
 * @param {unknown} part
 * @returns {string} base64url of its JSON (RFC 7515, section 2)
 */
function encode(part) {
  const bytes = new TextEncoder().encode(JSON.stringify(part));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
    .replace(/\+/g, '-')
    .replace(/\//g, '_')
    .replace(/=+$/, '');
}

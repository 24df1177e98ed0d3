import { createRemoteJWKSet, jwtVerify } from 'jose';

/** The issuer is the gateway's public_url; keys is where the API reaches its /auth/jwks.json. */
export function newAssertionVerifier(issuer, keys, audience) {
  const set = createRemoteJWKSet(new URL(keys));
  return async (token) => {
    const options = { issuer, audience, algorithms: ['ES256'], requiredClaims: ['sub', 'exp'] };
    const { payload } = await jwtVerify(token, set, options);
    return payload;
  };
}

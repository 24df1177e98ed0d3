import { createRemoteJWKSet, jwtVerify } from 'jose';

export function newVerifier(issuer, clientId) {
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
  return async (token) => {
    const options = { issuer, algorithms: ['RS256'], requiredClaims: ['sub', 'exp'] };
    const { payload } = await jwtVerify(token, keys, options);
    if (payload.token_use !== 'access' || payload.client_id !== clientId) {
      throw new Error('no access token of this client');
    }
    return payload;
  };
}

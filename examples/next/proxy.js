import { createRemoteJWKSet, jwtVerify } from 'jose';
import { NextResponse } from 'next/server';

// Those of `gateway dev`. A pool at AWS has https://cognito-idp.REGION.amazonaws.com/POOL_ID.
const issuer = process.env.COGNITO_ISSUER ?? 'http://localhost:9229/eu-west-1_GatehouseDev';
const clientId = process.env.COGNITO_CLIENT_ID ?? 'gatehouse-dev';
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));

/**
 * Turns the access token that the gateway sends into headers that say who is signed in, before anything else of Next.js
 * sees the request: in development React tells the browser what components on the server have waited for, and all
 * headers would be among it. The token is checked, since whoever reaches this port can write one.
 */
export async function proxy(request) {
  const headers = new Headers(request.headers);
  for (const name of ['authorization', 'x-auth-subject', 'x-auth-username']) headers.delete(name);
  const token = request.headers.get('authorization')?.replace(/^Bearer /, '');
  if (token) {
    const { payload } = await jwtVerify(token, keys, { issuer, algorithms: ['RS256'], requiredClaims: ['sub', 'exp'] });
    if (payload.token_use !== 'access' || payload.client_id !== clientId) throw new Error('no access token of this client');
    headers.set('x-auth-subject', payload.sub);
    headers.set('x-auth-username', encodeURIComponent(payload.username));
  }
  return NextResponse.next({ request: { headers } });
}

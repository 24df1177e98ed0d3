// An API behind the gateway: GET /api/me says whose token it was sent.

import express from 'express';
import { newAssertionVerifier } from './assertion.js';
import { newVerifier } from './verifier.js';

const { GATEWAY_ISSUER, GATEWAY_KEYS, ASSERTION_AUDIENCE, COGNITO_ISSUER, COGNITO_CLIENT_ID, PORT = '3000' } = process.env;

// By the gateway's assertion where its issuer is set, else by the user's access token.
const byAssertion = Boolean(GATEWAY_ISSUER);
const verify = byAssertion
  ? newAssertionVerifier(GATEWAY_ISSUER, GATEWAY_KEYS, ASSERTION_AUDIENCE)
  : newVerifier(COGNITO_ISSUER, COGNITO_CLIENT_ID);

function proofOf(req) {
  if (byAssertion) return req.get('x-gatehouse-assertion') ?? '';
  return (req.get('authorization') ?? '').split('Bearer ')[1] ?? '';
}

/** Lets pass who has a good proof; its claims are in res.locals then. */
async function authenticate(req, res, next) {
  try {
    res.locals.claims = await verify(proofOf(req));
  } catch (error) {
    const keysAway = error instanceof TypeError || ['ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC'].includes(error.code);
    if (keysAway) return res.status(503).json({ error: 'no keys to verify tokens by' });
    return res.status(401).set('WWW-Authenticate', 'Bearer error="invalid_token"').json({ error: 'invalid token' });
  }
  next();
}

const app = express();
app.get('/api/me', authenticate, (req, res) => res.json({ sub: res.locals.claims.sub }));
app.listen(Number(PORT), '127.0.0.1');

// An API behind the gateway: GET /api/me says whose token it was sent.

import express from 'express';
import { newVerifier } from './verifier.js';

const { COGNITO_ISSUER, COGNITO_CLIENT_ID, PORT = '3000' } = process.env;
const verify = newVerifier(COGNITO_ISSUER, COGNITO_CLIENT_ID);

/** Lets pass who has a good token; its claims are in res.locals then. */
async function authenticate(req, res, next) {
  const [, token = ''] = (req.get('authorization') ?? '').split('Bearer ');
  try {
    res.locals.claims = await verify(token);
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

// Says of each token what two other verifiers say of it. Standard input is {issuer, pool, clients, keys, tokens};
// standard output is a list of {aws, jose}, whether the token is taken.

import { CognitoJwtVerifier } from 'aws-jwt-verify';
import { createLocalJWKSet, jwtVerify } from 'jose';

let input = '';
for await (const piece of process.stdin) input += piece;
const { issuer, pool, clients, keys, tokens } = JSON.parse(input);

const leeway = 60; // seconds, as the gateway has for iat and nbf
const aws = CognitoJwtVerifier.create({ userPoolId: pool, tokenUse: 'access', clientId: clients, graceSeconds: leeway });
aws.cacheJwks(keys);
const keySet = createLocalJWKSet(keys);

const byAWS = (token) => aws.verify(token).then(() => true, () => false);

const byJose = async (token) => {
  try {
    const { payload } = await jwtVerify(token, keySet, { issuer, algorithms: ['RS256'], clockTolerance: leeway });
    return payload.token_use === 'access' && clients.includes(payload.client_id);
  } catch {
    return false;
  }
};

const verdicts = [];
for (const token of tokens) verdicts.push({ aws: await byAWS(token), jose: await byJose(token) });
process.stdout.write(JSON.stringify(verdicts));

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, alice, own, signedOut } from './browser.js';

/** A browser whose gateway gives these answers, one after the other, the last one again and again. @param {Response[]} answers */
function browserWith(...answers) {
  const browser = new Browser();
  browser.gateway = () => /** @type {Response} */ (answers.length > 1 ? answers.shift() : answers[0]?.clone());
  return browser;
}

test('tells who is signed in, as aws-amplify does', async () => {
  const { client } = browserWith(own(alice({ signInDetails: { loginId: 'alice@example.com' } }))).open();
  assert.deepEqual(await client.getCurrentUser(), {
    username: 'alice',
    userId: 'sub-alice',
    signInDetails: { loginId: 'alice@example.com' },
  });
});

test('gives claims and clocks, and no token', async () => {
  const browser = browserWith(own(alice({ generation: 3 })));
  const session = await browser.open().client.fetchAuthSession();
  assert.equal(session.userSub, 'sub-alice');
  assert.equal(session.username, 'alice');
  assert.equal(session.generation, 3);
  assert.equal(session.accessExpiresAt, 1_795_404_832);
  assert.deepEqual(session.tokens?.idToken.payload, { sub: 'sub-alice', email: 'alice@example.com' });
  assert.equal(`${session.tokens?.accessToken}${session.tokens?.idToken}`, '');
  assert.equal(session.credentials, undefined);
});

test('is told apart: nobody is signed in', async () => {
  const { client } = browserWith(own(signedOut)).open();
  const session = await client.fetchAuthSession();
  assert.deepEqual([session.tokens, session.userSub, session.credentials, session.identityId], Array(4).fill(undefined));
  await assert.rejects(client.getCurrentUser(), { name: 'UserUnAuthenticatedException' });
  await assert.rejects(client.fetchUserAttributes(), { name: 'UserUnAuthenticatedException' });
});

test('fifty questions are one request', async () => {
  const browser = browserWith(own(alice()));
  const { client } = browser.open();
  await Promise.all(Array.from({ length: 50 }, () => client.fetchAuthSession()));
  assert.deepEqual(browser.paths, ['/auth/session']);
});

test('twenty forced refreshes are one', async () => {
  const browser = browserWith(own(alice({ generation: 1 })));
  const { client } = browser.open();
  const sessions = await Promise.all(Array.from({ length: 20 }, () => client.fetchAuthSession({ forceRefresh: true })));
  assert.deepEqual(browser.paths, ['POST /auth/refresh']);
  assert.ok(sessions.every(({ generation }) => generation === 1));
});

test('attributes are texts, without what is about the token', async () => {
  const payload = {
    sub: 's', email: 'a@example.com', email_verified: true, address: { formatted: 'Main St 1' }, updated_at: 7, 'custom:team': 'x',
    'cognito:groups': ['staff'], 'cognito:username': 'alice', iss: 'i', aud: 'a', exp: 1, iat: 1, token_use: 'id', nonce: 'n',
    identities: [{ userId: '1' }],
  };
  const tokens = { accessToken: { payload: {} }, idToken: { payload } };
  const { client } = browserWith(own(alice({ tokens }))).open();
  assert.deepEqual(await client.fetchUserAttributes(), {
    sub: 's', email: 'a@example.com', email_verified: 'true', address: 'Main St 1', updated_at: '7', 'custom:team': 'x',
    identities: '[{"userId":"1"}]',
  });
});

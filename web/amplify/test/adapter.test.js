// The real aws-amplify through the adapter, in each version.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settled } from '../../client/test/browser.js';
import { browserWith, plain, versions, withOAuth } from './amplify.js';

for (const version of versions) {
  describe(`aws-amplify ${version}`, () => {
    /** A page whose user is signed in, with what it hears. @param {object} [config] */
    async function signedIn(config = plain) {
      const browser = await browserWith(version, { auto: true });
      browser.signIn();
      const page = browser.open();
      const heard = page.hear();
      page.app.Amplify.configure(config);
      await settled();
      return { browser, page, heard, ...page.app };
    }

    it('tells who is signed in, and nobody from somebody', async () => {
      const { browser, page, auth } = await signedIn();
      assert.deepEqual(await auth.getCurrentUser(), { username: 'alice', userId: 'sub-alice' });
      const { tokens, userSub, credentials } = await auth.fetchAuthSession();
      assert.equal(userSub, 'sub-alice');
      assert.equal(credentials, undefined);
      assert.equal(tokens.idToken.payload.name, 'Älice');
      const [head, claims, signature] = tokens.idToken.toString().split('.');
      assert.deepEqual(JSON.parse(Buffer.from(head, 'base64url').toString()), { alg: 'BFF', typ: 'JWT' });
      assert.equal(JSON.parse(Buffer.from(claims, 'base64url').toString()).name, 'Älice');
      assert.ok(signature);

      browser.session = undefined;
      page.happens('online');
      await settled();
      await assert.rejects(auth.getCurrentUser(), { name: 'UserUnAuthenticatedException' });
      assert.equal((await auth.fetchAuthSession()).tokens, undefined);
      assert.equal((await auth.fetchAuthSession({ forceRefresh: true })).tokens, undefined);
    });

    it('asks once for fifty sessions, and refreshes once for twenty', async () => {
      const { browser, heard, auth } = await signedIn();
      await browser.pass(31_000); // what is in memory is out of date
      const before = browser.requests.length;
      await Promise.all(Array.from({ length: 50 }, () => auth.fetchAuthSession()));
      await Promise.all(Array.from({ length: 20 }, () => auth.fetchAuthSession({ forceRefresh: true })));
      assert.deepEqual(browser.paths.slice(before), ['/auth/session', 'POST /auth/refresh']);
      assert.deepEqual(heard, ['tokenRefresh']);
    });

    it('takes no outage for a sign-out', async () => {
      const { browser, heard, auth } = await signedIn();
      browser.online = false;
      await assert.rejects(auth.fetchAuthSession({ forceRefresh: true }), { name: 'NetworkError' });
      const signedOut = assert.rejects(auth.signOut(), { name: 'NetworkError' });
      await browser.pass(31_000); // Amplify repeats its call
      await signedOut;
      assert.equal((await auth.getCurrentUser()).username, 'alice', 'the tokens are good still');
      await browser.pass(3_600_000);
      await assert.rejects(auth.getCurrentUser(), { name: 'NetworkError' });
      await assert.rejects(auth.fetchAuthSession(), { name: 'NetworkError' });
      assert.deepEqual(heard, ['tokenRefresh_failure']);
      browser.online = true;
      assert.equal((await auth.getCurrentUser()).username, 'alice');
    });

    it('does not tell during an outage of a user who is signed out', async () => {
      const { browser, page, auth } = await signedIn();
      await auth.getCurrentUser();
      browser.stream?.says('signedOut', { reason: 'admin' });
      browser.online = false;
      page.happens('online');
      await settled();
      await assert.rejects(auth.getCurrentUser(), { name: 'NetworkError' });
    });

    for (const [what, config] of /** @type {const} */ ([['with OAuth', withOAuth], ['without OAuth', plain]])) {
      it(`signs out, ${what}, on this device and on all`, async () => {
        for (const global of [false, true]) {
          const { browser, page, heard, auth } = await signedIn(config);
          await auth.signOut({ global });
          await settled();
          assert.deepEqual(browser.operations, [global ? 'GlobalSignOut' : 'RevokeToken']);
          assert.equal(browser.session, undefined);
          assert.deepEqual(heard, ['signedOut']);
          await assert.rejects(auth.getCurrentUser(), { name: 'UserUnAuthenticatedException' });
          if (config === withOAuth && version !== '6.0.30') {
            assert.equal(page.leftFor, 'https://app.example.com/auth/amplify/logout?client_id=client-1&logout_uri=https%3A%2F%2Fapp.example.com%2Fbye');
          }
        }
      });

      it(`signs out, ${what}, where tokens cannot be revoked`, async () => {
        const { browser, page, heard, auth } = await signedIn(config);
        browser.claims = {};
        page.happens('online');
        await settled();
        await auth.signOut();
        assert.deepEqual(browser.operations, []);
        assert.equal(browser.session, undefined);
        assert.deepEqual(heard, ['signedOut']);
      });
    }

    it('signs in by redirect', async () => {
      const browser = await browserWith(version);
      const page = browser.open();
      page.app.Amplify.configure(...page.app.withGateway(withOAuth));
      await page.app.auth.signInWithRedirect({ customState: 'cart' });
      await settled();
      const address = new URL(page.leftFor);
      assert.equal(address.origin + address.pathname, 'https://app.example.com/auth/amplify/oauth2/authorize');
      assert.equal(address.searchParams.get('response_type'), 'code');
      assert.ok(address.searchParams.get('code_challenge'));

      browser.signIn();
      const landing = page.next(`https://app.example.com/?code=a-code&state=${address.searchParams.get('state')}`);
      const heard = landing.hear();
      landing.app.Amplify.configure(...landing.app.withGateway(withOAuth));
      await settled();
      assert.deepEqual(heard, ['customOAuthState', 'signInWithRedirect', 'signedIn']);
      assert.equal((await landing.app.auth.getCurrentUser()).userId, 'sub-alice');
      const keys = [...browser.local.keys()].map((key) => key.split('.').pop());
      assert.deepEqual(keys, ['oauthSignIn']);
      assert.ok(!JSON.stringify([...browser.local]).includes('eyJ'), 'a token is kept');

      await landing.app.auth.signOut();
      await settled();
      assert.match(landing.leftFor, /^https:\/\/app\.example\.com\/auth\/amplify\/logout\?/);
      assert.deepEqual(heard.slice(3), ['signedOut']);
    });

    it('tells of another tab', async () => {
      const { browser, page, auth } = await signedIn();
      const other = browser.open();
      const heard = other.hear({ enableCrossTabEvents: true });
      const here = other.hear();
      other.app.Amplify.configure(plain);
      await settled();
      await auth.fetchAuthSession({ forceRefresh: true });
      await settled();
      assert.deepEqual(heard, ['tokenRefresh']);
      await auth.signOut();
      await settled();
      assert.deepEqual(heard, ['tokenRefresh', 'signedOut']);
      browser.signIn();
      page.happens('online');
      await settled();
      assert.deepEqual(heard, ['tokenRefresh', 'signedOut', 'signedIn']);
      // Amplify 6.22 and newer tells of other tabs only who asks for it.
      assert.deepEqual(here, version === 'newest' ? ['tokenRefresh'] : heard);
    });

    it('tells everybody of an end that nobody here has asked for', async () => {
      const { browser, heard, auth } = await signedIn();
      browser.session = undefined;
      browser.stream?.says('signedOut', { reason: 'admin' });
      await settled();
      assert.deepEqual(heard, ['signedOut']);
      await assert.rejects(auth.getCurrentUser(), { name: 'UserUnAuthenticatedException' });
    });

    it('keeps to the gateway, however often it is configured and whatever storage is chosen', async () => {
      const { browser, page, auth, Amplify, CookieStorage, cognitoUserPoolsTokenProvider } = await signedIn();
      Amplify.configure(withOAuth);
      cognitoUserPoolsTokenProvider.setKeyValueStorage(new CookieStorage());
      Amplify.configure(Amplify.getConfig());
      cognitoUserPoolsTokenProvider.setKeyValueStorage(new CookieStorage());
      assert.equal((await auth.getCurrentUser()).username, 'alice');
      assert.equal((await cognitoUserPoolsTokenProvider.getTokens()).accessToken.payload.sub, 'sub-alice');
      assert.equal((await auth.fetchUserAttributes()).email, 'alice@example.com');
      assert.deepEqual(browser.operations, ['GetUser']);
      assert.equal(page.lines.filter((/** @type {string} */ line) => line.includes('setKeyValueStorage')).length, 1);
      assert.ok(!page.lines.some((/** @type {string} */ line) => line.includes('is protected')), 'Hub warns of the events');
    });

    it('knows this device', async () => {
      const { browser, auth } = await signedIn();
      await auth.rememberDevice();
      await auth.forgetDevice();
      assert.deepEqual(browser.operations, ['UpdateDeviceStatus', 'ForgetDevice']);
      assert.equal(JSON.parse(browser.requests.at(-1)?.body ?? '').DeviceKey, 'device-1');
    });

    it('does not end the session where only credentials are dropped', async () => {
      const { browser, Amplify } = await signedIn();
      await Amplify.clearCredentials?.();
      await browser.pass(31_000);
      assert.ok(browser.session);
    });
  });
}

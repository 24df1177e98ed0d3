// Amplify's configuration, in each form that it has.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { browserWith, oauth, onServer, plain, pool, versions, withOAuth } from './amplify.js';

const outputs = {
  version: '1.3',
  auth: {
    aws_region: 'eu-west-1',
    user_pool_id: pool.userPoolId,
    user_pool_client_id: pool.userPoolClientId,
    oauth: {
      identity_providers: ['GOOGLE'],
      domain: oauth.domain,
      scopes: oauth.scopes,
      redirect_sign_in_uri: oauth.redirectSignIn,
      redirect_sign_out_uri: oauth.redirectSignOut,
      response_type: 'token',
    },
    username_attributes: ['email'],
  },
};

const awsExports = {
  aws_project_region: 'eu-west-1',
  aws_user_pools_id: pool.userPoolId,
  aws_user_pools_web_client_id: pool.userPoolClientId,
  oauth: { domain: oauth.domain, scope: oauth.scopes, redirectSignIn: oauth.redirectSignIn[0], redirectSignOut: oauth.redirectSignOut[0], responseType: 'token' },
};

for (const version of versions) {
  describe(`aws-amplify ${version}`, () => {
    /** The app client as Amplify knows it at last. @param {object} config @param {string} [href] */
    async function configured(config, href) {
      const page = (await browserWith(version, { auto: true })).open(href);
      page.app.Amplify.configure(config);
      return { page, resources: page.app.Amplify.getConfig(), client: page.app.Amplify.getConfig().Auth?.Cognito };
    }

    /** @param {any} client */
    function isAtGateway(client) {
      assert.equal(client.userPoolId, pool.userPoolId);
      assert.equal(client.userPoolClientId, pool.userPoolClientId);
      assert.equal(client.userPoolEndpoint, 'https://app.example.com/auth/amplify/idp/');
    }

    it('leads to the gateway, from an object', async () => {
      const { client } = await configured(plain);
      isAtGateway(client);
      assert.equal(client.loginWith, undefined);
    });

    const files = Object.entries({ 'an object with OAuth': withOAuth, 'aws-exports.js': awsExports, 'amplify_outputs.json': outputs });
    for (const [name, config] of files.slice(0, version === '6.0.30' ? 2 : 3)) {
      it(`leads to the gateway, from ${name}`, async () => {
        const { client } = await configured(config);
        isAtGateway(client);
        const { domain, responseType, redirectSignIn } = client.loginWith.oauth;
        assert.equal(domain, 'app.example.com/auth/amplify');
        assert.equal(responseType, 'code');
        assert.deepEqual(redirectSignIn, oauth.redirectSignIn);
      });
    }

    it('leaves alone what has no user pool', async () => {
      const API = { GraphQL: { endpoint: 'https://api.example.com/graphql', defaultAuthMode: 'apiKey' } };
      const { resources, page } = await configured({ API });
      assert.deepEqual(resources, { API });
      assert.deepEqual(page.browser.paths, []);
      const identities = { Auth: { Cognito: { identityPoolId: 'eu-west-1:1', allowGuestAccess: true } } };
      assert.deepEqual((await configured(identities)).resources, identities);
    });

    it('says that logins need https', async () => {
      const { page } = await configured(withOAuth, 'http://localhost:8080/');
      assert.ok(page.lines.some((line) => line.includes('gateway dev --tls')), page.lines.join('\n'));
      assert.ok(!(await configured(withOAuth)).page.lines.some((line) => line.includes('--tls')));
    });

    it('changes nothing on a server', async () => {
      const { Amplify, auth, withGateway } = await onServer(version);
      Amplify.configure(withOAuth);
      assert.deepEqual(Amplify.getConfig(), withOAuth);
      assert.deepEqual(withGateway(plain), [plain, undefined]);
      assert.equal((await auth.fetchAuthSession()).tokens, undefined);
    });

    it('keeps the options that Amplify takes', async () => {
      const { app } = (await browserWith(version)).open();
      const headers = () => ({});
      const [, options] = app.withGateway(plain, { ssr: true, API: { GraphQL: { headers } }, Auth: { tokenProvider: null } });
      assert.equal(options.ssr, true);
      assert.equal(options.API.GraphQL.headers, headers);
      assert.equal(typeof options.Auth.tokenProvider.getTokens, 'function');
    });
  });
}

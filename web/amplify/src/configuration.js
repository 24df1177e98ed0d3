// Amplify's configuration, with the gateway in the place of the user pool.

import { gatewayUrl } from '@gatehouse/client';
import { cognitoUserPoolsTokenProvider } from 'aws-amplify/auth/cognito';
import { parseAmplifyConfig } from 'aws-amplify/utils';
import { follow } from './events.js';
import { credentialsProvider, tokenProvider } from './providers.js';

/** @typedef {Parameters<typeof import('aws-amplify').Amplify.configure>} Arguments */

/**
 * @param {Arguments[0]} config
 * @param {Arguments[1]} [options]
 * @returns {Arguments}
 */
export function toGateway(config, options) {
  /** @type {any} Amplify's types leave out what depends on the kind of pool */
  const resources = isFile(config) ? parseAmplifyConfig(/** @type {any} */ (config)) : config;
  const pool = resources.Auth?.Cognito;
  if (!pool?.userPoolClientId || typeof document === 'undefined') return [resources, options];

  const Auth = { ...resources.Auth, Cognito: { ...pool, userPoolEndpoint: gatewayUrl('/amplify/idp/') } };
  const oauth = pool.loginWith?.oauth;
  if (oauth) {
    Auth.Cognito.loginWith = { ...pool.loginWith, oauth: { ...oauth, domain: hostedAt(gatewayUrl('/amplify')), responseType: 'code' } };
  }
  // A sign-out and the end of a login by redirect go past the token provider, to this one.
  cognitoUserPoolsTokenProvider.setAuthConfig(Auth);
  follow();
  return [{ ...resources, Auth }, { ...options, Auth: { ...options?.Auth, tokenProvider, credentialsProvider } }];
}

/**
 * Whether it is what amplify_outputs.json or aws-exports.js holds. Early versions of Amplify parse nothing else.
 * @param {object} config
 */
function isFile(config) {
  return 'version' in config || Object.keys(config).some((key) => key.startsWith('aws_'));
}

/**
 * The address as Amplify wants it: what it puts `https://` before.
 * @param {string} address
 */
function hostedAt(address) {
  const [scheme, place] = address.split('://');
  if (scheme !== 'https') {
    console.warn(`aws-amplify leaves for the login by https only, and ${address} is not: \`gateway dev --tls\` serves https.`);
  }
  return place;
}

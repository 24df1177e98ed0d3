// aws-amplify v6 behind the gateway: its functions as they are, and every token on the server.

import { toGateway } from './configuration.js';
import { install } from './install.js';

/** @typedef {import('./configuration.js').Arguments} Arguments */

/**
 * What to give to Amplify.configure, so that Amplify asks the gateway: `Amplify.configure(...withGateway(config))`. Later
 * calls of Amplify.configure need it no more. On a server it changes nothing: nobody is signed in there.
 * @param {Arguments[0]} config as Amplify.configure takes it: amplify_outputs.json, aws-exports.js, or an object of one's own
 * @param {Arguments[1]} [options] as Amplify.configure takes them
 * @returns {Arguments}
 */
export function withGateway(config, options) {
  install();
  return toGateway(config, options);
}

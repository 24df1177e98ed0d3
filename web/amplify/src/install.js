import { Amplify } from 'aws-amplify';
import { cognitoUserPoolsTokenProvider } from 'aws-amplify/auth/cognito';
import { toGateway } from './configuration.js';
import { learnSymbol } from './events.js';
import { tokenProvider } from './providers.js';
import { storage } from './storage.js';

let installed = false;
let told = false;

/** Has every Amplify.configure, of now and later, ask the gateway, and the token store hold what the gateway says. */
export function install() {
  if (installed) return;
  installed = true;
  const { configure } = Amplify;
  // A second call without options would bring the default providers back.
  Amplify.configure = (config, options) => configure.call(Amplify, ...toGateway(config, options));
  if (typeof document === 'undefined') return;

  learnSymbol();
  cognitoUserPoolsTokenProvider.setKeyValueStorage(storage);
  Object.assign(cognitoUserPoolsTokenProvider, { ...tokenProvider, setKeyValueStorage });
}

/** What Amplify's own is replaced by. Which storage an app chooses for tokens does not matter where there are none. */
function setKeyValueStorage() {
  if (!told) console.info('setKeyValueStorage has no effect: the gateway has the tokens, and its configuration says how long.');
  told = true;
}

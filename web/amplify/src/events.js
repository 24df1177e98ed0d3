// What the gateway and other tabs tell, for those who listen to Amplify's Hub.

import { listen } from '@gatehouse/client';
import { Hub } from 'aws-amplify/utils';
import { forget, own } from './providers.js';
import { watchers } from './storage.js';

/** @type {any} dispatch takes more than its types say, and other events than Amplify's */
const hub = Hub;

/** What Amplify marks its own events with. Without it Hub warns of each. @type {symbol | undefined} */
let symbol;
let following = false;

/** Takes the mark from the first event of Amplify's own, which is that of Amplify.configure: no package exports it. */
export function learnSymbol() {
  hub.dispatch = (/** @type {unknown[]} */ ...args) => {
    symbol = /** @type {symbol | undefined} */ (args[3]);
    if (symbol) delete hub.dispatch;
    Object.getPrototypeOf(hub).dispatch.apply(hub, args);
  };
}

/** Begins to tell, once. From then on the session is told from memory as well, because changes of it are heard of. */
export function follow() {
  if (following) return;
  following = true;
  listen(({ payload: { event, data } }) => {
    if (event === 'signedOut') forget();
    // Amplify has no sessionExpiring: who wants that listens to the client.
    if (event.startsWith('session') || own[/** @type {'signedIn'} */ (event)]) return;
    const signedIn = event === 'signedIn';
    // From 6.22 on, what is done in another tab is told to those only who asked for it: the token store sees the refresh
    // token come or go. An end that nobody in this browser has asked for concerns everybody.
    if (watchers.size && (signedIn || (event === 'signedOut' && data.reason === 'logout'))) {
      const [oldValue, newValue] = signedIn ? [null, event] : [event, null];
      for (const watcher of watchers) watcher({ key: 'CognitoIdentityServiceProvider.gateway.refreshToken', oldValue, newValue });
    } else {
      hub.dispatch('auth', { event, data }, 'Auth', symbol);
    }
  });
}

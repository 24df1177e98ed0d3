// What the gateway's entry modules run first: modules that came from a gateway call that one, whatever its mount or origin.

import { configure } from './configure.js';

/** This module is `<gateway>/sdk/<version>/served.js`. */
configure({ gateway: new URL('../..', import.meta.url).href });

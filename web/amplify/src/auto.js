// Imported once, before anything that calls Amplify.configure: nothing else in the app changes.

import { install } from './install.js';

install();

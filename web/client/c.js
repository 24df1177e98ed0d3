export { getCurrentUser, fetchAuthSession, signInWithRedirect, signOut, listen } from '/tmp/exp/src/index.js';

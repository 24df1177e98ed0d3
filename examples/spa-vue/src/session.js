import { getCurrentUser, listen } from '@gatehouse/client';
import { onScopeDispose, reactive } from 'vue';

/** user is undefined until it is known, and null when nobody is signed in. An outage sets error and leaves user alone. */
export function useSession() {
  const session = reactive({ user: undefined, error: undefined, look });
  async function look() {
    const [user, error] = await getCurrentUser().then((user) => [user], (error) => [null, error]);
    const known = !error || error.name === 'UserUnAuthenticatedException';
    Object.assign(session, known ? { user, error: undefined } : { error });
  }
  onScopeDispose(listen(look)); // in other tabs and on other devices too
  look();
  return session;
}

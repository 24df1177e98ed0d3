import { getCurrentUser, type AuthUser } from 'aws-amplify/auth';
import { Hub } from 'aws-amplify/utils';
import { useEffect, useState } from 'react';

/** A user, null for nobody, or undefined for what is not known yet; error is what kept it from being known. */
interface Known {
  user?: AuthUser | null;
  error?: Error;
}

/** Who is signed in, in whichever tab that came about. */
export function useUser() {
  const [known, setKnown] = useState<Known>({});
  useEffect(() => {
    ask(setKnown);
    return Hub.listen('auth', () => ask(setKnown), { enableCrossTabEvents: true });
  }, []);
  return { ...known, retry: () => ask(setKnown) };
}

async function ask(tell: (known: Known) => void) {
  try {
    tell({ user: await getCurrentUser() });
  } catch (err) {
    // Any other error, such as a NetworkError, says nothing about who is signed in.
    tell(err instanceof Error && err.name === 'UserUnAuthenticatedException' ? { user: null } : { error: err as Error });
  }
}

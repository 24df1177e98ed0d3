import { RequireAuth, useSession } from '@gatehouse/client/react';
import { signInWithRedirect } from '@gatehouse/client';
import { useSyncExternalStore } from 'react';
import { Account } from './Account.tsx';
import { Home } from './Home.tsx';

/** Everybody may come here. Who opens #account is sent to the login, and back to it. */
export function App() {
  const account = useSyncExternalStore(onRoute, () => location.hash) === '#account';
  return (
    <>
      <nav>
        <a href="#">Home</a> <a href="#account">Account</a>
      </nav>
      <main>
        <RequireAuth login={account} fallback={<Welcome />} renderError={outage}>
          {account ? <Account /> : <Home />}
        </RequireAuth>
      </main>
    </>
  );
}

function Welcome() {
  if (useSession().status === 'loading') return <h1>One moment…</h1>;
  return (
    <>
      <h1>Nobody is signed in</h1>
      <button className="primary" onClick={() => signInWithRedirect()}>Sign in</button>
    </>
  );
}

function outage(error: Error, retry: () => void) {
  return (
    <>
      <h1>One moment…</h1>
      <p role="alert">{error.message} <button onClick={retry}>Try again</button></p>
    </>
  );
}

function onRoute(changed: () => void) {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
}

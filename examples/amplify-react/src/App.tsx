import { signInWithRedirect } from 'aws-amplify/auth';
import { lazy, Suspense, useSyncExternalStore } from 'react';
import { Account } from './Account.tsx';
import { Events } from './Events.tsx';
import { useUser } from './user.ts';

const Password = lazy(() => import('./Password.tsx'));

/** An app on aws-amplify. Nothing in it knows of a gateway. */
export function App() {
  const password = useSyncExternalStore(onRoute, () => location.hash) === '#password';
  return (
    <>
      <nav>
        <a href="#">Account</a> <a href="#password">Authenticator</a>
      </nav>
      <main>
        <Suspense>{password ? <Password /> : <Home />}</Suspense>
      </main>
      <Events />
    </>
  );
}

function Home() {
  const { user, error, retry } = useUser();
  if (user) return <Account user={user} />;
  if (user === null) {
    return (
      <>
        <h1>Nobody is signed in</h1>
        <button className="primary" onClick={() => signInWithRedirect()}>Sign in</button>
      </>
    );
  }
  return (
    <>
      <h1>One moment…</h1>
      {error && <p role="alert">{error.message} <button onClick={retry}>Try again</button></p>}
    </>
  );
}

function onRoute(changed: () => void) {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
}

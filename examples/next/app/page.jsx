import { Actions } from './actions.jsx';
import { getUser } from './user.js';

export default async function Page() {
  const user = await getUser();
  return (
    <main>
      <h1>{user ? 'You are signed in' : 'Nobody is signed in'}</h1>
      <p>So says the server, before any script has run. {user && <>It knows you as <code>{user.username}</code>.</>}</p>
      <Actions signedIn={Boolean(user)} />
    </main>
  );
}

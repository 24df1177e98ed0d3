import { fetchAuthSession, fetchUserAttributes, signOut, updateUserAttributes, type AuthUser, type FetchUserAttributesOutput } from 'aws-amplify/auth';
import { useEffect, useState } from 'react';

/** What Amplify knows of the user, and what the user can do. */
export function Account({ user }: { user: AuthUser }) {
  const [attributes, setAttributes] = useState<FetchUserAttributesOutput>({});
  const [answer, setAnswer] = useState('');
  const say = (error: Error) => setAnswer(error.message);

  useEffect(() => {
    fetchUserAttributes().then(setAttributes, say);
  }, [user.userId]);

  async function rename(form: FormData) {
    await updateUserAttributes({ userAttributes: { name: String(form.get('name')) } });
    setAttributes(await fetchUserAttributes());
  }

  async function refresh() {
    const { tokens } = await fetchAuthSession({ forceRefresh: true });
    setAnswer(`The tokens are new, for ${tokens?.idToken?.payload.name}.`);
  }

  // As pages send their tokens. Here it is a token in form only: the gateway puts the real one in its place.
  async function callAPI() {
    const { tokens } = await fetchAuthSession();
    const response = await fetch('/api/hello', { headers: { Authorization: `Bearer ${tokens?.accessToken}` } });
    setAnswer(response.ok ? (await response.json()).greeting : `The API answered ${response.status}.`);
  }

  return (
    <>
      <h1>{`Hello, ${attributes.name ?? user.username}`}</h1>
      <dl>
        {Object.entries({ ...attributes, username: user.username }).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <form action={(form) => rename(form).catch(say)}>
        <input name="name" aria-label="Name" required defaultValue={attributes.name} key={attributes.name} />
        <button>Change the name</button>
      </form>
      <button className="primary" onClick={() => callAPI().catch(say)}>Call the API</button>
      <button onClick={() => refresh().catch(say)}>Refresh the tokens</button>
      <button onClick={() => signOut().catch(say)}>Sign out</button>
      <button onClick={() => signOut({ global: true }).catch(say)}>Sign out everywhere</button>
      <p role="status">{answer}</p>
    </>
  );
}

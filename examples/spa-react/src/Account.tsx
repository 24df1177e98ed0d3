import { useSession, useUser } from '@gatehouse/client/react';

/** Who is signed in: as the user pool knows them, and what their ID token says. */
export function Account() {
  const user = useUser();
  const claims = useSession().session?.tokens?.idToken.payload ?? {};
  const facts = { Email: claims.email, Language: claims.locale, Groups: claims['cognito:groups'], 'User name': user?.username };
  return (
    <>
      <h1>Your account</h1>
      <dl>
        {Object.entries(facts).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{[value ?? 'none'].flat().join(', ')}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

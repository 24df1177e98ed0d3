import { useSession } from '@gatehouse/client/react';

/** What the ID token says about the user. */
export function Account() {
  const claims = useSession().session?.tokens?.idToken.payload ?? {};
  return (
    <>
      <h1>Your account</h1>
      <dl>
        {Object.entries(claims).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

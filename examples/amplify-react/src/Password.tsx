import { Authenticator } from '@aws-amplify/ui-react';
import '@aws-amplify/ui-react/styles.css';

/** Amplify's own form. It has to ask for a password, which the gateway takes with `amplify.password_sign_in` only. */
export default function Password() {
  return (
    <Authenticator>
      {({ signOut, user }) => (
        <>
          <h1>{`Hello, ${user?.username}`}</h1>
          <button onClick={signOut}>Sign out</button>
        </>
      )}
    </Authenticator>
  );
}

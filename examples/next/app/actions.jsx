'use client';

import { gatewayFetch, listen, signInWithRedirect, signOut } from '@gatehouse/client';
import { useRouter } from 'next/navigation';
import { useEffect, useState } from 'react';

export function Actions({ signedIn }) {
  const [answer, setAnswer] = useState('');
  const { refresh } = useRouter();

  // Another tab has signed in or out: the server is asked for the page again, which keeps the state of its components.
  useEffect(() => listen(({ payload }) => /^signed(In|Out)$/.test(payload.event) && refresh()), [refresh]);

  async function callAPI() {
    const response = await gatewayFetch('/api/hello');
    setAnswer(response.ok ? (await response.json()).greeting : `The API answered ${response.status}.`);
  }
  const say = (error) => setAnswer(error.message);

  if (!signedIn) {
    return <button className="primary" onClick={() => signInWithRedirect()}>Sign in</button>;
  }
  return (
    <>
      <button className="primary" onClick={() => callAPI().catch(say)}>Call the API</button>
      <button onClick={() => signOut().catch(say)}>Sign out</button>
      <p role="status">{answer}</p>
    </>
  );
}

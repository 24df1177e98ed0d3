import { gatewayFetch, signOut } from '@gatehouse/client';
import { useSession } from '@gatehouse/client/react';
import { useState } from 'react';

export function Home() {
  const claims = useSession().session?.tokens?.idToken.payload;
  const [answer, setAnswer] = useState('');

  async function callAPI() {
    const response = await gatewayFetch('/api/hello');
    setAnswer(response.ok ? (await response.json()).greeting : `The API answered ${response.status}.`);
  }
  const say = (error: Error) => setAnswer(error.message);

  return (
    <>
      <h1>{`Hello, ${claims?.name}`}</h1>
      <button className="primary" onClick={() => callAPI().catch(say)}>Call the API</button>
      <button onClick={() => signOut().catch(say)}>Sign out</button>
      <p role="status">{answer}</p>
    </>
  );
}

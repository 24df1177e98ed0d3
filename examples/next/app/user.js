import { headers } from 'next/headers';

/** Who is signed in, as proxy.js has found out; undefined for nobody. For pages, components on the server and the API. */
export async function getUser() {
  const known = await headers();
  const id = known.get('x-auth-subject');
  return id ? { id, username: decodeURIComponent(known.get('x-auth-username')) } : undefined;
}

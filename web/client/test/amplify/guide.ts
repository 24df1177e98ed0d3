// What pages do with aws-amplify. It is compiled twice, with Amplify's types and with the client's in their place.

import { fetchAuthSession, fetchUserAttributes, getCurrentUser, signInWithRedirect, signOut } from 'aws-amplify/auth';
import { Hub } from 'aws-amplify/utils';

export async function whoIsThere(): Promise<string> {
  try {
    const { username, userId, signInDetails } = await getCurrentUser();
    return `${username} ${userId} ${signInDetails?.loginId ?? ''}`;
  } catch (err) {
    return err instanceof Error && err.name === 'UserUnAuthenticatedException' ? 'nobody' : 'unknown';
  }
}

export async function claims(forceRefresh: boolean) {
  const { tokens, userSub, credentials, identityId } = await fetchAuthSession({ forceRefresh });
  const text: string | undefined = tokens?.accessToken.toString();
  const email: unknown = tokens?.idToken?.payload['email'];
  const groups = tokens?.accessToken.payload['cognito:groups'];
  const sub: string | undefined = userSub;
  return { text, email, groups, sub, away: !credentials && !identityId };
}

export async function attributes(): Promise<string | undefined> {
  const { email, sub, 'custom:team': team } = await fetchUserAttributes();
  return email ?? sub ?? team;
}

export async function ways(): Promise<void> {
  await signInWithRedirect();
  await signInWithRedirect({ provider: 'Apple', customState: 'cart' });
  await signInWithRedirect({ provider: { custom: 'Corp' } });
  await signInWithRedirect({ provider: { idpIdentifier: 'example.com' } });
  await signInWithRedirect({ options: { prompt: 'SELECT_ACCOUNT', lang: 'de', loginHint: 'alice@example.com' } });
  await signOut();
  await signOut({ global: true });
  await signOut({ global: false, oauth: { redirectUrl: 'https://app.example.com/bye' } });
}

export function told(show: (text: string) => void): () => void {
  return Hub.listen('auth', ({ channel, payload }) => {
    switch (payload.event) {
      case 'signedIn':
        return show(`${channel} ${payload.data.username} ${payload.data.userId}`);
      case 'customOAuthState':
        return show(payload.data.toUpperCase());
      case 'signInWithRedirect_failure':
      case 'tokenRefresh_failure':
        return show(payload.data.error?.message ?? '');
      case 'signInWithRedirect':
      case 'tokenRefresh':
      case 'signedOut':
        return show(payload.message ?? payload.event);
    }
  });
}

// What pages do with aws-amplify. It is compiled twice, with Amplify's types and with the client's in their place.

import {
  associateWebAuthnCredential, confirmUserAttribute, deleteUser, deleteUserAttributes, deleteWebAuthnCredential, fetchAuthSession,
  fetchDevices, fetchMFAPreference, fetchUserAttributes, forgetDevice, getCurrentUser, listWebAuthnCredentials, rememberDevice,
  sendUserAttributeVerificationCode, setUpTOTP, signInWithRedirect, signOut, updateMFAPreference, updatePassword,
  updateUserAttribute, updateUserAttributes, verifyTOTPSetup,
} from 'aws-amplify/auth';
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

export async function account(code: string): Promise<(string | undefined)[]> {
  const { email } = await updateUserAttributes({ userAttributes: { email: 'alice@example.com', 'custom:team': 'red' } });
  const { nextStep } = await updateUserAttribute({ userAttribute: { attributeKey: 'name', value: 'Alice' } });
  await deleteUserAttributes({ userAttributeKeys: ['nickname', 'custom:team'] });
  const { destination, deliveryMedium } = await sendUserAttributeVerificationCode({ userAttributeKey: 'email' });
  await confirmUserAttribute({ userAttributeKey: 'email', confirmationCode: code });
  await updatePassword({ oldPassword: 'old', newPassword: 'new' });
  const { enabled, preferred } = await fetchMFAPreference();
  await updateMFAPreference({ sms: 'DISABLED', totp: preferred === 'SMS' ? 'ENABLED' : 'PREFERRED', email: 'NOT_PREFERRED' });
  const { sharedSecret, getSetupUri } = await setUpTOTP();
  const uri: URL = getSetupUri('Shop', 'alice');
  await verifyTOTPSetup({ code, options: { friendlyDeviceName: 'phone' } });
  const devices = await fetchDevices();
  const seen: Date | undefined = devices[0]?.lastAuthenticatedDate;
  await rememberDevice();
  await forgetDevice();
  for (const { id, name, attributes } of devices) if (name || attributes['last_ip_used']) await forgetDevice({ device: { id } });
  await associateWebAuthnCredential();
  const { credentials, nextToken } = await listWebAuthnCredentials({ pageSize: 10 });
  for (const { credentialId, createdAt } of credentials) if (credentialId && createdAt) await deleteWebAuthnCredential({ credentialId });
  await deleteUser();
  const medium: string | undefined = deliveryMedium;
  const { codeDeliveryDetails } = nextStep;
  return [
    email?.nextStep.updateAttributeStep, codeDeliveryDetails?.destination, destination, medium, enabled?.[0], sharedSecret,
    uri.href, nextToken, seen?.toISOString(),
  ];
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

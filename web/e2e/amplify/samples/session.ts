import { fetchAuthSession } from 'aws-amplify/auth';

async function showTokens() {
  try {
    const { idToken, accessToken } = (await fetchAuthSession()).tokens ?? {};
    return [idToken?.payload.sub, accessToken?.payload.scope];
  } catch (reason) {
    console.log(reason);
  }
}

import { fetchAuthSession } from 'aws-amplify/auth';

async function renewTokens() {
  try {
    const { tokens } = await fetchAuthSession({ forceRefresh: true });
    console.log(tokens);
  } catch (reason) {
    console.log(reason);
  }
}

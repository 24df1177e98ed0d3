import { getCurrentUser } from 'aws-amplify/auth';

async function showUser() {
  try {
    const { signInDetails, userId, username } = await getCurrentUser();
    console.log(`${username} has the id ${userId}`);
    console.log(`signed in with ${signInDetails}`);
  } catch (reason) {
    console.log(reason);
  }
}

import { fetchUserAttributes, gatewayFetch, listen, signInWithRedirect, signOut } from '/auth/sdk/index.js';

/** @param {string} id */
const part = (id) => document.getElementById(id);

/** Shows who is signed in. An outage is no sign-out: it leaves the page as it is, and says so. */
async function show() {
  try {
    showUser(await fetchUserAttributes());
  } catch (error) {
    if (error.name === 'UserUnAuthenticatedException') showUser(null);
    else part('said').textContent = error.message;
  }
}

function showUser(user) {
  part('who').textContent = user ? `Hello, ${user.name ?? user.email}` : 'Nobody is signed in';
  part('signed-in').hidden = !user;
  part('signed-out').hidden = Boolean(user);
  part('said').textContent = '';
}

async function callAPI() {
  const response = await gatewayFetch('/api/hello');
  part('said').textContent = response.ok ? (await response.json()).greeting : `The API answered ${response.status}.`;
}

/** Does what a button is for, and says what keeps it from that. */
function onClick(id, action) {
  part(id).onclick = () => action().catch((error) => (part('said').textContent = error.message));
}

onClick('sign-in', () => signInWithRedirect());
onClick('sign-out', () => signOut());
onClick('call', callAPI);
listen(show); // whatever happens in other tabs and on other devices
show();

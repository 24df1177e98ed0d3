// A page that shows what the hooks say. The query says what the page is like.

import { StrictMode, createElement } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { fetchAuthSession, signOut } from '../../client/src/index.js';
import { Provider, RequireAuth, useSession, useUser } from '../../client/src/react.js';

const query = new URLSearchParams(location.search);

function Who() {
  const { status, error } = useSession();
  return createElement('p', { id: 'who' }, [status, useUser()?.username, error?.name].filter(Boolean).join(' '));
}

/** @param {{name: string, onClick: () => unknown}} props */
function Button({ name, onClick }) {
  return createElement('button', { onClick }, name);
}

const guarded = createElement(
  RequireAuth,
  {
    fallback: createElement('p', null, 'One moment'),
    login: !query.has('own-login'),
    renderError: (error, retry) => createElement(Button, { name: `${error.name}: try again`, onClick: retry }),
  },
  createElement('p', null, 'Secret'),
);
const app = createElement(
  StrictMode,
  null,
  createElement(
    Provider,
    null,
    createElement(Who),
    guarded,
    query.has('twice') ? guarded : null,
    createElement(Button, { name: 'Sign out', onClick: () => signOut() }),
    createElement(Button, { name: 'Refresh', onClick: () => fetchAuthSession({ forceRefresh: true }).catch(() => {}) }),
  ),
);

const root = /** @type {HTMLElement} */ (document.getElementById('root'));
if (query.has('from-server')) {
  root.innerHTML = renderToString(app);
  hydrateRoot(root, app);
} else {
  createRoot(root).render(app);
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { Provider, RequireAuth, useSession, useUser } from '../src/react.js';

/** What a component shows that knows nothing but the session. */
function Who() {
  return `${useSession().status}, ${useUser()?.username ?? 'nobody'}`;
}

/** @param {...import('react').ReactNode} children */
const page = (...children) => renderToString(createElement(Provider, null, ...children));

test('on a server nobody is known yet, and nothing is asked', (t) => {
  const fetch = t.mock.method(globalThis, 'fetch');
  assert.equal(page(createElement(Who)), 'loading, nobody');
  assert.equal(page(createElement(RequireAuth, { fallback: 'One moment' }, 'Secret')), 'One moment');
  assert.equal(page(createElement(RequireAuth, null, 'Secret')), '');
  assert.equal(fetch.mock.callCount(), 0);
});

test('a component without a Provider is told what is missing', () => {
  assert.throws(() => renderToString(createElement(Who)), /<Provider>/);
});

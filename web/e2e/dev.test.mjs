// What a person sees of `gateway dev`, in real Chromium: signing in and out in
// every way the demo page offers, and that no token ever reaches the browser.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { audit, auditByAxe, auditFocus } from './audit.mjs';
import { closeProfile, launch, picture } from './browser.mjs';
import { startDev } from './gateway.mjs';
import { serve } from './upstream.mjs';
import { Visit, tabTo, user, suiteTimeout } from './visit.mjs';
import { Wire, tokensIn } from './wire.mjs';

/** @typedef {import('playwright-core').Page} Page */

describe('gateway dev', { timeout: suiteTimeout }, () => {
  const wire = new Wire();
  /** Hosts that pages asked for. @type {Set<string>} */
  const hosts = new Set();
  /** @type {import('./gateway.mjs').Gateway} */
  let gateway;
  /** @type {import('playwright-core').Browser} */
  let browser;

  before(async () => {
    gateway = await startDev();
    browser = await launch(await wire.start());
  });
  after(async () => {
    await browser?.close();
    wire.stop();
    await gateway?.stop();
  });

  /** @param {(visit: Visit) => Promise<void>} test */
  const fresh = (test) => async () => {
    const visit = await Visit.start(browser, gateway);
    visit.context.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol !== 'data:') hosts.add(hostname);
    });
    await visit.run(test);
  };

  it('shows a stranger the way in, and the API refuses him', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await page.getByRole('button', { name: 'Continue with CorpSAML' }).waitFor();
    await picture(page, 'demo-signed-out');
    const { status, body } = await visit.callAPI();
    assert.equal(status, 401);
    assert.equal(body.name, 'UserUnAuthenticatedException');
    assert.equal(body.status, 401);
    assert.equal(body.code, 'unauthenticated');
    assert.match(body.loginUrl, /\/auth\/login/);
    await picture(page, 'demo-api-refused');
  }));

  it('signs in, calls the API, refreshes, signs out, and asks to log in again', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await visit.atHostedPages();
    await picture(page, 'hosted-sign-in');
    await visit.fillIn();
    await visit.status('Signed in');
    assert.equal(new URL(page.url()).origin, gateway.url);
    assert.equal(new URL(page.url()).search, '', 'the callback left something in the address');
    await page.getByRole('heading', { name: 'Hello, Alice' }).waitFor();
    assert.deepEqual(await visit.readable(), { local: {}, session: {}, cookie: '' });

    const { status, body } = await visit.callAPI();
    assert.equal(status, 200);
    assert.ok(body.subject, 'the API saw no subject');
    assert.match(body.headers.Authorization, /^Bearer ey… \(\d+ characters\)$/);
    assert.ok(!/gatehouse/i.test(body.headers.Cookie ?? ''), "the API saw the gateway's cookie");
    assert.equal(await page.evaluate(async () => (await fetch('/auth/user')).status), 200);

    const generation = await visit.generation();
    await page.getByRole('button', { name: 'Refresh tokens now' }).click();
    await page.locator('#generation', { hasText: new RegExp(`^${generation + 1}$`) }).waitFor();
    assert.equal((await visit.callAPI()).status, 200);

    const hops = visit.follow();
    await visit.signOut();
    assert.ok(hops.some((url) => url.startsWith(`${gateway.hosted}/logout?`)), `no hop over the user pool: ${hops}`);
    assert.ok(hops.some((url) => url.startsWith(`${gateway.url}/auth/signed-out`)), `no way back: ${hops}`);
    assert.equal((await visit.callAPI()).status, 401);

    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await visit.atHostedPages();
    await page.locator('input[name=password]:visible').waitFor();
  }));

  it('shows no signed-in page to the back button after a sign-out', fresh(async (visit) => {
    await visit.signIn();
    await visit.view('You');
    await visit.signOut();
    await visit.page.goBack();
    await visit.status('Signed out');
  }));

  it('signs in five tabs that a fresh browser opened at once', fresh(async (visit) => {
    assert.deepEqual(await visit.context.cookies(), []);
    const tabs = await Promise.all([1, 2, 3, 4, 5].map(async (n) => ({ n, tab: await visit.tab() })));
    await Promise.all(tabs.map(({ n, tab }) => tab.page.goto(`${gateway.url}/api/hello?tab=${n}`)));
    for (const { n, tab } of tabs) {
      await tab.page.bringToFront();
      await tab.fillIn();
      await tab.page.waitForURL(`${gateway.url}/api/hello?tab=${n}`);
      assert.ok(JSON.parse(await tab.page.innerText('body')).subject, `tab ${n} is not signed in`);
    }
    const cookies = await visit.context.cookies(gateway.url);
    assert.ok(cookies.some(({ name }) => name === `gatehouse-${gateway.port}`), 'the session cookie is missing');
    assert.ok(cookies.length <= 2, `five logins left ${cookies.length} cookies`);
    assert.ok(cookies.every((cookie) => cookie.httpOnly), 'a script could read a cookie');
  }));

  for (const provider of ['Google', 'CorpSAML']) {
    it(`signs in with ${provider} from the demo page`, fresh(async (visit) => {
      const { page } = visit;
      await visit.openDemo();
      await page.getByRole('button', { name: `Continue with ${provider}` }).click();
      await visit.atHostedPages();
      await picture(page, `provider-${provider}`);
      await page.getByRole('button', { name: /^Continue as/ }).first().click();
      await visit.status('Signed in');
      await visit.view('You');
      await page.locator('dd', { hasText: new RegExp(`^${provider}_`, 'i') }).waitFor();
    }));
  }

  it("signs in with Google from the user pool's page", fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await visit.atHostedPages();
    await page.getByText('Continue with Google').click();
    await page.getByRole('button', { name: /^Continue as/ }).first().click();
    await visit.status('Signed in');
  }));

  it('offers a way on to whoever cancels at the provider', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await page.getByRole('button', { name: 'Continue with Google' }).click();
    await visit.atHostedPages();
    await page.getByText(/^(Cancel|Deny)/).first().click();
    await page.waitForURL((url) => url.origin === gateway.url);
    await page.locator('h1').waitFor();
    await picture(page, 'cancelled');
    await page.locator('main a').first().click();
    await page.waitForURL((url) => url.origin === gateway.hosted || url.pathname === '/');
  }));

  it('takes a broken callback to a page with a way on', fresh(async (visit) => {
    const { page } = visit;
    const response = await page.goto(`${gateway.url}/auth/callback?code=x&state=%3Cscript%3E`);
    assert.equal(response?.status(), 400);
    await picture(page, 'callback-broken');
    assert.ok(!(await page.content()).includes('%3Cscript') && !(await page.content()).includes('<script'));
    await page.locator('main a').first().click();
    await page.waitForURL((url) => url.origin === gateway.hosted || url.pathname === '/');
  }));

  it('lets a stranger create an account', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await page.getByRole('button', { name: 'Create an account' }).click();
    await page.waitForURL((url) => url.origin === gateway.hosted && url.pathname === '/signup');
    await picture(page, 'hosted-sign-up');
    await page.getByLabel('Email address').fill('new.person@example.com');
    await page.getByLabel('Name').fill('Nora New');
    await page.getByLabel('Password', { exact: true }).fill('too-weak-a-password');
    await page.getByLabel('Repeat the password').fill('and another');
    await page.getByRole('button', { name: 'Sign up' }).click();
    await page.getByRole('alert').filter({ hasText: /needs at least.*do not match/s }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'password');
    await picture(page, 'hosted-sign-up-refused');
    await page.getByLabel('Password', { exact: true }).fill('N3w-passw0rd!');
    await page.getByLabel('Repeat the password').fill('N3w-passw0rd!');
    await page.getByRole('button', { name: 'Sign up' }).click();
    await page.waitForURL((url) => url.pathname === '/confirm');
    await picture(page, 'hosted-confirm');
    const code = await page.getByLabel('Verification code').inputValue();
    await page.getByRole('button', { name: 'Send a new one' }).click();
    await page.getByRole('status').filter({ hasText: 'new code' }).waitFor();
    assert.notEqual(await page.getByLabel('Verification code').inputValue(), code);
    await picture(page, 'hosted-confirm-again');
    assert.deepEqual((await auditFocus(page)).faults, []);
    await page.getByRole('button', { name: 'Confirm account' }).click();
    await visit.status('Signed in');
    await page.getByRole('heading', { name: 'Hello, Nora New' }).waitFor();
    assert.equal((await visit.callAPI()).status, 200);
  }));

  it('has hosted pages that everyone can use, wrong passwords and lost ones included', fresh(async (visit) => {
    const { page } = visit;
    await page.goto(`${gateway.url}/auth/login`);
    await page.locator('input[name=username]').fill(user.name);
    await page.locator('input[name=password]').fill('not the password');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('alert').waitFor();
    await page.getByText('Ready-made users').click();
    await picture(page, 'hosted-refused');
    assert.deepEqual((await auditFocus(page)).faults, []);
    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await page.waitForURL((url) => url.pathname === '/forgotPassword');
    await picture(page, 'hosted-forgot');
    await page.getByLabel('Email address').fill(user.name);
    await page.getByRole('button', { name: 'Reset my password' }).click();
    await page.waitForURL((url) => url.pathname === '/confirmforgotPassword');
    await picture(page, 'hosted-new-password');
    await page.goto(`${gateway.hosted}/`);
    await picture(page, 'hosted-about');
    await page.goto(`${gateway.hosted}/oauth2/authorize?client_id=gatehouse-dev&redirect_uri=http://localhost/nowhere`);
    await picture(page, 'hosted-error');
    assert.deepEqual((await auditFocus(page)).faults, []);
    await page.getByRole('link', { name: 'Go back to Gatehouse' }).click();
    await page.waitForURL(`${gateway.url}/`);
  }));

  it('is audited by an audit that sees', fresh(async (visit) => {
    await visit.page.setContent(`<!doctype html><title>x</title><style>
      p { color: #888; background: #999 } input { border: 1px solid #fefefe } button:focus { outline: none }
      i { position: absolute; left: 5000px; transition: all 1s }</style>
      <h1>One</h1><h3>Three</h3><p>Pale</p><input name=nameless><button>Plain</button><button tabindex=2></button><i>far</i>`);
    await visit.page.emulateMedia({ reducedMotion: 'reduce' });
    const faults = (await audit(visit.page)).join('\n');
    for (const want of ['no language', '<main>', 'h3 follows h1', 'contrast 1.', 'edge of <input>', 'no name for <input>',
      'no name for <button>', 'order of focus', 'sideways', 'transition']) {
      assert.ok(faults.includes(want), `the audit did not see "${want}" among:\n${faults}`);
    }
    const byAxe = (await auditByAxe(visit.page)).join('\n');
    for (const want of ['color-contrast', 'html-has-lang', 'button-name', 'heading-order', 'landmark-one-main']) {
      assert.ok(byAxe.includes(want), `axe did not see "${want}" among:\n${byAxe}`);
    }
    const unseen = (await auditFocus(visit.page)).faults.map((fault) => fault.match(/<\w+/)?.[0]);
    assert.deepEqual(unseen, ['<input', '<button'], 'what Chromium draws by itself is a thin line');
  }));

  it('needs no mouse', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter'); // the link that skips the navigation
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Sign in');
    await page.keyboard.press('Enter');
    await visit.atHostedPages();
    await tabTo(page, 'input[name=username]');
    await page.keyboard.type(user.name);
    await tabTo(page, 'input[name=password]');
    await page.keyboard.type(user.password);
    await page.keyboard.press('Enter');
    await visit.status('Signed in');
    await tabTo(page, '#top-sign-out');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sign out' }).waitFor();
    await page.keyboard.press('Tab'); // on from the heading of the new view
    await page.keyboard.press('Enter');
    await visit.status('Signed out');
  }));

  it('has a logout page that ends nothing until its button is pressed', fresh(async (visit) => {
    const { page } = visit;
    await visit.signIn();
    await page.goto(`${gateway.url}/auth/logout`);
    assert.equal(await page.locator('button').count(), 1);
    await picture(page, 'logout');
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.waitForURL(`${gateway.url}/`);
    await visit.status('Signed in');
    await page.goto(`${gateway.url}/auth/logout`);
    await page.getByRole('button').click();
    await visit.status('Signed out');
  }));

  it('lets a frame without a session sign in in the top window', fresh(async (visit) => {
    const { page } = visit;
    await visit.openDemo();
    await page.evaluate(() => {
      const frame = document.createElement('iframe');
      frame.src = '/api/hello';
      frame.width = '320';
      frame.height = '420';
      frame.title = 'A page of the API';
      document.querySelector('main')?.append(frame);
    });
    const frame = page.frameLocator('iframe');
    await frame.locator('h1').waitFor();
    await picture(page, 'frame');
    await frame.getByRole('link', { name: 'Sign in' }).click();
    await visit.fillIn();
    await page.waitForURL((url) => url.origin === gateway.url);
    await visit.openDemo('Signed in');
  }));

  it("lets a dev server's page call the user pool by script, as aws-amplify does", fresh(async (visit) => {
    const { page } = visit;
    const site = await serve((_, response) => response.end('A page of another port'));
    try {
      await page.goto(site.url);
      const answer = await page.evaluate(async (pool) => {
        const response = await fetch(pool, {
          method: 'POST',
          headers: {
            'Content-Type': 'application/x-amz-json-1.1',
            'Cache-Control': 'no-store',
            'X-Amz-Target': 'AWSCognitoIdentityProviderService.GetUser',
            'X-Amz-User-Agent': 'aws-amplify/6',
          },
          body: JSON.stringify({ AccessToken: 'none' }),
        });
        return { status: response.status, type: response.headers.get('x-amzn-ErrorType'), body: await response.json() };
      }, `${gateway.hosted.replace('127.0.0.1', 'localhost')}/`);
      assert.equal(answer.status, 400);
      assert.match(answer.type ?? '', /^NotAuthorizedException/);
      assert.equal(answer.body.__type, 'NotAuthorizedException');
    } finally {
      site.stop();
    }
  }));

  it('takes other names of this machine to its own address', fresh(async (visit) => {
    const { page } = visit;
    await page.goto(`http://127.0.0.1:${gateway.port}/`);
    assert.equal(new URL(page.url()).origin, gateway.url);
  }));

  it('talks to nobody but this machine', () => {
    assert.deepEqual([...hosts].sort(), ['127.0.0.1', 'localhost']);
  });

  describe('the scan for tokens', () => {
    it('finds none in anything the browser was ever sent', () => {
      const seen = (/** @type {string} */ path) => wire.answers.some(({ url, body }) => url.includes(path) && body !== '');
      for (const path of ['/auth/session', '/auth/user', '/auth/refresh', '/auth/logout', '/api/hello']) {
        assert.ok(seen(path), `the scan saw no answer of ${path}`);
      }
      assert.ok(wire.answers.some(({ url }) => url.includes('/auth/callback?')), 'the scan saw no callback');
      assert.deepEqual(wire.leaks(), []);
    });

    it('finds those that are there', async () => {
      const planted = await plant();
      const context = await browser.newContext();
      const page = await context.newPage();
      const before = wire.answers.length;
      await page.goto(`${planted.url}/`);
      await page.waitForURL(`${planted.url}/body?*`);
      await closeProfile(context);
      planted.stop();
      const found = wire.leaks().map((leak) => leak.split(':')[0]);
      assert.deepEqual([...new Set(found)].sort(), ['address of http', 'body of http', 'head of http']);
      const heads = wire.answers.slice(before).map(({ head }) => head).join('');
      for (const header of ['Link', 'Set-Cookie', 'Location', 'X-Note']) {
        const line = heads.split('\n').find((line) => line.startsWith(`${header}: `)) ?? '';
        assert.equal(tokensIn(line).length, 1, `${header} was not seen through: ${line}`);
      }
    });
  });
});

/** A server that gives tokens away in every place an answer has. */
function plant() {
  const part = (/** @type {string} */ text) => Buffer.from(text).toString('base64url');
  const jwt = `${part('{"alg":"RS256","kid":"k"}')}.${part('{"sub":"planted"}')}.${part('no signature at all')}`;
  return serve((request, response) => {
    if (request.url === '/') {
      response.writeEarlyHints({ link: `</${jwt}>; rel=preload` });
      response.writeHead(302, { Location: `/body?t=${jwt}`, 'Set-Cookie': `t=${jwt}`, 'X-Note': jwt });
      response.end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end(`<p hidden>${jwt}</p>`);
  });
}

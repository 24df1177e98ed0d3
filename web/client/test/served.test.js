// Where the gateway is.

import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const source = fileURLToPath(new URL('../src', import.meta.url));

test('modules that came from a gateway call that one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  for (const mount of ['auth', 'team/sign-in']) {
    const served = join(folder, mount, 'sdk', '0123456789abcdef');
    await cp(source, served, { recursive: true });
    const { at, settings } = await import(pathToFileURL(join(served, 'configure.js')).href);
    assert.equal(settings.gateway, '/auth');
    await import(pathToFileURL(join(served, 'served.js')).href);
    Object.assign(globalThis, { location: { href: 'https://shop.example.com/' } });
    assert.equal(at('/session'), pathToFileURL(join(folder, mount, 'session')).href);
  }
});

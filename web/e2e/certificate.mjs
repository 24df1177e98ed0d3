// A certificate for tests, made on the spot: browsers are told to take it.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Makes a certificate that nobody has signed but itself.
 * @param {string} name of a host
 */
export async function selfSigned(name) {
  const dir = await mkdtemp(join(tmpdir(), 'gatehouse-e2e-'));
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${name}`];
  await promisify(execFile)('openssl', [...request, '-keyout', keyFile, '-out', certFile]);
  return {
    certFile,
    keyFile,
    cert: await readFile(certFile),
    key: await readFile(keyFile),
    remove: () => rm(dir, { recursive: true }),
  };
}

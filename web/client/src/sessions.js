// The user's sessions, on all devices.

import { at } from './configure.js';
import { forget } from './session.js';
import { call } from './wire.js';

/**
 * One of the user's sessions; times are Unix seconds. The id lets nobody into it.
 * @typedef {object} Session
 * @property {string} id
 * @property {boolean} current this one
 * @property {number} createdAt
 * @property {number} lastSeenAt
 * @property {string} userAgent
 * @property {string} ip
 */

/** @returns {Promise<Session[]>} all of them, newest first */
export async function listSessions() {
  const sessions = [];
  for (let path = '/sessions'; path; ) {
    const { response, body } = await call(path);
    sessions.push(...body);
    path = nextPage(response);
  }
  return sessions;
}

/**
 * @param {Response} response
 * @returns {string} the query of the next page (RFC 8288), or nothing
 */
function nextPage(response) {
  const [, address] = response.headers.get('Link')?.match(/<([^>]*)>\s*;\s*rel="?next"?/) ?? [];
  return address ? `/sessions${new URL(address, at()).search}` : '';
}

/**
 * Ends one session. That of this browser is a sign-out.
 * @param {string} id
 * @returns {Promise<void>}
 */
export async function endSession(id) {
  await call(`/sessions/${encodeURIComponent(id)}`, { method: 'DELETE' });
  forget();
}

/**
 * Ends all sessions but this one.
 * @returns {Promise<void>}
 */
export async function endOtherSessions() {
  await call('/sessions', { method: 'DELETE' });
}

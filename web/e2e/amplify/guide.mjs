// Samples of Amplify's guide "Manage user session and credentials", and of our own that make the same calls.

import { readFile, readdir } from 'node:fs/promises';

/** The guide, where there is a copy of it beside the checkout. The project has none. */
const guide = new URL('../../../../shared/amplify-guide.txt', import.meta.url);
const ours = new URL('./samples/', import.meta.url);

/**
 * A block of code.
 * @typedef {object} Sample
 * @property {string} name
 * @property {string} text
 * @property {string} [calls] the function that it has, if it only defines one
 */

/** @returns {Promise<Sample[]>} our own */
export async function ownSamples() {
  const names = (await readdir(ours)).sort();
  return Promise.all(names.map(async (name) => sample(`our ${name}`, await readFile(new URL(name, ours), 'utf8'))));
}

/** @returns {Promise<Sample[]>} those of the guide, where it is there */
export async function guideSamples() {
  const text = await readFile(guide, 'utf8').catch(() => '');
  const blocks = new Set(blocksOf(text));
  return [...blocks].map((block, i) => sample(`the guide's ${i + 1}. sample`, block));
}

/**
 * Blocks of code as the guide has them: lines that are numbered from 1 on.
 * @param {string} text
 * @returns {string[]}
 */
function blocksOf(text) {
  /** @type {string[][]} */
  const blocks = [];
  let next = NaN;
  for (const line of text.split('\n')) {
    const [, number, code = ''] = line.match(/^(\d+)(.*)$/) ?? [];
    if (number === '1') {
      blocks.push([]);
      next = 1;
    }
    if (Number(number) !== next) {
      next = NaN;
      continue;
    }
    blocks.at(-1)?.push(code);
    next++;
  }
  return blocks.map((lines) => `${lines.join('\n')}\n`);
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {Sample}
 */
function sample(name, text) {
  const [, calls] = text.match(/^async function (\w+)/m) ?? [];
  return { name, text, calls: text.includes('Amplify.configure') ? undefined : calls };
}

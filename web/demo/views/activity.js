import { calls } from '../calls.js';
import { el, fill, find } from '../dom.js';
import { state } from '../state.js';
import { eventWords, statusWords } from '../words.js';

/** @param {Date} at */
const time = (at) => el('time', {}, at.toLocaleTimeString('en-GB'));

/** @param {import('../state.js').State['events'][number]} event */
const eventLine = ({ payload, at }) =>
  el('li', {}, time(at), el('span', { class: 'what' }, eventWords(payload)), el('code', {}, payload.event));

/** @param {import('../calls.js').Call} call */
function callLine({ method, path, status, ms, at }) {
  const asked = el('span', { class: 'what' }, el('code', {}, `${method} ${path}`));
  const answer = el('span', { class: status > 0 && status < 400 ? 'good' : 'bad' }, statusWords(status));
  return el('li', {}, time(at), asked, answer, el('span', { class: 'ms' }, `${ms} ms`));
}

/** @type {import('../app.js').View} */
export default {
  title: 'Activity',
  draw(root) {
    find('[data-fill="no-events"]', root).hidden = state.events.length > 0;
    fill(root, { events: state.events.map(eventLine), calls: calls.map(callLine) });
  },
};

// A fact that can be changed: what is so now, buttons, and in their place the form that a button opens.

import { attempt, onPress, onPressOf } from './actions.js';
import { el, fill, find, setText } from './dom.js';
import { errorWords } from './words.js';

/**
 * A form of a row, which is the template of its name, and what it is for.
 * @template Result
 * @typedef {object} Step
 * @property {string} form
 * @property {Record<string, string | Node[]>} [contents] of its places
 * @property {Record<string, Record<string, string>>} [fields] attributes of its fields, by the fields' names
 * @property {Record<string, () => Promise<unknown>>} [actions] of its buttons beside Cancel, by their data-do
 * @property {(values: Record<string, string>) => Promise<Result>} submit is given what was typed, by the fields' names
 * @property {Record<string, [field: string, words?: string]>} [faults] which field an error is about, by the error's name,
 *   and what is said of it if that is not the error's own words
 */

/** What a form ends with that was given up. */
const givenUp = Symbol('given up');

/** Gives up the form that is open, of which there is one at a time. */
export let giveUp = () => {};

export class Row {
  /** @param {string} term what it is a fact of */
  constructor(term) {
    this.value = el('div', { class: 'value' });
    this.buttons = el('div', { class: 'buttons' });
    this.now = el('div', { class: 'now' }, this.value, this.buttons);
    this.said = el('p', { class: 'said', role: 'status' });
    const failed = el('p', { class: 'failed', role: 'alert', hidden: '' });
    this.element = el('div', {}, el('dt', {}, term), el('dd', {}, this.now, this.said, failed));
  }

  /**
   * A button of this row, for the caller to place.
   * @param {string} text
   * @param {string} label the text, and what it is about
   * @param {() => Promise<string>} action gives what is said once it is done
   * @param {string} [kind]
   */
  button(text, label, action, kind = '') {
    const button = el('button', { type: 'button', class: kind, 'aria-label': label }, text);
    onPress(button, async () => {
      giveUp();
      this.said.textContent = '';
      try {
        const said = await action();
        this.#end();
        this.said.textContent = said;
      } catch (err) {
        if (err !== givenUp) throw err;
      }
    });
    return button;
  }

  /**
   * Asks by a form, which stays open until what it is for is done. Who gives it up ends the button's action with it.
   * @template Result
   * @param {Step<Result>} step
   * @returns {Promise<Result>} what `submit` gave
   */
  ask({ form: name, contents = {}, fields = {}, actions = {}, submit, faults = {} }) {
    const form = /** @type {HTMLFormElement} */ (find(`#form-${name}`).content.firstElementChild.cloneNode(true));
    fill(form, contents);
    for (const [field, attributes] of Object.entries(fields)) {
      for (const [attribute, value] of Object.entries(attributes)) find(`[name=${field}]`, form).setAttribute(attribute, value);
    }
    onPressOf(form, actions);
    this.now.hidden = true;
    this.now.after(form);
    find('[autofocus]', form).focus();
    return new Promise((resolve, reject) => {
      const close = () => {
        giveUp = () => {};
        form.remove();
      };
      giveUp = () => {
        close();
        this.#end();
        reject(givenUp);
      };
      find('[data-do="cancel"]', form).addEventListener('click', () => giveUp());
      form.addEventListener('keydown', ({ key }) => key === 'Escape' && giveUp());
      form.addEventListener('submit', (event) => {
        event.preventDefault();
        clearFaults(form);
        const values = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
        const action = async () => {
          const result = await submit(values);
          if (!form.isConnected) return; // given up meanwhile
          close();
          resolve(result);
        };
        void attempt(find('[type="submit"]', form), action, (err) => showFault(form, err, faults));
      });
    });
  }

  /** Back to what is so now. The focus goes on from here if what had it has gone. */
  #end() {
    this.now.hidden = false;
    const focused = document.activeElement;
    if (focused && focused !== document.body && focused.checkVisibility()) return;
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (this.buttons.querySelectorAll('button'));
    [...buttons].find((button) => button.checkVisibility())?.focus();
  }
}

/** @param {HTMLFormElement} form */
function clearFaults(form) {
  find('.failed', form).hidden = true;
  for (const fault of form.querySelectorAll('.fault')) fault.textContent = '';
  for (const field of form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
}

/**
 * Says what is wrong at the field that it is wrong with, or below the form.
 * @param {HTMLFormElement} form
 * @param {unknown} err
 * @param {Record<string, [string, string?]>} faults
 */
function showFault(form, err, faults) {
  const [name, words = errorWords(err)] = faults[/** @type {Error} */ (err).name] ?? [];
  if (!name) {
    const failed = find('.failed', form);
    failed.textContent = words;
    failed.hidden = false;
    return;
  }
  const field = find(`[name=${name}]`, form);
  setText(find(`#${field.id}-fault`, form), words);
  field.setAttribute('aria-invalid', 'true');
  field.focus();
  field.select();
}

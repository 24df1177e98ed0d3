// The few things that the page does to its document.

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * The element that must be there.
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any}
 */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return element;
}

/**
 * Fills the places of a view by their data-fill.
 * @param {ParentNode} root
 * @param {Record<string, string | Node[]>} contents
 */
export function fill(root, contents) {
  for (const [name, content] of Object.entries(contents)) {
    const place = find(`[data-fill="${name}"]`, root);
    if (typeof content === 'string') setText(place, content);
    else place.replaceChildren(...content);
  }
}

/**
 * A text that stays the same is left alone: a screen reader would read it out again.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A row of a list of facts.
 * @param {string} term
 * @param {Node | string} description
 */
export const fact = (term, description) => el('div', {}, el('dt', {}, term), el('dd', {}, description));

/**
 * An icon of the page's sprite.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

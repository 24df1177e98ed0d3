// What WCAG 2.2 asks of a page and a program can see. axe-core has most of it; the
// rest is here: edges of fields, room to press controls, no sideways scrolling, no
// motion against the wish.

import axe from 'axe-core';

/**
 * What axe-core finds wrong with the page as it stands, and with the frames in it.
 * All of its rules count, those beyond WCAG too.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>}
 */
export async function auditByAxe(page) {
  const faults = [];
  for (const frame of page.frames()) {
    await frame.evaluate(axe.source);
    faults.push(...(await frame.evaluate(async () => {
      const { violations } = await /** @type {any} */ (window).axe.run(document, { iframes: false, resultTypes: ['violations'] });
      return violations.map((/** @type {import('axe-core').Result} */ { id, help, nodes }) =>
        `${id}: ${help}: ${nodes.map(({ html, any }) => `${html.slice(0, 80)} (${any[0]?.message ?? ''})`).join(', ')}`);
    })));
  }
  return faults;
}

/**
 * The faults of the page as it stands, in this colour scheme and at this width.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<string[]>}
 */
export function audit(page) {
  return page.evaluate(() => {
    /** @typedef {[number, number, number, number]} Colour red, green, blue of 255, opacity of 1 */

    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

    /**
     * Any CSS colour as the browser paints it.
     * @param {string} css
     * @returns {Colour}
     */
    function colour(css) {
      if (!canvas) throw new Error('no canvas');
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = css;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return [r, g, b, a / 255];
    }

    /**
     * @param {Colour} top
     * @param {Colour} under
     * @returns {Colour}
     */
    function over(top, under) {
      const a = top[3] + under[3] * (1 - top[3]);
      const mix = (/** @type {number} */ i) => (a === 0 ? 0 : (top[i] * top[3] + under[i] * under[3] * (1 - top[3])) / a);
      return [mix(0), mix(1), mix(2), a];
    }

    /**
     * What an element's text stands on, all the way down to the window.
     * @param {Element | null} element
     * @returns {Colour}
     */
    function ground(element) {
      let seen = /** @type {Colour} */ ([0, 0, 0, 0]);
      for (let e = element; e && seen[3] < 1; e = e.parentElement) seen = over(seen, colour(getComputedStyle(e).backgroundColor));
      return over(seen, colour(matchMedia('(prefers-color-scheme: dark)').matches ? '#121212' : '#fff'));
    }

    /** Relative luminance. @param {Colour} c */
    function luminance(c) {
      const linear = (/** @type {number} */ v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
      return 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    }

    /**
     * @param {Colour} a
     * @param {Colour} b
     */
    function contrast(a, b) {
      const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
      return (light + 0.05) / (dark + 0.05);
    }

    /** @param {Element} element */
    function shown(element) {
      const { width, height } = element.getBoundingClientRect();
      return width > 2 && height > 2 && element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    }

    /** @param {Element} element */
    const title = (element) => `<${element.tagName.toLowerCase()}> "${(element.textContent || element.getAttribute('name') || '').trim().slice(0, 30)}"`;

    /** SC 1.4.3, and for the edges of fields and the ring of the focus SC 1.4.11. @returns {string[]} */
    function contrasts() {
      const faults = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      const seen = new Set();
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!element || seen.has(element) || !walker.currentNode.textContent?.trim() || !shown(element)) continue;
        seen.add(element);
        const style = getComputedStyle(element);
        const under = ground(element);
        const ratio = contrast(over(colour(style.color), under), under);
        if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)} of ${title(element)}`);
      }
      for (const input of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
        if (!shown(input)) continue;
        const under = ground(input.parentElement);
        const edge = contrast(over(colour(getComputedStyle(input).borderTopColor), under), under);
        const text = contrast(colour(getComputedStyle(input).color), ground(input));
        if (edge < 3) faults.push(`contrast ${edge.toFixed(2)} of the edge of ${title(input)}`);
        if (text < 4.5) faults.push(`contrast ${text.toFixed(2)} of the text in ${title(input)}`);
      }
      return faults;
    }

    /** SC 1.3.1, 2.4.2, 3.1.1. @returns {string[]} */
    function structure() {
      const faults = [];
      if (!document.documentElement.lang) faults.push('no language');
      if (!document.title) faults.push('no title');
      if (document.querySelectorAll('main').length !== 1) faults.push('not exactly one <main>');
      const levels = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
        .filter((h) => h.checkVisibility())
        .map((h) => Number(h.tagName[1]));
      if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) faults.push(`headings begin ${levels}`);
      levels.forEach((level, i) => {
        if (i > 0 && level > levels[i - 1] + 1) faults.push(`h${level} follows h${levels[i - 1]}`);
      });
      const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
      for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push(`#${id} is there twice`);
      return faults;
    }

    /** SC 3.3.2, 4.1.2 and 2.5.8. @returns {string[]} */
    function controls() {
      const faults = [];
      for (const e of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, progress, [tabindex]')) {
        if (!shown(e)) continue;
        const labels = /** @type {HTMLInputElement} */ (e).labels;
        const by = (e.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join('');
        const name = e.getAttribute('aria-label') || by || (labels && [...labels].map((l) => l.textContent).join('')) || e.textContent;
        if (!name?.trim()) faults.push(`no name for ${title(e)}`);
        const { width, height } = e.getBoundingClientRect();
        const inText = getComputedStyle(e).display === 'inline';
        if (!inText && !e.matches('progress') && Math.min(width, height) < 24) faults.push(`${title(e)} is ${width} × ${height}`);
        if (Number(e.getAttribute('tabindex')) > 0) faults.push(`${title(e)} changes the order of focus`);
      }
      return faults;
    }

    /** SC 1.4.10 and 2.3.3. @returns {string[]} */
    function layout() {
      const faults = [];
      const { scrollWidth, clientWidth } = document.scrollingElement ?? document.documentElement;
      if (scrollWidth > clientWidth) faults.push(`scrolls sideways: ${scrollWidth} in ${clientWidth}`);
      if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
        for (const animation of document.getAnimations()) {
          const target = /** @type {KeyframeEffect} */ (animation.effect)?.target;
          if (target) faults.push(`${title(target)} moves`);
        }
        for (const e of document.querySelectorAll('*')) {
          const style = getComputedStyle(e);
          if (style.transitionDuration.split(', ').some((d) => parseFloat(d) > 0.01)) faults.push(`${title(e)} has a transition`);
          if (style.scrollBehavior === 'smooth') faults.push(`${title(e)} scrolls smoothly`);
        }
      }
      return faults;
    }

    return [...contrasts(), ...structure(), ...controls(), ...layout()];
  });
}

/**
 * Tabs through the page once, and tells which stops show no sign of the focus.
 * @param {import('playwright-core').Page} page
 * @returns {Promise<{stops: number, faults: string[]}>}
 */
export async function auditFocus(page) {
  await page.evaluate(() => {
    // The focus of the body is the only place to begin anew from: a blur leaves the Tab key where it was.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute('tabindex');
    scrollTo(0, 0);
  });
  const faults = [];
  const seen = new Set();
  for (let stops = 0; stops < 60; stops++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(e);
      const { top, bottom } = e.getBoundingClientRect();
      const nth = [...document.querySelectorAll('*')].indexOf(e);
      return { nth, what: e.outerHTML.slice(0, 60), ring: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2, inView: bottom > 0 && top < innerHeight };
    });
    if (!stop || seen.has(stop.nth)) break;
    seen.add(stop.nth);
    if (!stop.ring) faults.push(`no ring around ${stop.what}`);
    if (!stop.inView) faults.push(`out of view: ${stop.what}`);
  }
  return { stops: seen.size, faults };
}

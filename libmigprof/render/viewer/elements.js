// SPDX-License-Identifier: Apache-2.0
// Making elements. Text only ever becomes text nodes: names may hold anything.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const HTML = 'http://www.w3.org/1999/xhtml';
  const SVG = 'http://www.w3.org/2000/svg';

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  // By namespace, for inside an SVG file document.createElement makes no HTML elements.
  viewer.html = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(HTML, tag), attributes, children);
  viewer.svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  // A line icon in a box of 16 × 16.
  viewer.icon = (path) =>
    viewer.svg(
      'svg', { class: 'mp-icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
      viewer.svg('path', { d: path }));

  viewer.button = (label, hint, children, onClick) => {
    const button = viewer.html(
      'button', { type: 'button', class: 'mp-button', title: hint, 'aria-label': label },
      ...children);
    button.addEventListener('click', onClick);
    return button;
  };
})();

// SPDX-License-Identifier: Apache-2.0
// What keys, mouse and fingers do.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const LINES = [
    [['click', 'tap', 'Enter'], 'zoom to a frame; the path above it stays and can be clicked'],
    [['Esc', '0', 'double-click'], 'show everything again'],
    [['← →'], 'previous, next sibling'],
    [['↑ ↓'], 'along the tree: away from the root takes the widest frame'],
    [['/', 'Ctrl+F'], 'search with a regular expression'],
    [['n', 'N'], 'next, previous match, heaviest first'],
    [['Alt+C'], 'match case'],
    [['i'], 'icicle: root at the top'],
    [['t'], 'table of the frames with most time of their own'],
    [['d'], 'dark or light'],
    [['hover', 'long press'], 'whole name, time, shares and count'],
    [['?'], 'this help'],
  ];

  viewer.Help = class {
    // `texts` are those of view_texts.js.
    constructor({ meaning, rows }, onClose) {
      this.onClose = onClose;
      const list = viewer.html('dl', {});
      for (const [keys, text] of LINES) {
        const term = viewer.html('dt', {});
        keys.forEach((key) => term.append(viewer.html('kbd', {}, key), ' '));
        list.append(viewer.html('div', {}, term, viewer.html('dd', {}, text)));
      }
      this.closeButton = viewer.button('Close', 'Close (Esc)', ['Close'], () => this.close());
      this.element = viewer.html(
        'div', { class: 'mp-help', hidden: '' },
        viewer.html(
          'div', { class: 'mp-help-box', role: 'dialog', 'aria-modal': 'true', 'aria-label': 'Help' },
          viewer.html('h2', {}, 'How to read and use this picture'),
          viewer.html(
            'p', {},
            `${meaning} Read along the rows: ${rows} `,
            'Order from left to right means nothing. Grey stands for frames too narrow to draw, a pale ',
            'match for those with a match among them.'),
          list, this.closeButton));
      this.element.addEventListener('click', (event) => {
        if (event.target === this.element) this.close();
      });
      // The only control inside is the button, so Tab has nowhere else to go.
      this.element.addEventListener('keydown', (event) => {
        if (event.key === 'Tab') event.preventDefault();
      });
    }

    get isOpen() {
      return !this.element.hidden;
    }

    toggle() {
      if (this.isOpen) {
        this.close();
        return;
      }
      this.element.hidden = false;
      this.closeButton.focus();
    }

    close() {
      this.element.hidden = true;
      this.onClose();
    }
  };
})();

// SPDX-License-Identifier: Apache-2.0
// The frames with most time of their own in the view, as a table: for those who cannot see the
// chart it is always there, for the others when they ask for it.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const ROWS = 25;

  viewer.TopFrames = class {
    constructor({ noun, count }) {
      this.body = viewer.html('tbody');
      const heads = ['Frame', 'Kind', `Own ${noun}`, 'Of this view', count];
      const table = viewer.html(
        'table', {},
        viewer.html('caption', {}, `Frames with most ${noun} of their own in this view`),
        viewer.html(
          'thead', {},
          viewer.html('tr', {}, ...heads.map((head) => viewer.html('th', { scope: 'col' }, head)))),
        this.body);
      this.element = viewer.html('section', { class: 'mp-top mp-hidden', 'aria-label': 'Top frames' }, table);
      this.isShown = false;
    }

    toggle() {
      this.isShown = !this.isShown;
      this.element.classList.toggle('mp-hidden', !this.isShown);
      // A region that scrolls must be reachable with the keyboard; a hidden one must not be.
      if (this.isShown) this.element.setAttribute('tabindex', '0');
      else this.element.removeAttribute('tabindex');
    }

    show(tree, root) {
      const { frames, texts } = tree;
      this.body.replaceChildren(
        ...viewer.topFrames(tree, root, ROWS).map(({ frame, ns, count }) =>
          viewer.html(
            'tr', {},
            viewer.html('th', { scope: 'row', title: frames.full[frame] }, frames.names[frame]),
            viewer.html('td', {}, frames.kindLabels[frames.kinds[frame]]),
            viewer.html('td', {}, texts.human(ns)),
            viewer.html('td', {}, viewer.percent(ns, tree.totalNs[root])),
            viewer.html('td', {}, viewer.humanCount(count)))));
    }
  };
})();

// SPDX-License-Identifier: Apache-2.0
// Where it ran, how much it did, and how far to trust it.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  // Three slices of a GPU, one of them at work.
  function mark() {
    return viewer.svg(
      'svg', { class: 'mp-mark', viewBox: '0 0 20 20', 'aria-hidden': 'true' },
      viewer.svg('rect', { x: 1, y: 2, width: 18, height: 4.4, rx: 1.4, class: 'mp-mark-idle' }),
      viewer.svg('rect', { x: 1, y: 7.8, width: 18, height: 4.4, rx: 1.4, class: 'mp-mark-busy' }),
      viewer.svg('rect', { x: 1, y: 13.6, width: 18, height: 4.4, rx: 1.4, class: 'mp-mark-idle' }));
  }

  viewer.makeHead = ({ place, figures, verdict, health, loss, simulated }) => {
    const title = viewer.html('h1', { class: 'mp-title' }, mark(), viewer.html('b', {}, 'migprof'));
    place.forEach((part, i) => {
      title.append(viewer.html('span', { class: 'mp-between' }, i === 0 ? ' — ' : ' / '), part);
    });
    const badge = simulated
      ? viewer.html(
          'span', { class: 'mp-badge', title: 'Recorded on migprof’s simulated GPU: no hardware ran this' },
          'SIMULATED GPU')
      : null;
    const list = viewer.html('dl', { class: 'mp-figures' });
    for (const [label, value] of figures) {
      list.append(
        viewer.html('div', {}, viewer.html('dt', {}, label), viewer.html('dd', {}, value)));
    }
    const healthLine = viewer.html(
      'p', { class: loss ? 'mp-health mp-loss' : 'mp-health' },
      viewer.html('b', {}, `${verdict}: `), health);
    return viewer.html(
      'header', { class: 'mp-head' },
      viewer.html('div', { class: 'mp-title-row' }, title, badge), list, healthLine);
  };
})();

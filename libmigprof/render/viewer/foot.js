// SPDX-License-Identifier: Apache-2.0
// The legend, and what of the view could not be drawn.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  function makeLegend(tree) {
    const { frames } = tree;
    const list = viewer.html('ul', { class: 'mp-legend', 'aria-label': 'Colours' });
    // The frames of this tree: it may share its list with others.
    const kinds = new Uint8Array(frames.kindLabels.length);
    const causes = new Map();
    for (let node = 1; node < tree.count; ++node) {
      const frame = tree.frame[node];
      const cause = frames.causes[frame];
      if (cause === undefined) kinds[frames.kinds[frame]] = 1;
      else causes.set(cause, frames.names[frame]);
    }
    const add = (color, label) => {
      const swatch = viewer.svg('rect', { class: color, width: 12, height: 12, rx: 2 });
      list.append(
        viewer.html(
          'li', {},
          viewer.svg('svg', { width: 12, height: 12, 'aria-hidden': 'true' }, swatch), label));
    };
    frames.kindLabels.forEach((label, kind) => {
      if (kinds[kind] === 1) add(`k${String.fromCharCode(97 + kind)}1`, label);
    });
    [...causes].sort(([a], [b]) => a - b).forEach(([cause, name]) => add(`kn${cause}`, name));
    return list;
  }

  function statusText(tree, root, hidden) {
    if (tree.totalNs[0] === 0) return tree.texts.nothing;
    const parts = [];
    if (root !== 0) {
      const name = tree.frames.names[tree.frame[root]];
      const time = tree.texts.human(tree.totalNs[root]);
      const share = viewer.percent(tree.totalNs[root], tree.totalNs[0]);
      parts.push(`Zoomed to ${name}: ${time}, ${share} of all.`);
    }
    const inView = tree.end[root] - root;
    if (hidden.narrow > 0) {
      const all = viewer.countOf(inView, 'frame', 'frames');
      parts.push(`${viewer.humanCount(hidden.narrow)} of ${all} too narrow to draw (grey): zoom in to see them.`);
    } else {
      parts.push(`No frame is too narrow to draw (${viewer.humanCount(inView)} in this view).`);
    }
    if (hidden.deep > 0) {
      const frames = viewer.countOf(hidden.deep, 'frame lies', 'frames lie');
      parts.push(`${frames} deeper than 1,000 rows: zoom in to see them.`);
    }
    if (hidden.above > 0) {
      parts.push(`${viewer.countOf(hidden.above, 'row', 'rows')} of the path left out.`);
    }
    return parts.join(' ');
  }

  viewer.Foot = class {
    constructor(tree) {
      this.status = viewer.html('p', { class: 'mp-status', role: 'status' });
      this.element = viewer.html('footer', { class: 'mp-foot' }, makeLegend(tree), this.status);
    }

    show(tree, root, hidden) {
      this.status.textContent = statusText(tree, root, hidden);
    }
  };
})();

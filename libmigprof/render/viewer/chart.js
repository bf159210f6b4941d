// SPDX-License-Identifier: Apache-2.0
// Draws a layout with as few elements as there are visible frames, and reuses them.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const LABEL_INSET = 4;
  const WIDE_PIXELS = 8;  // from here on corners are round
  const SAMPLE = 'MMMMMMMMMMMMMMMMMMMM';
  const CELL_PIXELS = 7.3;  // where nothing is laid out, as in a hidden page

  // Adjacent frames need a gap to be told apart, but narrow ones have no pixel to give.
  const gapOf = (width) => (width > 4 ? 1 : width > 1 ? 0.3 : 0);

  viewer.Chart = class {
    // `panel` is the element to draw into; its width is the width of the chart.
    constructor(panel, tree) {
      this.tree = tree;
      // Frames too narrow to draw one by one: two elements, however many there are.
      this.crumbs = viewer.svg('path', { class: 'mp-crumbs' });
      this.matchingCrumbs = viewer.svg('path', { class: 'mp-crumbs mp-match' });
      this.rects = viewer.svg('g', { class: 'mp-frames' });
      this.labels = viewer.svg('g', { class: 'mp-labels' });
      this.cursor = viewer.svg('rect', { class: 'mp-cursor', visibility: 'hidden' });
      this.element = viewer.svg(
        'svg', { class: 'mp-chart', 'aria-hidden': 'true' },
        this.crumbs, this.matchingCrumbs, this.rects, this.labels, this.cursor);
      this.colors = new Array(tree.frames.count).fill(null);
      this.width = 0;
      this.rows = 0;
      this.rowHeight = 0;
      this.layout = null;
      panel.append(this.element);
    }

    // Colours are looked up for frames that are drawn only: most never are.
    colorOf(frame) {
      return (this.colors[frame] ??= viewer.colorClass(this.tree.frames, frame));
    }

    resize(width, rows, rowHeight) {
      this.width = width;
      this.rows = rows;
      this.element.setAttribute('width', width);
      this.element.setAttribute('height', rows * rowHeight);
      if (rowHeight === this.rowHeight) return;
      this.rowHeight = rowHeight;
      this.rects.replaceChildren();
      this.cellPixels = this.measureCell();
    }

    measureCell() {
      const sample = viewer.svg('text', { class: 'mp-label' }, SAMPLE);
      this.labels.append(sample);
      const width = sample.getComputedTextLength();
      sample.remove();
      return width / SAMPLE.length || CELL_PIXELS;
    }

    // `found` is of viewer.search, or null when nothing is searched for.
    draw(layout, { icicle, found }) {
      Object.assign(this, { layout, icicle });
      const isMatch = found?.isMatch ?? null;
      const labels = [];
      this.makeRoom(this.rects, layout.frames.length, 'rect', { height: this.rowHeight - 1 });
      let rect = this.rects.firstChild;
      for (const drawn of layout.frames) {
        const frame = this.tree.frame[drawn.node];
        const isHit = isMatch !== null && isMatch[frame] === 1;
        let classes = this.colorOf(frame);
        if (drawn.isAncestor) classes += ' mp-above';
        if (drawn.width > WIDE_PIXELS) classes += ' mp-wide';
        if (isMatch !== null) classes += isHit ? ' mp-match' : ' mp-miss';
        const y = this.yOf(drawn.row);
        rect.setAttribute('class', classes);
        rect.setAttribute('x', drawn.x.toFixed(2));
        rect.setAttribute('y', y);
        rect.setAttribute('width', (drawn.width - gapOf(drawn.width)).toFixed(2));
        rect.drawn = drawn;
        rect = rect.nextSibling;
        const cells = Math.floor((drawn.width - 2 * LABEL_INSET) / this.cellPixels);
        const text = viewer.fitLabel(this.tree.frames.names[frame], cells);
        if (text !== '') labels.push({ text, x: drawn.x + LABEL_INSET, y, isHit });
      }
      this.drawLabels(labels);
      this.drawCrumbs(found);
    }

    drawCrumbs(found) {
      const height = this.rowHeight - 1;
      let plain = '';
      let matching = '';
      for (const { x, width, row, first, count } of this.layout.crumbs) {
        const left = x.toFixed(1);
        const right = (x + width - gapOf(width)).toFixed(1);
        const box = `M${left} ${this.yOf(row)}H${right}v${height}H${left}z`;
        if (found?.isAmong?.(first, first + count)) matching += box;
        else plain += box;
      }
      this.crumbs.setAttribute('d', plain);
      this.matchingCrumbs.setAttribute('d', matching);
    }

    // What is drawn at the target of an event: a frame, a crumb (which has a count), or null.
    at(event) {
      if (event.target !== this.crumbs && event.target !== this.matchingCrumbs) {
        return event.target.drawn ?? null;
      }
      const box = this.element.getBoundingClientRect();
      const x = event.clientX - box.left;
      const y = event.clientY - box.top;
      const isHit = (crumb) => {
        const top = this.yOf(crumb.row);
        return x >= crumb.x && x <= crumb.x + crumb.width && y >= top && y < top + this.rowHeight;
      };
      return this.layout.crumbs.find(isHit) ?? null;
    }

    drawLabels(labels) {
      this.makeRoom(this.labels, labels.length, 'text', {});
      const baseline = Math.round(this.rowHeight * 0.7);
      let element = this.labels.firstChild;
      for (const { text, x, y, isHit } of labels) {
        element.setAttribute('class', isHit ? 'mp-label mp-hit' : 'mp-label');
        element.setAttribute('x', x.toFixed(1));
        element.setAttribute('y', y + baseline);
        if (element.textContent !== text) element.textContent = text;
        element = element.nextSibling;
      }
    }

    // As many children as needed, no more: browsers pay for those that are out of sight too.
    makeRoom(group, count, tag, attributes) {
      while (group.childElementCount > count) group.lastChild.remove();
      const added = document.createDocumentFragment();
      for (let i = group.childElementCount; i < count; ++i) added.append(viewer.svg(tag, attributes));
      group.append(added);
    }

    yOf(row) {
      return (this.icicle ? row : this.rows - 1 - row) * this.rowHeight;
    }

    find(node) {
      return this.layout.frames.find((drawn) => drawn.node === node) ?? null;
    }

    // Rings the frame, or nothing for null.
    point(drawn) {
      this.cursor.setAttribute('visibility', drawn === null ? 'hidden' : 'visible');
      if (drawn === null) return;
      this.cursor.setAttribute('x', drawn.x);
      this.cursor.setAttribute('y', this.yOf(drawn.row));
      this.cursor.setAttribute('width', Math.max(1, drawn.width - 1));
      this.cursor.setAttribute('height', this.rowHeight - 1);
    }
  };
})();

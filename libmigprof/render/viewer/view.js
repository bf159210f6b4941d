// SPDX-License-Identifier: Apache-2.0
// The parts of the viewer put together, and what is shown in them: the state, the frames drawn for
// it, and the cursor. What changes the state is in actions.js.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const ROWS_BELOW = 3;  // of the path, kept in sight next to the zoomed frame
  const ROW_HEIGHT = 18;
  const ROW_HEIGHT_FOR_FINGERS = 26;
  const LEAST_HEIGHT = 220;
  let viewCount = 0;

  viewer.View = class {
    constructor(tree, headline, options) {
      this.tree = tree;
      this.options = options;
      // The node zoomed to; the node that keys walk on, or -1; the search; dark, or null for what
      // the system says.
      this.state = {
        root: 0, cursor: -1, pattern: '', matchCase: false,
        icicle: options.icicle === true, dark: options.dark ?? null,
      };
      this.found = null;  // of viewer.search
      this.matchAt = -1;  // index into found.nodes
      this.layout = null;
      this.coarse = matchMedia('(pointer: coarse)');
      this.actions = viewer.makeActions(this);
      this.makeElements(headline, `mp-${++viewCount}`);
    }

    makeElements(headline, id) {
      this.cursorItem = viewer.html(
        'div', { class: 'mp-hidden', role: 'treeitem', id: `${id}-item` }, 'all');
      this.panel = viewer.html(
        'div', {
          class: 'mp-panel', role: 'tree', tabindex: '0', 'aria-activedescendant': `${id}-item`,
          'aria-label': 'Flamegraph. Arrow keys walk, Enter zooms, slash searches, question mark helps.',
        }, this.cursorItem);
      this.toolbar = new viewer.Toolbar(this.actions, `${id}-result`);
      this.foot = new viewer.Foot(this.tree);
      this.topFrames = new viewer.TopFrames(this.tree.texts);
      this.help = new viewer.Help(this.tree.texts, () => this.panel.focus());
      this.element = viewer.html(
        'div', {
          class: `migprof mp-viewer${this.options.fill ? ' mp-fill' : ''}` +
            `${this.tree.texts.name === 'idle' ? ' mp-idle' : ''}`,
        },
        viewer.html(
          'div', { class: 'mp-body' }, this.options.bare ? null : viewer.makeHead(headline), this.toolbar.element, this.panel,
          this.topFrames.element, this.foot.element),
        this.help.element);
      this.tooltip = new viewer.Tooltip(this.element);
      this.chart = new viewer.Chart(this.panel, this.tree);
      this.theme = new viewer.Theme(this.element, () => this.toolbar.show(this.state, this.theme.isDark));
      this.theme.choose(this.state.dark);
    }

    get rowHeight() {
      return this.coarse.matches ? ROW_HEIGHT_FOR_FINGERS : ROW_HEIGHT;
    }

    isDrawn(node) {
      return this.chart.find(node) !== null;
    }

    // Draws what the state says. `isStep`: the browser's back button returns to what was before.
    redraw({ isStep = false, scroll = true } = {}) {
      this.tooltip.hide();
      this.draw();
      if (scroll) this.scrollTo(this.layout.rootRow);
      // The table is for readers who take their time: the picture comes first.
      clearTimeout(this.later);
      this.later = setTimeout(() => this.topFrames.show(this.tree, this.state.root), 0);
      if (this.options.fragment) viewer.writeFragment(this.tree, this.state, isStep);
    }

    draw() {
      const { tree, state, chart, found } = this;
      this.layOut();
      // Now that the height is known, a scroll bar may have come or gone.
      if (this.panel.clientWidth !== chart.width) this.layOut();
      chart.draw(this.layout, { icicle: state.icicle, found });
      chart.point(state.cursor < 0 ? null : chart.find(state.cursor));
      this.foot.show(tree, state.root, this.layout.hidden);
      this.toolbar.show(state, this.theme.isDark);
      this.toolbar.showResult(tree, state.root, found, this.matchAt);
    }

    layOut() {
      const width = Math.max(1, this.panel.clientWidth);
      this.layout = viewer.layOut(this.tree, this.state.root, width);
      this.chart.resize(width, this.layout.rows, this.rowHeight);
      // In a low window the page scrolls rather than leave no room for the chart.
      const height = Math.min(this.layout.rows * this.rowHeight, LEAST_HEIGHT);
      this.panel.style.minHeight = `${height}px`;
    }

    // Puts a row near the end of the panel at which the root is.
    scrollTo(row) {
      const y = this.chart.yOf(row);
      this.panel.scrollTop = this.state.icicle
        ? y - ROWS_BELOW * this.rowHeight
        : y + (ROWS_BELOW + 1) * this.rowHeight - this.panel.clientHeight;
    }

    // To a node, with an explanation beside it, or to none (-1).
    setCursor(node, { explain = true } = {}) {
      const { tree, state, chart, panel } = this;
      state.cursor = node;
      const drawn = node < 0 ? null : chart.find(node);
      chart.point(drawn);
      if (node < 0) return;
      this.cursorItem.textContent =
        `${tree.frames.full[tree.frame[node]]}, ${viewer.kindOf(tree, node)}, ` +
        viewer.describe(tree, node, state.root).map((line) => line.join(' ')).join(', ');
      this.cursorItem.setAttribute('aria-level', tree.depth[node] + 1);
      if (drawn === null) return;
      const y = chart.yOf(drawn.row);
      if (y < panel.scrollTop || y + this.rowHeight > panel.scrollTop + panel.clientHeight) {
        this.scrollTo(drawn.row);
      }
      if (explain) this.explainCursor(drawn);
    }

    explainCursor(drawn) {
      const box = this.panel.getBoundingClientRect();
      const x = box.left + drawn.x + Math.min(drawn.width / 2, 40);
      const y = box.top + this.chart.yOf(drawn.row) - this.panel.scrollTop;
      this.tooltip.show(this.tree, drawn, this.state.root, x, y + this.rowHeight / 2);
    }
  };
})();

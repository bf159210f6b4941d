// SPDX-License-Identifier: Apache-2.0
// All that somebody can do to a view, whether by key, pointer or button.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const WIDE_ENOUGH = 3;  // pixels, for a match to be seen

  function find(view, pattern, matchCase) {
    Object.assign(view.state, { pattern, matchCase });
    view.found = viewer.search(view.tree, pattern, matchCase);
    view.matchAt = -1;
    view.redraw({ scroll: false });
  }

  function zoom(view, node) {
    if (node === view.state.root) return;
    view.state.root = node;
    view.redraw({ isStep: true });
  }

  // Zooms out, or in, as little as makes the node wide enough to be seen.
  function bringIntoView(view, node) {
    const { tree, state, chart, panel } = view;
    const drawn = chart.find(node);
    if (drawn !== null && drawn.width >= WIDE_ENOUGH) return;
    const most = (tree.totalNs[node] * panel.clientWidth) / WIDE_ENOUGH;
    const root = viewer.ancestorsOf(tree, node).find((step) => tree.totalNs[step] <= most);
    state.cursor = -1;
    zoom(view, root ?? tree.parent[node]);
  }

  // The next match by weight.
  function step(view, direction) {
    const nodes = view.found?.nodes ?? [];
    if (nodes.length === 0) return;
    const from = view.matchAt < 0 && direction < 0 ? 0 : view.matchAt;
    view.matchAt = (from + direction + nodes.length) % nodes.length;
    const node = nodes[view.matchAt];
    bringIntoView(view, node);
    view.setCursor(node);
    view.toolbar.showResult(view.tree, view.state.root, view.found, view.matchAt);
  }

  function walk(view, where) {
    const { tree, state } = view;
    const from = state.cursor;
    let to = state.root;
    if (from >= 0 && view.isDrawn(from)) {
      const isDrawn = (node) => view.isDrawn(node);
      if (where === 'parent') to = tree.parent[from];
      if (where === 'child') to = viewer.heaviestChild(tree, from);
      if (where === 'previous') to = viewer.sibling(tree, from, -1, isDrawn);
      if (where === 'next') to = viewer.sibling(tree, from, 1, isDrawn);
    }
    if (to >= 0 && view.isDrawn(to)) view.setCursor(to);
  }

  viewer.makeActions = (view) => ({
    // With a pointer: the cursor of the keys goes away.
    zoom(node) {
      view.state.cursor = -1;
      zoom(view, node);
      view.setCursor(-1);
    },
    zoomToCursor() {
      const { cursor } = view.state;
      if (cursor < 0) return;
      zoom(view, cursor);
      view.setCursor(cursor, { explain: false });
    },
    reset() {
      view.state.cursor = -1;
      zoom(view, 0);
      view.setCursor(-1);
      view.tooltip.hide();
    },
    search: (pattern) => find(view, pattern, view.state.matchCase),
    toggleCase: () => find(view, view.state.pattern, !view.state.matchCase),
    step: (direction) => step(view, direction),
    walk: (where) => walk(view, where),
    toggleIcicle() {
      view.state.icicle = !view.state.icicle;
      view.redraw();
    },
    toggleDark() {
      if (view.options.toggleDark) {
        view.options.toggleDark();
        return;
      }
      view.state.dark = !view.theme.isDark;
      view.theme.choose(view.state.dark);
      view.redraw({ scroll: false });
    },
    toggleTop() {
      view.topFrames.toggle();
      view.toolbar.top.button.setAttribute('aria-pressed', String(view.topFrames.isShown));
    },
    toggleHelp() {
      view.tooltip.hide();
      view.help.toggle();
    },
    focusSearch() {
      view.toolbar.input.focus();
      view.toolbar.input.select();
    },
    focusChart: () => view.panel.focus(),
    explain: (drawn, x, y) => view.tooltip.show(view.tree, drawn, view.state.root, x, y),
    stopExplaining: () => view.tooltip.hide(),
    // What the fragment of the address says.
    restore() {
      const { state, theme, tree } = view;
      Object.assign(state, { cursor: -1 }, viewer.readFragment(tree));
      view.found = viewer.search(tree, state.pattern, state.matchCase);
      view.matchAt = -1;
      theme.choose(state.dark);
      view.redraw();
    },
  });
})();

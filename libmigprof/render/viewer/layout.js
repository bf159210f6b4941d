// SPDX-License-Identifier: Apache-2.0
// Which frames to draw for a zoom and a width, and where. Knows nothing of elements.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  // 5,000 elements take 70 ms to draw on a slow machine, most of them too narrow to tell anything;
  // past 1,000 rows browsers begin to fail.
  const MOST_FRAMES = 3000;
  const MOST_ROWS = 1000;
  const LEAST_PIXELS = 0.5;
  // Of a very long path, the rows next to the root and next to the zoomed frame are drawn.
  const FIRST_ANCESTORS = 20;
  const LAST_ANCESTORS = 100;

  // The frames wider than `leastPixels`, and where the others would have been: neighbours of one
  // parent together are a crumb, with the node of the widest.
  function collect(tree, root, scale, leastPixels) {
    const { parent, depth, end, startNs, totalNs } = tree;
    const nodes = [];
    const crumbs = [];
    let crumb = null;
    let narrow = 0;
    let deep = 0;
    const deepest = depth[root] + MOST_ROWS;
    for (let node = root; node < end[root];) {
      if (node === root || (totalNs[node] * scale > leastPixels && depth[node] < deepest)) {
        nodes.push(node);
        ++node;
        continue;
      }
      const count = end[node] - node;
      if (depth[node] >= deepest) {
        deep += count;
      } else {
        narrow += count;
        if (crumb === null || parent[crumb.node] !== parent[node] || crumb.endNs !== startNs[node]) {
          crumb = { node, first: node, startNs: startNs[node], endNs: startNs[node], count: 0 };
          crumbs.push(crumb);
        }
        if (totalNs[node] > totalNs[crumb.node]) crumb.node = node;
        crumb.endNs += totalNs[node];
        crumb.count += count;
      }
      node = end[node];
    }
    return { nodes, crumbs, narrow, deep };
  }

  function ancestorsToDraw(tree, root) {
    const ancestors = viewer.ancestorsOf(tree, root);
    const above = ancestors.length - FIRST_ANCESTORS - LAST_ANCESTORS;
    if (above <= 0) return { ancestors, above: 0 };
    const kept = [...ancestors.slice(0, FIRST_ANCESTORS), ...ancestors.slice(-LAST_ANCESTORS)];
    return { ancestors: kept, above };
  }

  // {frames: [{node, x, width, row, isAncestor}], crumbs: [{node, first, x, width, row, count, ns}],
  // rows, rootRow, hidden: {narrow, deep, above}}; row 0 is the root of the tree. A crumb stands for
  // the `count` nodes from `first`.
  viewer.layOut = (tree, root, width) => {
    const { ancestors, above } = ancestorsToDraw(tree, root);
    const scale = tree.totalNs[root] > 0 ? width / tree.totalNs[root] : 0;
    const room = MOST_FRAMES - ancestors.length;
    let view = collect(tree, root, scale, LEAST_PIXELS);
    if (view.nodes.length > room) {
      const widths = Float64Array.from(view.nodes, (node) => tree.totalNs[node] * scale).sort();
      view = collect(tree, root, scale, widths[widths.length - 1 - room]);
    }
    const rootRow = ancestors.length;
    const rowOf = (node) => rootRow + tree.depth[node] - tree.depth[root];
    const xOf = (ns) => (ns - tree.startNs[root]) * scale;
    const frames = ancestors.map((node, row) => ({ node, x: 0, width, row, isAncestor: true }));
    let rows = rootRow + 1;
    for (const node of view.nodes) {
      const row = rowOf(node);
      if (row >= rows) rows = row + 1;
      const frameWidth = node === root ? width : tree.totalNs[node] * scale;
      frames.push({ node, x: xOf(tree.startNs[node]), width: frameWidth, row, isAncestor: false });
    }
    const crumbs = [];
    for (const { node, first, startNs, endNs, count } of view.crumbs) {
      const ns = endNs - startNs;
      if (ns * scale < LEAST_PIXELS) continue;
      const row = rowOf(node);
      if (row >= rows) rows = row + 1;
      crumbs.push({ node, first, x: xOf(startNs), width: ns * scale, row, count, ns });
    }
    return { frames, crumbs, rows, rootRow, hidden: { narrow: view.narrow, deep: view.deep, above } };
  };
})();

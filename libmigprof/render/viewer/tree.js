// SPDX-License-Identifier: Apache-2.0
// Questions to a decoded tree.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  // The nodes above `node`, root first.
  viewer.ancestorsOf = (tree, node) => {
    const ancestors = [];
    while (node !== 0) {
      node = tree.parent[node];
      ancestors.push(node);
    }
    return ancestors.reverse();
  };

  viewer.isWithin = (tree, node, ancestor) => node >= ancestor && node < tree.end[ancestor];

  viewer.heaviestChild = (tree, node) => {
    let heaviest = -1;
    for (let child = node + 1; child < tree.end[node]; child = tree.end[child]) {
      if (heaviest < 0 || tree.totalNs[child] > tree.totalNs[heaviest]) heaviest = child;
    }
    return heaviest;
  };

  // The sibling before (-1) or after (1) `node` for which `accepts` holds, or -1.
  viewer.sibling = (tree, node, direction, accepts) => {
    if (node === 0) return -1;
    const parent = tree.parent[node];
    if (direction > 0) {
      for (let next = tree.end[node]; next < tree.end[parent]; next = tree.end[next]) {
        if (accepts(next)) return next;
      }
      return -1;
    }
    let found = -1;
    for (let child = parent + 1; child < node; child = tree.end[child]) {
      if (accepts(child)) found = child;
    }
    return found;
  };

  // Two 32-bit hashes of the names from the root to a node: a name for the node that survives
  // another order of siblings, another width and another recording of the same program.
  const SEEDS = [0x9e3779b1, 0x85ebca77];

  function hashName(name, seed) {
    let hash = seed;
    for (let i = 0; i < name.length; ++i) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    return hash ^ (hash >>> 13);
  }

  function extend(pathHash, nameHash, seed) {
    const mixed = Math.imul(pathHash ^ nameHash, seed);
    return mixed ^ (mixed >>> 15);
  }

  const asHex = (hash) => (hash >>> 0).toString(16).padStart(8, '0');

  // "depth-hash".
  viewer.pathId = (tree, node) => {
    const { full } = tree.frames;
    const path = [...viewer.ancestorsOf(tree, node), node].slice(1);
    const hashes = SEEDS.map((seed) =>
      path.reduce((hash, step) => extend(hash, hashName(full[tree.frame[step]], seed), seed), seed));
    return `${path.length}-${hashes.map(asHex).join('')}`;
  };

  // The node that viewer.pathId gave this id to, or -1.
  viewer.findPath = (tree, id) => {
    const parts = /^(\d+)-([0-9a-f]{8})([0-9a-f]{8})$/.exec(id);
    if (!parts) return -1;
    const depth = Number(parts[1]);
    if (depth === 0) return 0;
    const wanted = [parseInt(parts[2], 16) | 0, parseInt(parts[3], 16) | 0];
    const names = SEEDS.map((seed) => tree.frames.full.map((name) => hashName(name, seed)));
    const hashes = SEEDS.map((seed) => new Int32Array(tree.count).fill(seed));
    for (let node = 1; node < tree.count; ++node) {
      if (tree.depth[node] > depth) continue;
      for (let i = 0; i < 2; ++i) {
        hashes[i][node] = extend(hashes[i][tree.parent[node]], names[i][tree.frame[node]], SEEDS[i]);
      }
      if (tree.depth[node] === depth && hashes[0][node] === wanted[0] && hashes[1][node] === wanted[1]) {
        return node;
      }
    }
    return -1;
  };

  // The frames with most time of their own within `root`: [{frame, ns, count}], heaviest first.
  viewer.topFrames = (tree, root, limit) => {
    const ns = new Float64Array(tree.frames.count);
    const count = new Float64Array(tree.frames.count);
    for (let node = root; node < tree.end[root]; ++node) {
      ns[tree.frame[node]] += tree.selfNs[node];
      count[tree.frame[node]] += tree.selfCount[node];
    }
    return Array.from(ns, (value, frame) => ({ frame, ns: value, count: count[frame] }))
      .filter((entry) => entry.ns > 0)
      .sort((a, b) => b.ns - a.ns)
      .slice(0, limit);
  };
})();

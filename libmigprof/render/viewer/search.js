// SPDX-License-Identifier: Apache-2.0
// Regular expressions over the names of frames, and how much time is below what they match. Knows
// nothing of elements.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  // Time and nodes below matching frames within `root`. A match inside a match adds nothing.
  function addUp(tree, isMatch, root) {
    let ns = 0;
    const nodes = [];
    for (let node = root; node < tree.end[root];) {
      if (isMatch[tree.frame[node]]) {
        ns += tree.totalNs[node];
        nodes.push(node);
        node = tree.end[node];
      } else {
        ++node;
      }
    }
    return { ns, nodes };
  }

  // How many of the ascending numbers are below `limit`.
  function countBelow(ascending, limit) {
    let low = 0;
    let high = ascending.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ascending[middle] < limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // null for an empty pattern; {error} for one that is no regular expression; else {isMatch: by
  // frame, ns, nodes: outermost matches of the whole tree, heaviest first, within(root): time in
  // it, isAmong(first, end): whether one of these nodes is an outermost match}. The kind of a frame
  // and its module are not searched.
  viewer.search = (tree, pattern, matchCase) => {
    if (pattern === '') return null;
    let expression;
    try {
      expression = new RegExp(pattern, matchCase ? 'u' : 'iu');
    } catch {
      try {
        // Patterns written for other tools often escape more than the strict syntax allows.
        expression = new RegExp(pattern, matchCase ? '' : 'i');
      } catch (problem) {
        // Engines repeat the pattern before the reason.
        return { error: problem.message.split(': ').pop() };
      }
    }
    const { names, full } = tree.frames;
    const isMatch = new Uint8Array(tree.frames.count);
    for (let frame = 1; frame < isMatch.length; ++frame) {
      if (expression.test(full[frame]) || expression.test(names[frame])) isMatch[frame] = 1;
    }
    const { ns, nodes } = addUp(tree, isMatch, 0);
    return {
      isMatch,
      ns,
      nodes: nodes.slice().sort((a, b) => tree.totalNs[b] - tree.totalNs[a] || a - b),
      within: (root) => addUp(tree, isMatch, root).ns,
      isAmong: (first, end) => countBelow(nodes, first) < countBelow(nodes, end),
    };
  };
})();

// SPDX-License-Identifier: Apache-2.0
// What is shown, as the fragment of the address: a link to the file shows the same again. The
// fragment never reaches a server.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  // z: zoomed frame; q: search; c: match case; i: icicle; d: dark, where it was chosen.
  viewer.readFragment = (tree) => {
    const fields = new URLSearchParams(location.hash.slice(1));
    const dark = fields.get('d');
    return {
      root: Math.max(0, viewer.findPath(tree, fields.get('z') ?? '')),
      pattern: fields.get('q') ?? '',
      matchCase: fields.get('c') === '1',
      icicle: fields.get('i') === '1',
      dark: dark === null ? null : dark === '1',
    };
  };

  function asFragment(tree, state) {
    const fields = new URLSearchParams();
    if (state.root !== 0) fields.set('z', viewer.pathId(tree, state.root));
    if (state.pattern !== '') fields.set('q', state.pattern);
    if (state.matchCase) fields.set('c', '1');
    if (state.icicle) fields.set('i', '1');
    if (state.dark !== null) fields.set('d', state.dark ? '1' : '0');
    return fields.toString();
  }

  // A zoom is a step that the browser can go back; the rest is not.
  viewer.writeFragment = (tree, state, isStep) => {
    const fragment = asFragment(tree, state);
    if (fragment === location.hash.slice(1)) return;
    const address = fragment === '' ? location.pathname + location.search : `#${fragment}`;
    try {
      if (isStep) history.pushState(null, '', address);
      else history.replaceState(null, '', address);
    } catch {
      // Where a page may not touch its history (some frames may not), it works without.
    }
  };
})();

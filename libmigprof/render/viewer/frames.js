// SPDX-License-Identifier: Apache-2.0
// How a frame is shown: colour class and label. frame_kind.cc says the same for the static view:
// change both.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const FEWEST_CELLS = 3;
  const encoder = new TextEncoder();

  // The kind gives the colour; one of four shades depends on the whole name alone; of idleness, on the cause.
  viewer.colorClass = (frames, frame) => {
    const cause = frames.causes?.[frame];
    if (cause !== undefined) return `kn${cause}`;
    let hash = 2166136261;
    for (const byte of encoder.encode(frames.full[frame])) {
      hash = Math.imul(hash ^ byte, 16777619);
    }
    return `k${String.fromCharCode(97 + frames.kinds[frame])}${(hash ^ (hash >>> 15)) & 3}`;
  };

  // Cells of a monospaced font: East Asian characters and emoji take two.
  function cellsOf(text) {
    let cells = 0;
    for (const character of text) {
      const code = character.codePointAt(0);
      const isWide =
        code >= 0x1100 &&
        (code <= 0x115f || (code >= 0x2e80 && code <= 0xa4cf) || (code >= 0xac00 && code <= 0xd7a3) ||
          (code >= 0xf900 && code <= 0xfaff) || (code >= 0xfe30 && code <= 0xfe6f) ||
          (code >= 0xff00 && code <= 0xff60) || (code >= 0xffe0 && code <= 0xffe6) ||
          code >= 0x1f300);
      cells += isWide ? 2 : 1;
    }
    return cells;
  }

  function cut(text, cells) {
    let kept = '';
    let left = cells - 1;
    for (const character of text) {
      left -= cellsOf(character);
      if (left < 0) break;
      kept += character;
    }
    return `${kept}…`;
  }

  // `name` without what stands in <> and (); as it is when they do not match.
  function withoutArguments(name) {
    let bare = '';
    let depth = 0;
    for (const character of name) {
      if (character === '<' || character === '(') ++depth;
      if (depth === 0) bare += character;
      if (character === '>' || character === ')') --depth;
      if (depth < 0) return name;
    }
    bare = bare.trimEnd();
    return depth !== 0 || bare === '' ? name : bare;
  }

  // What of the name to show in so many cells; '' when nothing readable fits.
  viewer.fitLabel = (name, cells) => {
    if (cells < FEWEST_CELLS) return '';
    if (name.length <= cells && cellsOf(name) <= cells) return name;
    let bare = withoutArguments(name);
    while (cellsOf(bare) > cells) {
      const colons = bare.indexOf('::');
      if (colons < 0 || colons + 2 === bare.length) return cut(bare, cells);
      bare = bare.slice(colons + 2);
    }
    return bare;
  };
})();

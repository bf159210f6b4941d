// SPDX-License-Identifier: Apache-2.0
// The compact text of a tree -> typed arrays. tree_encoding.h describes the text; both change
// together. Throws on text that is not whole.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const VERSION = 1;
  const SHORTLIST = 64;
  const DIGITS =
    "!#$%'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";
  const BASE = DIGITS.length;
  const VALUE_OF = new Uint8Array(128);
  for (let i = 0; i < BASE; ++i) VALUE_OF[DIGITS.charCodeAt(i)] = i;

  // Decodes the first numbers of a column into an array, as many as it holds. Values past 2^53 lose
  // their last bits.
  function decodeNumbers({ ranges, text }, into) {
    const digitsOf = new Uint8Array(BASE);
    const firstOf = new Float64Array(BASE);
    let lead = 0;
    let first = 0;
    for (const [digits, leads] of ranges) {
      const step = BASE ** (digits - 1);
      for (let i = 0; i < leads; ++i, ++lead, first += step) {
        digitsOf[lead] = digits;
        firstOf[lead] = first;
      }
    }
    let at = 0;
    for (let i = 0; i < into.length; ++i) {
      const start = VALUE_OF[text.charCodeAt(at++)];
      let rest = 0;
      for (let digits = digitsOf[start]; digits > 1; --digits) {
        rest = rest * BASE + VALUE_OF[text.charCodeAt(at++)];
      }
      into[i] = firstOf[start] + rest;
    }
    if (at > text.length) throw new Error('the tree in this file is cut short');
    return into;
  }

  // Of the object that EncodeFrames writes, or of a whole tree, which holds the same.
  viewer.decodeFrames = (data) => {
    const count = data.names.length;
    const kinds = new Uint8Array(count);
    const modules = new Array(count);
    const full = data.names.slice();
    const moduleIds = decodeNumbers(data.module, new Uint32Array(count));
    for (let i = 0; i < count; ++i) {
      kinds[i] = data.kinds.charCodeAt(i) - 97;
      modules[i] = data.modules[moduleIds[i]] ?? '';
    }
    for (const [index, name] of Object.entries(data.full)) full[index] = name;
    const inlined = new Set(data.inlined ?? []);
    const { kindLabels, names, sources = {}, causes = {} } = data;
    return { count, names, full, kinds, modules, inlined, sources, causes, kindLabels };
  };

  // parent, depth and end (one past the last descendant) of each node, from its parentheses.
  function decodeShape(data, tree) {
    const { parent, depth, end } = tree;
    const text = data.shape;
    let node = 0;
    let open = 0;
    for (let at = 0; at < text.length; ++at) {
      const bits = VALUE_OF[text.charCodeAt(at)];
      for (let bit = 0; bit < 6; ++bit) {
        if ((bits >> bit) & 1) {
          ++node;
          parent[node] = open;
          depth[node] = depth[open] + 1;
          open = node;
        } else if (open !== 0) {
          end[open] = node + 1;
          open = parent[open];
        } else if (node + 1 < tree.count) {
          throw new Error('the tree in this file is damaged');
        }
      }
    }
    if (node + 1 !== tree.count || open !== 0) {
      throw new Error('the tree in this file is damaged');
    }
    end[0] = tree.count;
  }

  function decodeFrameColumn(data, tree) {
    const { count, parent, frame } = tree;
    const frameCount = tree.frames.count;
    const numbers = decodeNumbers(data.frame, new Uint32Array(count - 1));
    const lists = new Array(frameCount).fill(null);
    for (let node = 1; node < count; ++node) {
      const above = frame[parent[node]];
      const number = numbers[node - 1];
      const list = (lists[above] ??= []);
      if (number < SHORTLIST) {
        frame[node] = list[number];
        continue;
      }
      if (number - SHORTLIST >= frameCount) throw new Error('the tree in this file is damaged');
      frame[node] = number - SHORTLIST;
      if (list.length < SHORTLIST) list.push(frame[node]);
    }
  }

  function decodeWeights(data, tree) {
    const { count, end, selfNs, selfCount } = tree;
    let leaves = 0;
    for (let node = 0; node < count; ++node) leaves += end[node] === node + 1 ? 1 : 0;
    const ns = decodeNumbers(data.ns, new Float64Array(leaves));
    const counts = decodeNumbers(data.count, new Float64Array(leaves));
    for (let node = 0, leaf = 0; node < count; ++node) {
      if (end[node] !== node + 1) continue;
      selfNs[node] = ns[leaf];
      selfCount[node] = counts[leaf];
      ++leaf;
    }
    const inner = decodeNumbers(data.inner, new Float64Array(3 * data.innerCount));
    for (let i = 0, node = 0; i < inner.length; i += 3) {
      node += inner[i];
      selfNs[node] = inner[i + 1];
      selfCount[node] = inner[i + 2];
    }
  }

  // Totals, and where each node begins: children stand side by side from the left edge of their
  // parent, in ns.
  function addUp(tree) {
    const { count, parent, selfNs, selfCount, totalNs, totalCount, startNs } = tree;
    totalNs.set(selfNs);
    totalCount.set(selfCount);
    for (let node = count - 1; node > 0; --node) {
      totalNs[parent[node]] += totalNs[node];
      totalCount[parent[node]] += totalCount[node];
    }
    const nextStart = new Float64Array(count);
    for (let node = 1; node < count; ++node) {
      const above = parent[node];
      startNs[node] = nextStart[above];
      nextStart[above] += totalNs[node];
      nextStart[node] = startNs[node];
    }
  }

  // `frames` where several trees share them, else those of the tree.
  viewer.decodeTree = (data, frames = viewer.decodeFrames(data)) => {
    if (data.version !== VERSION) {
      throw new Error(`this viewer reads trees of version ${VERSION}, not ${data.version}`);
    }
    const count = data.nodes;
    const tree = {
      count,
      frames,
      texts: viewer.viewTexts(data.view),
      frame: new Uint32Array(count),
      parent: new Uint32Array(count),
      depth: new Uint32Array(count),
      end: new Uint32Array(count),
      selfNs: new Float64Array(count),
      selfCount: new Float64Array(count),
      totalNs: new Float64Array(count),
      totalCount: new Float64Array(count),
      startNs: new Float64Array(count),
    };
    decodeShape(data, tree);
    decodeFrameColumn(data, tree);
    decodeWeights(data, tree);
    addUp(tree);
    return tree;
  };
})();

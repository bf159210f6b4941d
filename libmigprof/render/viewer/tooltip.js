// SPDX-License-Identifier: Apache-2.0
// What is known of one frame, next to the pointer or to the frame.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const DISTANCE = 14;

  // A weight and, where it says more, the exact number behind it.
  const exact = ({ human, unit }, amount) =>
    amount < 1000 ? human(amount) : `${human(amount)} (${viewer.humanCount(amount)} ${unit})`;

  // [[term, text]…]
  viewer.describe = (tree, node, root) => {
    const all = tree.totalNs[0];
    const total = tree.totalNs[node];
    const self = tree.selfNs[node];
    const { texts } = tree;
    const lines = [[texts.amount, exact(texts, total)]];
    if (root !== 0) lines.push(['Of this view', viewer.percent(total, tree.totalNs[root])]);
    lines.push(['Of all', viewer.percent(total, all)]);
    lines.push(['Self', self > 0 && self === total ? 'all of it' : exact(texts, self)]);
    lines.push([texts.count, viewer.humanCount(tree.totalCount[node])]);
    return lines;
  };

  viewer.kindOf = (tree, node) =>
    node === 0 ? 'Everything' : tree.frames.kindLabels[tree.frames.kinds[tree.frame[node]]];

  // ", inlined · libfoo.so · foo.cc:12", as far as it is known.
  viewer.originOf = (tree, frame) => {
    const parts = [tree.frames.modules[frame], tree.frames.sources[frame] ?? ''];
    const origin = parts.filter((part) => part !== '').map((part) => ` · ${part}`).join('');
    return (tree.frames.inlined.has(frame) ? ', inlined' : '') + origin;
  };

  viewer.Tooltip = class {
    constructor(host) {
      this.host = host;
      this.name = viewer.html('div', { class: 'mp-tip-name' });
      this.kind = viewer.html('div', { class: 'mp-tip-kind' });
      this.facts = viewer.html('dl', { class: 'mp-facts' });
      this.element = viewer.html(
        'div', { class: 'mp-tip', role: 'tooltip', hidden: '' }, this.name, this.kind, this.facts);
      this.shown = null;
      host.append(this.element);
    }

    fill(tree, drawn, root) {
      const frame = tree.frame[drawn.node];
      if (drawn.count === undefined) {
        this.name.textContent = tree.frames.full[frame];
        this.kind.textContent = viewer.kindOf(tree, drawn.node) + viewer.originOf(tree, frame);
        this.fillFacts(viewer.describe(tree, drawn.node, root));
      } else {
        this.name.textContent = `${viewer.countOf(drawn.count, 'frame', 'frames')} too narrow to draw`;
        this.kind.textContent = `Click to zoom to the widest: ${tree.frames.names[frame]}`;
        this.fillFacts([[`${tree.texts.amount} together`, exact(tree.texts, drawn.ns)]]);
      }
    }

    fillFacts(facts) {
      this.facts.replaceChildren();
      for (const [term, text] of facts) {
        this.facts.append(viewer.html('dt', {}, term), viewer.html('dd', {}, text));
      }
    }

    // Explains what is drawn next to a point of the window: below it, or above where there is no
    // room below.
    show(tree, drawn, root, x, y) {
      if (this.shown !== drawn || this.element.hidden) this.fill(tree, drawn, root);
      this.shown = drawn;
      this.element.hidden = false;
      const host = this.host.getBoundingClientRect();
      const box = this.element.getBoundingClientRect();
      const right = Math.min(host.right, innerWidth) - box.width - 8;
      const left = Math.max(host.left + 8, Math.min(x + DISTANCE, right));
      const below = y + DISTANCE;
      const above = y - DISTANCE - box.height;
      const fitsBelow = below + box.height <= Math.min(host.bottom, innerHeight) - 4;
      const top = fitsBelow || above < 4 ? below : above;
      this.element.style.left = `${Math.round(left - host.left)}px`;
      this.element.style.top = `${Math.round(top - host.top)}px`;
    }

    hide() {
      this.element.hidden = true;
      this.shown = null;
    }
  };
})();

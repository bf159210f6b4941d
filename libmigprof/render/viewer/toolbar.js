// SPDX-License-Identifier: Apache-2.0
// Search field and buttons.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const ICONS = {
    find: 'M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9M10.4 10.4L14 14',
    previous: 'M3.5 10L8 5.5L12.5 10',
    next: 'M3.5 6L8 10.5L12.5 6',
    reset: 'M3 3v4h4M3.4 7A5 5 0 1 1 4.5 11.5',
    icicle: 'M2 4h12M4 8h8M6 12h4',
    flame: 'M6 4h4M4 8h8M2 12h12',
    dark: 'M13.5 9.5A6 6 0 0 1 6.5 2.5A6 6 0 1 0 13.5 9.5',
    light: 'M8 5a3 3 0 1 1 0 6a3 3 0 1 1 0-6M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15' +
      'M3 3l1.2 1.2M11.8 11.8L13 13M13 3l-1.2 1.2M4.2 11.8L3 13',
    top: 'M2.5 3.5h11M2.5 8h11M2.5 12.5h11M6 3.5v9',
  };

  function labelled(icon, label, hint, onClick) {
    const text = viewer.html('span', {}, label);
    const button = viewer.button(label, hint, [viewer.icon(ICONS[icon]), text], onClick);
    return {
      button,
      set(newIcon, newLabel) {
        button.querySelector('path').setAttribute('d', ICONS[newIcon]);
        button.setAttribute('aria-label', newLabel);
        text.textContent = newLabel;
      },
    };
  }

  viewer.Toolbar = class {
    // `actions` are those of viewer.js.
    constructor(actions, resultId) {
      this.input = viewer.html('input', {
        type: 'search', class: 'mp-input', placeholder: 'Search frames (regular expression)',
        'aria-label': 'Search frames by regular expression', 'aria-describedby': resultId,
        autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false',
      });
      this.input.addEventListener('input', () => actions.search(this.input.value));
      this.matchCase = viewer.button('Match case', 'Match case (Alt+C)', ['Aa'], actions.toggleCase);
      this.matchCase.classList.add('mp-case');
      const previous = viewer.button(
        'Previous match', 'Previous match (N)', [viewer.icon(ICONS.previous)],
        () => actions.step(-1));
      const next = viewer.button(
        'Next match', 'Next match, heaviest first (n)', [viewer.icon(ICONS.next)],
        () => actions.step(1));
      this.steps = viewer.html('span', { class: 'mp-steps', hidden: '' }, previous, next);
      this.result = viewer.html('span', { class: 'mp-result', role: 'status', id: resultId });
      this.reset = labelled('reset', 'Reset zoom', 'Show everything (Esc)', actions.reset);
      this.icicle = labelled('icicle', 'Icicle', 'Root at the top or at the bottom (i)', actions.toggleIcicle);
      this.dark = labelled('dark', 'Dark', 'Dark or light (d)', actions.toggleDark);
      this.top = labelled('top', 'Top', 'Table of the frames with most time of their own (t)', actions.toggleTop);
      this.top.button.setAttribute('aria-pressed', 'false');
      const help = viewer.button('Help', 'Keys and gestures (?)', ['?'], actions.toggleHelp);
      this.element = viewer.html(
        'div', { class: 'mp-toolbar' },
        viewer.html(
          'div', { class: 'mp-search', role: 'search' },
          viewer.html(
            'span', { class: 'mp-field' }, viewer.icon(ICONS.find), this.input, this.matchCase),
          this.steps, this.result),
        viewer.html(
          'div', { class: 'mp-buttons', role: 'group', 'aria-label': 'View' },
          this.reset.button, this.icicle.button, this.top.button, this.dark.button, help));
    }

    show(state, isDark) {
      if (this.input.value !== state.pattern) this.input.value = state.pattern;
      this.matchCase.setAttribute('aria-pressed', String(state.matchCase));
      this.reset.button.disabled = state.root === 0;
      this.icicle.set(state.icicle ? 'flame' : 'icicle', state.icicle ? 'Flame' : 'Icicle');
      this.dark.set(isDark ? 'light' : 'dark', isDark ? 'Light' : 'Dark');
    }

    // `found` is what viewer.search returned; `position` the match at hand, from 0, or -1.
    showResult(tree, root, found, position) {
      const isBad = found !== null && found.error !== undefined;
      this.input.setAttribute('aria-invalid', String(isBad));
      this.result.classList.toggle('mp-bad', isBad);
      this.steps.hidden = found === null || isBad || found.nodes.length === 0;
      this.result.textContent = isBad ? `Not a regular expression: ${found.error}` : '';
      if (found === null || isBad) return;
      if (found.nodes.length === 0) {
        this.result.textContent = 'No frame matches';
        return;
      }
      const share = viewer.html('b', {}, `${viewer.percent(found.ns, tree.totalNs[0])} matched`);
      this.result.append(share, ` · ${tree.texts.human(found.ns)}`);
      if (root !== 0) {
        const within = found.within(root);
        this.result.append(` · ${viewer.percent(within, tree.totalNs[root])} of this view`);
      }
      const count = viewer.humanCount(found.nodes.length);
      const place = position < 0 ? `in ${viewer.countOf(found.nodes.length, 'place', 'places')}`
        : `${viewer.humanCount(position + 1)} of ${count}`;
      this.result.append(` · ${place}`);
    }
  };
})();

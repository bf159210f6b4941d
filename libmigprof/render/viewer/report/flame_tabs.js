// SPDX-License-Identifier: Apache-2.0
// The flamegraphs of one slice: a tab for each view, drawn when it is first asked for.
(() => {
  'use strict';
  const viewer = globalThis.migprofViewer;
  const report = (globalThis.migprofReport ??= {});

  const LABELS = { gpu: 'GPU time', idle: 'Idle', memory: 'Memory' };
  const MISSING = {
    gpu: 'No GPU time was recorded on this slice.',
    idle: 'Why this slice was idle is not in its traces.',
    memory: 'No allocation of device memory was recorded on this slice.',
  };
  const VIEWS = Object.keys(LABELS);

  // `element` is the .r-flame of the slice; `trees` are by view, undefined where there is none; `frames` those of all
  // trees; `theme` as of report.Theme.
  report.FlameTabs = class {
    constructor(element, trees, frames, theme) {
      Object.assign(this, { trees, frames, theme, flame: null, view: '', lastView: 'gpu' });
      const id = `flame-${element.dataset.slice}`;
      this.stage = viewer.html('div', { class: 'r-stage', role: 'tabpanel', id });
      this.tabs = VIEWS.map((view) => {
        const tab = viewer.html(
          'button', { type: 'button', class: 'r-tab', role: 'tab', id: `${id}-${view}`, 'aria-controls': id },
          LABELS[view]);
        if (trees[view] === undefined) tab.append(viewer.html('small', {}, 'not recorded'));
        tab.addEventListener('click', () => this.choose(view));
        return tab;
      });
      const list = viewer.html(
        'div', { class: 'r-tabs', role: 'tablist', 'aria-label': 'Flamegraph of' }, ...this.tabs);
      list.addEventListener('keydown', (event) => this.onKey(event));
      element.replaceChildren(list, this.stage);
    }

    onKey(event) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      const to = (VIEWS.indexOf(this.view) + step + VIEWS.length) % VIEWS.length;
      this.choose(VIEWS[to]);
      this.tabs[to].focus();
      event.preventDefault();
    }

    // Somebody chose a tab.
    choose(view) {
      this.show(view);
      report.remember(`#${this.stage.closest('.r-detail').id}/${view}`, false);
    }

    show(view) {
      if (view === this.view) return;
      this.view = view;
      this.lastView = view;
      this.tabs.forEach((tab, i) => {
        const isSelected = VIEWS[i] === view;
        tab.setAttribute('aria-selected', String(isSelected));
        tab.setAttribute('tabindex', isSelected ? '0' : '-1');
        if (isSelected) this.stage.setAttribute('aria-labelledby', tab.id);
      });
      this.hide();
      const tree = this.trees[view];
      if (tree === undefined) {
        this.stage.replaceChildren(viewer.html('p', { class: 'r-none' }, MISSING[view]));
        return;
      }
      this.stage.replaceChildren();
      this.flame = viewer.mount(this.stage, tree, {
        bare: true, icicle: true, frames: this.frames(), dark: this.theme.isDark, toggleDark: () => this.theme.toggle(),
      });
    }

    hide() {
      this.flame?.destroy();
      this.flame = null;
    }

    // Gives back the memory of what is drawn while another slice is shown; show(lastView) draws it again.
    rest() {
      this.hide();
      this.view = '';
    }

    setDark(dark) {
      this.flame?.setDark(dark);
    }
  };
})();

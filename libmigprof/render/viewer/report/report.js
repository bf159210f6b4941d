// SPDX-License-Identifier: Apache-2.0
// Puts the report together: what its HTML says already, with flamegraphs. Whatever goes wrong, the HTML stays.
(() => {
  'use strict';
  const viewer = globalThis.migprofViewer;
  const report = (globalThis.migprofReport ??= {});

  // Below this share of its window a slice is underused (kUnderused of findings.h): why it was idle is then the first
  // question.
  const UNDERUSED = 0.7;

  const data = JSON.parse(document.getElementById('r-trees').textContent);
  let decoded = null;
  const frames = () => (decoded ??= viewer.decodeFrames(data.frames));
  const treesOf = (slice) => {
    const trees = {};
    for (const view of ['gpu', 'idle', 'memory']) trees[view] = data.trees[`${slice}.${view}`];
    return trees;
  };

  const tabs = new Map();
  let shown = null;
  const theme = new report.Theme(document.querySelector('.r-tools'), (dark) => shown?.setDark(dark));

  function viewToBegin(section, trees) {
    if (trees.gpu === undefined) return ['idle', 'memory'].find((view) => trees[view] !== undefined) ?? 'gpu';
    return trees.idle !== undefined && Number(section.dataset.busy) < UNDERUSED ? 'idle' : 'gpu';
  }

  function onChoose(section, view) {
    const element = section.querySelector('.r-flame');
    const { slice } = element.dataset;
    let chosen = tabs.get(slice);
    if (chosen === undefined) {
      const trees = treesOf(slice);
      chosen = new report.FlameTabs(element, trees, frames, theme);
      tabs.set(slice, chosen);
      view ??= viewToBegin(section, trees);
    }
    if (shown !== null && shown !== chosen) shown.rest();
    shown = chosen;
    const known = view === 'gpu' || view === 'idle' || view === 'memory';
    chosen.show(known ? view : chosen.lastView);
  }

  document.documentElement.classList.add('r-scripted');
  report.makeTablesSortable();
  const choice = new report.ChooseSlice(onChoose);
  const worst = `#slice-${Number(document.body.dataset.worst) + 1}`;
  if (!choice.show(location.hash, worst)) {
    const first = document.querySelector('.r-detail');
    if (first !== null) choice.show(`#${first.id}`);
  }
})();

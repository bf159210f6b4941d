// SPDX-License-Identifier: Apache-2.0
// One slice of the report at a time, chosen on the map, in a table or in a finding, or by the fragment of the address:
// "#slice-2" or "#slice-2/idle". Its links work without this script too.
(() => {
  'use strict';
  const report = (globalThis.migprofReport ??= {});

  const parse = (hash) => /^#slice-(\d+)(?:\/([a-z]+))?$/.exec(hash);

  function markCurrent(number) {
    for (const section of document.querySelectorAll('.r-detail')) {
      section.classList.toggle('r-current', section.id === `slice-${number}`);
    }
    for (const tile of document.querySelectorAll('.r-slice')) {
      if (tile.getAttribute('href') === `#slice-${number}`) tile.setAttribute('aria-current', 'true');
      else tile.removeAttribute('aria-current');
    }
  }

  // Calls `onChoose(section, view)` for the slice that is shown; `view` is undefined where nobody asked for one.
  report.ChooseSlice = class {
    constructor(onChoose) {
      this.onChoose = onChoose;
      document.addEventListener('click', (event) => {
        const link = event.target.closest?.('a[href^="#slice-"]');
        if (link == null || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.go(link.getAttribute('href'));
      });
      addEventListener('popstate', () => this.show(location.hash));
      this.listenToArrows();
    }

    // Shows what a fragment says, or, where it says nothing, `otherwise`. Returns whether there was something to show.
    show(hash, otherwise = '') {
      const wanted = parse(hash) ?? parse(otherwise);
      const section = wanted && document.getElementById(`slice-${wanted[1]}`);
      if (!section) return false;
      markCurrent(wanted[1]);
      this.onChoose(section, wanted[2]);
      return true;
    }

    // As a step that the browser can go back, and with the focus on the slice.
    go(hash) {
      if (!this.show(hash)) return;
      report.remember(hash, true);
      const section = document.querySelector('.r-detail.r-current');
      section.querySelector('h2').focus({ preventScroll: true });
      const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
      section.scrollIntoView({ behavior: calm ? 'auto' : 'smooth', block: 'start' });
    }

    // In the map, arrows go from slice to slice.
    listenToArrows() {
      const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
      document.querySelector('.r-map')?.addEventListener('keydown', (event) => {
        const tiles = [...document.querySelectorAll('a.r-slice')];
        const at = tiles.indexOf(document.activeElement);
        let to = -1;
        if (event.key in steps) to = at + steps[event.key];
        else if (event.key === 'Home') to = 0;
        else if (event.key === 'End') to = tiles.length - 1;
        if (at < 0 || !(to in tiles)) return;
        tiles[to].focus();
        event.preventDefault();
      });
    }
  };

  // Keeps what is shown in the address. Where a page may not touch its history it works without.
  report.remember = (hash, isStep) => {
    if (hash === location.hash) return;
    try {
      if (isStep) history.pushState(null, '', hash);
      else history.replaceState(null, '', hash);
    } catch {
      // Some frames may not.
    }
  };
})();

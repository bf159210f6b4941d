// SPDX-License-Identifier: Apache-2.0
// Dark or light for the whole page: as the system says until somebody chooses.
(() => {
  'use strict';
  const viewer = globalThis.migprofViewer;
  const report = (globalThis.migprofReport ??= {});

  report.Theme = class {
    // Puts its button into `tools`; calls `onChange(isDark)` when it changes.
    constructor(tools, onChange) {
      this.onChange = onChange;
      this.chosen = null;
      this.system = matchMedia('(prefers-color-scheme: dark)');
      this.system.addEventListener('change', () => this.apply());
      this.button = viewer.html('button', { type: 'button', class: 'r-button', title: 'Dark or light' });
      this.button.addEventListener('click', () => this.toggle());
      tools.append(this.button);
      this.apply();
    }

    get isDark() {
      return this.chosen ?? this.system.matches;
    }

    toggle() {
      this.chosen = !this.isDark;
      this.apply();
    }

    apply() {
      const dark = this.isDark;
      document.documentElement.setAttribute('data-theme', dark ? 'dark' : 'light');
      this.button.textContent = dark ? 'Light' : 'Dark';
      this.onChange(dark);
    }
  };
})();

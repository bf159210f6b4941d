// SPDX-License-Identifier: Apache-2.0
// Dark or light: as the system says until somebody chooses. Paper is always light.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  viewer.Theme = class {
    // `onChange` is called when it changes without choose().
    constructor(host, onChange) {
      this.host = host;
      this.chosen = null;
      this.system = matchMedia('(prefers-color-scheme: dark)');
      this.paper = matchMedia('print');
      this.onMediaChange = () => {
        this.apply();
        onChange();
      };
      this.system.addEventListener('change', this.onMediaChange);
      this.paper.addEventListener('change', this.onMediaChange);
    }

    get isDark() {
      return !this.paper.matches && (this.chosen ?? this.system.matches);
    }

    // true, false, or null for what the system says.
    choose(dark) {
      this.chosen = dark;
      this.apply();
    }

    apply() {
      this.host.setAttribute('data-theme', this.isDark ? 'dark' : 'light');
    }

    destroy() {
      this.system.removeEventListener('change', this.onMediaChange);
      this.paper.removeEventListener('change', this.onMediaChange);
    }
  };
})();

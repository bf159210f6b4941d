// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them. human_units.cc says the same outside the browser: change both.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  function threeDigits(value) {
    if (value < 9.995) return value.toFixed(2);
    if (value < 99.95) return value.toFixed(1);
    return value.toFixed(0);
  }

  viewer.humanCount = (count) => {
    const digits = String(Math.round(count));
    return digits.replace(/\B(?=(\d{3})+$)/g, ',');
  };

  // Decimal units, three digits.
  viewer.humanBytes = (bytes) => {
    const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
    let unit = 0;
    let value = bytes;
    while (unit + 1 < units.length && value >= 999.5) {
      value /= 1000;
      ++unit;
    }
    return `${unit === 0 ? value.toFixed(0) : threeDigits(value)} ${units[unit]}`;
  };

  viewer.humanTime = (ns) => {
    const seconds = Math.round(ns / 1e9);
    if (seconds < 120) {
      const units = ['ns', 'µs', 'ms', 's'];
      let unit = 0;
      let value = ns;
      while (unit + 1 < units.length && value >= 999.5) {
        value /= 1000;
        ++unit;
      }
      return `${unit === 0 ? value.toFixed(0) : threeDigits(value)} ${units[unit]}`;
    }
    if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return `${viewer.humanCount(Math.floor(minutes / 1440))} d ${Math.floor(minutes / 60) % 24} h`;
  };

  viewer.percent = (part, whole) => {
    if (!(whole > 0)) return '–';
    const percent = (100 * part) / whole;
    if (part === 0) return '0%';
    if (percent < 0.01) return '<0.01%';
    if (percent < 0.995) return `${percent.toFixed(2)}%`;
    if (part === whole) return '100%';
    return `${percent.toFixed(1)}%`;
  };

  viewer.countOf = (count, singular, plural) =>
    `${viewer.humanCount(count)} ${count === 1 ? singular : plural}`;
})();

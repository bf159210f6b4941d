// SPDX-License-Identifier: Apache-2.0
// Tables sorted by a column: each head becomes a button. Without this script they stay in the order of the page.
(() => {
  'use strict';
  const viewer = globalThis.migprofViewer;
  const report = (globalThis.migprofReport ??= {});

  const UNITS = {
    ns: 1, 'µs': 1e3, ms: 1e6, s: 1e9, min: 6e10, h: 3.6e12, d: 8.64e13,
    B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, PB: 1e15, EB: 1e18, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18,
  };
  const NUMBER = /^[<≥≈]?\s*[\d,]*\.?\d+\s*(%|[A-Za-zµ]{0,3})(\s\d+\s(s|min|h))?$/;
  const PART = /([\d,]*\.?\d+)\s*([A-Za-zµ]*)/g;

  // What a cell says, to compare: a number ("2 min 5 s", "1,024", "<0.01%", "4.29 GB"), else text. Null where it says
  // nothing.
  function valueOf(text) {
    if (text === '' || text === '–') return null;
    if (!NUMBER.test(text)) return text;
    let sum = 0;
    for (const [, digits, unit] of text.matchAll(PART)) sum += Number(digits.replaceAll(',', '')) * (UNITS[unit] ?? 1);
    return text.startsWith('<') ? sum / 2 : sum;
  }

  function compare(a, b) {
    if (typeof a === 'number' && typeof b === 'number') return a - b;
    return String(a).localeCompare(String(b), 'en', { numeric: true });
  }

  // Largest numbers and first names come first; rows that say nothing stay last. Equal rows keep their order.
  function sort(table, column, ascending) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[column].textContent.trim()) }));
    rows.sort((a, b) => {
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
      return ascending ? compare(a.value, b.value) : compare(b.value, a.value);
    });
    body.append(...rows.map(({ row }) => row));
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const { rows } = table.tBodies[0];
    if (rows.length < 2) return;
    heads.forEach((head, column) => {
      const texts = [...rows].map((row) => row.cells[column].textContent.trim());
      if (texts.every((text) => text === '')) return;  // pictures
      const isNumbers = texts.some((text) => typeof valueOf(text) === 'number');
      const button = viewer.html('button', { type: 'button', class: 'r-sort' }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const before = head.getAttribute('aria-sort');
        const ascending = before === null ? !isNumbers : before === 'descending';
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
        sort(table, column, ascending);
      });
    });
  }

  report.makeTablesSortable = () => {
    for (const table of document.querySelectorAll('.r-scroll > table')) makeSortable(table);
  };
})();

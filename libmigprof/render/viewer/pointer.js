// SPDX-License-Identifier: Apache-2.0
// Mouse and fingers on the chart: click or tap zooms, hovering or a long press explains.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const LONG_PRESS_MS = 450;
  const STILL_PIXELS = 10;

  // `actions`: zoom(node), reset(), explain(drawn, x, y), stopExplaining().
  viewer.listenToPointer = (chart, actions) => {
    let press = null;  // of a finger: {timer, x, y}
    let wasLongPress = false;

    const endPress = () => {
      if (press !== null) clearTimeout(press.timer);
      press = null;
    };

    chart.element.addEventListener('pointerdown', (event) => {
      wasLongPress = false;
      if (event.pointerType === 'mouse') return;
      actions.stopExplaining();
      const drawn = chart.at(event);
      if (drawn === null) return;
      const { clientX: x, clientY: y } = event;
      const timer = setTimeout(() => {
        wasLongPress = true;
        actions.explain(drawn, x, y);
      }, LONG_PRESS_MS);
      press = { timer, x, y };
    });
    chart.element.addEventListener('pointermove', (event) => {
      const { clientX: x, clientY: y } = event;
      if (event.pointerType !== 'mouse') {
        if (press !== null && Math.hypot(x - press.x, y - press.y) > STILL_PIXELS) endPress();
        return;
      }
      const drawn = chart.at(event);
      if (drawn === null) actions.stopExplaining();
      else actions.explain(drawn, x, y);
    });
    chart.element.addEventListener('pointerup', endPress);
    chart.element.addEventListener('pointercancel', endPress);
    chart.element.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') actions.stopExplaining();
    });
    // On touch screens a long press would open the menu of the browser over the explanation.
    chart.element.addEventListener('contextmenu', (event) => {
      if (press !== null || wasLongPress) event.preventDefault();
    });
    chart.element.addEventListener('click', (event) => {
      endPress();
      const drawn = chart.at(event);
      // The second click of a double-click belongs to 'dblclick'.
      if (drawn !== null && !wasLongPress && event.detail < 2) actions.zoom(drawn.node);
      wasLongPress = false;
    });
    chart.element.addEventListener('dblclick', (event) => {
      event.preventDefault();
      actions.reset();
    });
  };
})();

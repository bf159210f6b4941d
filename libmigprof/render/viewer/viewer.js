// SPDX-License-Identifier: Apache-2.0
// The component: migprofViewer.mount(element, data, options) draws a flamegraph into an HTML
// element and returns a handle.
//
// `data` is the object that EncodeTree (tree_encoding.h) writes. It throws when that is damaged,
// and then leaves the element as it was. Options, all false where absent:
//   fill      take the whole height of the element; else be as high as the chart
//   fragment  keep what is shown in the fragment of the address; for one viewer per page
//   allKeys   listen to the keys of the whole document; else only while the viewer has the focus
// The handle: {state, zoom(node), search(pattern), reset(), destroy()}.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  // Redraws when the width has changed, once per frame of the screen.
  function listenToWidth(view) {
    let request = 0;
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(request);
      request = requestAnimationFrame(() => {
        if (view.panel.clientWidth !== view.chart.width) view.redraw();
      });
    });
    observer.observe(view.panel);
    return () => {
      cancelAnimationFrame(request);
      observer.disconnect();
    };
  }

  viewer.mount = (element, data, options = {}) => {
    const view = new viewer.View(viewer.decodeTree(data), data.headline, options);
    const { state, actions } = view;
    element.append(view.element);
    viewer.listenToPointer(view.chart, actions);
    const stopKeys = viewer.listenToKeys(options.allKeys ? document : view.element, view);
    const stopWidth = listenToWidth(view);
    view.panel.addEventListener('focus', () => {
      const byKey = view.panel.matches(':focus-visible');
      if (byKey && state.cursor < 0) view.setCursor(state.root, { explain: false });
    });
    view.panel.addEventListener('scroll', actions.stopExplaining, { passive: true });
    if (options.fragment) {
      addEventListener('popstate', actions.restore);
      actions.restore();
    } else {
      view.redraw();
    }
    return {
      state,
      zoom: actions.zoom,
      search: actions.search,
      reset: actions.reset,
      destroy() {
        stopWidth();
        stopKeys();
        view.theme.destroy();
        removeEventListener('popstate', actions.restore);
        view.element.remove();
      },
    };
  };
})();

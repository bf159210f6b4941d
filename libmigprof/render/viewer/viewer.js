// SPDX-License-Identifier: Apache-2.0
// The component: migprofViewer.mount(element, data, options) draws a flamegraph into an HTML
// element and returns a handle.
//
// `data` is the object that EncodeTree (tree_encoding.h) writes. It throws when that is damaged,
// and then leaves the element as it was. Options, all false where absent:
//   fill      take the whole height of the element; else be as high as the chart
//   fragment  keep what is shown in the fragment of the address; for one viewer per page
//   allKeys   listen to the keys of the whole document; else only while the viewer has the focus
//   bare      no title, figures and health: the page around it has its own
//   icicle    begin with the root at the top
//   dark      true or false where the page has chosen
//   frames    of viewer.decodeFrames, where `data` (of EncodeNodes) has none of its own
//   toggleDark  called instead of changing the viewer alone, for a page that changes as a whole
// The handle: {state, zoom(node), search(pattern), reset(), setDark(dark), destroy()}.
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
    const view = new viewer.View(viewer.decodeTree(data, options.frames), data.headline, options);
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
      setDark(dark) {
        state.dark = dark;
        view.theme.choose(dark);
        view.redraw({ scroll: false });
      },
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

// SPDX-License-Identifier: Apache-2.0
// In an SVG file: puts the viewer in the place of the static view. Whatever goes wrong, the static
// view stays.
(() => {
  'use strict';
  const viewer = globalThis.migprofViewer;
  const picture = document.currentScript.closest('svg');
  const still = picture.querySelector('.mp-static');
  const isWholeDocument = picture === document.documentElement;

  // A <div> for the viewer, in a foreign object as large as the window, or as the picture where it
  // stands in a page.
  const place = viewer.svg('foreignObject', { x: 0, y: 0, width: '100%', height: '100%' });
  const box = viewer.html('div', { class: 'mp-box' });
  place.append(box);
  picture.append(place);
  still.style.display = 'none';
  picture.setAttribute('role', 'document');
  if (isWholeDocument) {
    // A phone would show the page as if it were 980 pixels wide.
    picture.append(
      viewer.html('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }));
    picture.removeAttribute('viewBox');
    picture.setAttribute('width', '100%');
    picture.setAttribute('height', '100%');
  }
  try {
    const data = JSON.parse(picture.querySelector('.mp-data').textContent);
    viewer.mount(box, data, { fill: true, fragment: isWholeDocument, allKeys: isWholeDocument });
  } catch (problem) {
    place.remove();
    still.style.display = '';
    throw problem;
  }
})();

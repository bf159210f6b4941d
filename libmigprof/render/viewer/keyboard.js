// SPDX-License-Identifier: Apache-2.0
// Keys. What each does is listed in help.js.
(() => {
  'use strict';
  const viewer = (globalThis.migprofViewer ??= {});

  const isTyping = (element) => element?.localName === 'input';
  // Buttons have their own meaning of Enter, the table of top frames of the arrows.
  const isInside = (element, selector) => element?.closest?.(selector) != null;

  function onInputKey(event, { actions, state, toolbar }) {
    if (event.key === 'Enter') actions.step(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape' && state.pattern !== '') actions.search('');
    else if (event.key === 'Escape' || event.key === 'ArrowDown') actions.focusChart();
    else if (event.altKey && event.code === 'KeyC') actions.toggleCase();
    else if ((event.ctrlKey || event.metaKey) && event.code === 'KeyF') toolbar.input.blur();
    else return false;
    // A second Ctrl+F is for the browser: it searches what our search does not, such as the title.
    return !(event.code === 'KeyF');
  }

  function onCommandKey(event, { actions, state }) {
    const away = state.icicle ? 'ArrowDown' : 'ArrowUp';
    const back = state.icicle ? 'ArrowUp' : 'ArrowDown';
    if (event.key.startsWith('Arrow') && isInside(event.target, '.mp-top')) return false;
    switch (event.key) {
      case away: actions.walk('child'); break;
      case back: actions.walk('parent'); break;
      case 'ArrowLeft': actions.walk('previous'); break;
      case 'ArrowRight': actions.walk('next'); break;
      case 'Home': actions.walk('root'); break;
      case 'Enter':
        if (isInside(event.target, 'button')) return false;
        actions.zoomToCursor();
        break;
      case 'Escape': case '0': actions.reset(); break;
      case '/': actions.focusSearch(); break;
      case 'n': actions.step(1); break;
      case 'N': actions.step(-1); break;
      case 'i': actions.toggleIcicle(); break;
      case 'd': actions.toggleDark(); break;
      case 't': actions.toggleTop(); break;
      case '?': actions.toggleHelp(); break;
      default: return false;
    }
    return true;
  }

  // `target` hears the keys: the viewer's own element, or the document that is all its own.
  // Returns a function that stops listening.
  viewer.listenToKeys = (target, view) => {
    const onKey = (event) => {
      if (event.defaultPrevented || event.isComposing) return;
      let handled = false;
      if (view.help.isOpen) {
        if (event.key === 'Escape' || event.key === '?') {
          view.help.close();
          handled = true;
        }
      } else if (isTyping(event.target)) {
        handled = onInputKey(event, view);
      } else if ((event.ctrlKey || event.metaKey) && !event.altKey && event.code === 'KeyF') {
        view.actions.focusSearch();
        handled = true;
      } else if (event.altKey && event.code === 'KeyC') {
        view.actions.toggleCase();
        handled = true;
      } else if (!event.ctrlKey && !event.metaKey && !event.altKey) {
        handled = onCommandKey(event, view);
      }
      if (handled) event.preventDefault();
    };
    target.addEventListener('keydown', onKey);
    return () => target.removeEventListener('keydown', onKey);
  };
})();

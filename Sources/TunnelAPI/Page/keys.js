// Keys that work in every view.
import { showDialog } from './dialog.js';
import { element } from './dom.js';

const keys = [
  ['/', 'find: to the filter'],
  ['↑ ↓ Page Home End', 'in the list: choose a tunnel'],
  ['Enter', 'open the tunnel that is chosen'],
  ['← →', 'in a plot: read its values'],
  ['Escape', 'close a dialog, empty the filter, or back to the list'],
  ['?', 'this list'],
];

export function keysDialog() {
  showDialog({
    title: 'Keys',
    content: element('dl', { class: 'keys' },
      keys.map(([key, what]) => element('div', {}, element('dt', {}, element('kbd', {}, key)), element('dd', {}, what)))),
  });
}

export function onKeys({ back, find }) {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector('dialog[open]')) return;
    const isTyping = event.target.matches('input:not([type=checkbox]), textarea, select');
    if (event.key === 'Escape') return back();
    if (isTyping) return;
    if (event.key === '?') keysDialog();
    if (event.key === '/' && find()) event.preventDefault();
  });
}

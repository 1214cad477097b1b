// Dialogs, as the browser has them: they hold the focus, and Escape closes them.
import { element, uniqueID } from './dom.js';

/**
 * Shows a dialog. `actions` are buttons beside the one that closes it; each has `text`, `kind` and `run`, which may keep
 * the dialog open by answering false.
 */
export function showDialog({ title, content, actions = [], close = 'Close', onClose = () => {} }) {
  const titleID = uniqueID('dialog');
  const before = document.activeElement;
  const dialog = element('dialog', { 'aria-labelledby': titleID });
  const buttons = actions.map(({ text, kind = 'primary', run }) =>
    element('button', { type: 'button', class: kind, on: { click: (event) => act(event.currentTarget, run) } }, text));
  const closing = element('button', { type: 'button', on: { click: () => dialog.close() } }, close);

  async function act(button, run) {
    button.disabled = true;
    try {
      if ((await run()) !== false) dialog.close();
    } finally {
      button.disabled = false;
    }
  }

  dialog.append(
    element('h2', { id: titleID, tabindex: '-1' }, title),
    element('div', { class: 'content' }, content),
    element('div', { class: 'actions' }, closing, buttons));
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
    onClose();
  });
  document.body.append(dialog);
  dialog.showModal();
  closing.focus();
  return dialog;
}

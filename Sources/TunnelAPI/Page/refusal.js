// Shows the server's refusals in its own words: at their fields where they are about one, on top otherwise.
import { Refusal } from './api.js';
import { element } from './dom.js';

/** What the kernel said; null where it wasn't asked. */
export function kernelWords({ errno, kernel_message: message }) {
  if (!errno && !message) return null;
  return element('p', { class: 'kernel' }, 'The kernel refused: ', element('code', {}, [errno, message].filter(Boolean).join(': ')));
}

function item(error) {
  const about = [error.tunnel, error.pointer].filter(Boolean).join(', ');
  return element('li', {}, about && [element('code', {}, about), ': '], error.detail, kernelWords(error));
}

/**
 * The refusal, without the errors that `place` took to their fields. `onLoad` is offered where somebody else has changed
 * it meanwhile.
 */
export function refusalBox(error, { place = () => false, onLoad = null } = {}) {
  const box = element('div', { class: 'notice bad', role: 'alert', tabindex: '-1' });
  if (!(error instanceof Refusal)) {
    box.append(element('div', {}, element('strong', {}, error.message),
      element('p', {}, 'Whether it was done isn’t known: look before you try again.')));
    return box;
  }
  const { problem } = error;
  const all = problem.errors ?? [];
  const rest = all.filter((one) => !place(one));
  const isStale = error.status === 412;
  const title = isStale ? 'Somebody else changed it meanwhile' : error.status === 403 ? 'This token may only look' : problem.title;
  // What is said at the fields isn't said twice.
  const text = all.length && !rest.length ? 'See the fields that are marked. Nothing was changed.' : error.message;
  const content = element('div', {}, element('strong', {}, title ?? `The server answered ${error.status}`), element('p', {}, text));
  const words = kernelWords(problem);
  if (words) content.append(words);
  // Where there is one, the text above says it already.
  const more = rest.filter((one) => !error.message.includes(one.detail));
  const said = rest.filter((one) => !more.includes(one)).map(kernelWords).filter(Boolean);
  content.append(...said);
  if (more.length) content.append(element('ul', {}, more.map(item)));
  if (words || rest.some((one) => one.errno)) {
    content.append(element('p', {}, 'Nothing was changed: the definition and the kernel are as they were.'));
  }
  box.append(content);
  if (isStale && onLoad) box.append(element('button', { type: 'button', on: { click: onLoad } }, 'Load what is there now'));
  return box;
}

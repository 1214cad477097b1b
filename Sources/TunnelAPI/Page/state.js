// A tunnel's state as a word and a shape: color alone would tell some people nothing.
import { drawing, element, say } from './dom.js';

export const states = ['up', 'down', 'pending', 'failed', 'drifted'];

export const meanings = {
  up: 'in the kernel as defined',
  down: 'switched off',
  pending: 'stored, not yet in the kernel',
  failed: 'the kernel refused it',
  drifted: 'somebody else changed it',
};

const shapes = {
  up: 'M6 1a5 5 0 1 0 .01 0z',
  down: 'M6 1a5 5 0 1 0 .01 0z M6 3a3 3 0 1 1-.01 0z',
  pending: 'M2 4.5a1.5 1.5 0 1 0 .01 0z M6 4.5a1.5 1.5 0 1 0 .01 0z M10 4.5a1.5 1.5 0 1 0 .01 0z',
  failed: 'M1.5 3 3 1.5l3 3 3-3L10.5 3l-3 3 3 3L9 10.5l-3-3-3 3L1.5 9l3-3z',
  drifted: 'M6 .8 11.6 11H.4z M5.4 4.4v3.2h1.2V4.4z M5.4 8.4v1.2h1.2V8.4z',
};

/** What shows a state; `set` changes it. */
export function stateMark(state) {
  const shape = drawing('path', { 'fill-rule': 'evenodd' });
  const word = element('span', {});
  const mark = element('span', { class: 'state' },
    drawing('svg', { viewBox: '0 0 12 12', width: '12', height: '12', 'aria-hidden': 'true' }, shape), word);
  mark.set = (next) => {
    if (mark.dataset.state === next) return;
    mark.dataset.state = next;
    shape.setAttribute('d', shapes[next]);
    mark.title = meanings[next];
    say(word, next);
  };
  mark.set(state);
  return mark;
}

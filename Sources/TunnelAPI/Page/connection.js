// Says when the numbers aren't live, and how old they are.
import { element, say } from './dom.js';
import { span } from './format.js';
import { model } from './model.js';
import { session } from './session.js';

/** A sample comes each second; one that is so late isn't live. */
const lateSeconds = 4;

/** The notice that is shown while the connection is lost; `badge` is the small word in the header. */
export function connectionNotice(badge) {
  const text = element('span', {});
  const notice = element('div', { class: 'notice warn', hidden: true }, text,
    element('button', { type: 'button', on: { click: () => model.retryNow() } }, 'Try now'));
  const announced = element('div', { class: 'unseen', role: 'status' });
  let wasLost = false;

  function show() {
    const { stats, events } = model.links;
    const isIn = Boolean(session.token);
    const age = model.sample ? (performance.now() - model.sample.at) / 1000 : null;
    const waiting = [stats, events].find((link) => link.state === 'waiting');
    const isLost = isIn && (Boolean(waiting) || (age !== null && age > lateSeconds));
    notice.hidden = !isLost;
    badge.hidden = !isIn;
    badge.dataset.state = isLost ? 'lost' : model.sample ? 'live' : 'connecting';
    say(badge, { lost: 'Not live', live: 'Live', connecting: 'Connecting' }[badge.dataset.state]);
    if (isLost) {
      const old = age === null ? 'There are no numbers yet.' : `The numbers are ${span(age)} old.`;
      const wait = waiting ? Math.max(0, Math.ceil((waiting.until - performance.now()) / 1000)) : null;
      const next = wait === null ? ' Waiting for the next.' : wait > 0 ? ` Trying again in ${wait} s.` : ' Trying again.';
      say(text, `${waiting ? 'The connection to tunneld is lost.' : 'tunneld sends nothing.'} ${old}${next}`);
    }
    if (isLost !== wasLost) say(announced, isLost ? 'The connection to tunneld is lost.' : isIn ? 'Live again.' : '');
    wasLost = isLost;
  }

  model.addEventListener('connection', show);
  model.addEventListener('sample', show);
  session.addEventListener('begin', show);
  session.addEventListener('end', show);
  setInterval(show, 1000);
  show();
  return element('div', {}, notice, announced);
}

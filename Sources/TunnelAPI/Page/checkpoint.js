// The change that waits to be confirmed, shown in every view with the time that is left.
import { ask } from './api.js';
import { announce, element, say } from './dom.js';
import { plural, span } from './format.js';
import { model } from './model.js';
import { refusalBox } from './refusal.js';
import { session } from './session.js';

export function checkpointNotice() {
  const text = element('strong', {});
  const more = element('p', {});
  const refused = element('div', {});
  const button = (name, kind, verb) => {
    const click = (event) => end(verb, event.currentTarget);
    return element('button', { type: 'button', class: kind, on: { click } }, name);
  };
  const actions = element('div', { class: 'actions' },
    button('Keep it', 'primary', 'confirm'), button('Take it back now', '', 'revert'));
  const notice = element('div', { class: 'notice warn', role: 'group', 'aria-label': 'A change waits', hidden: true },
    element('div', {}, text, more, refused), actions);
  const ended = element('div', { class: 'notice', hidden: true });

  async function end(verb, pressed) {
    pressed.disabled = true;
    try {
      await ask('POST', `/v1/checkpoints/${model.checkpoint.id}/${verb}`);
      refused.replaceChildren();
    } catch (error) {
      refused.replaceChildren(refusalBox(error));
    } finally {
      pressed.disabled = false;
      model.readCheckpoint();
    }
  }

  function show() {
    const { checkpoint } = model;
    notice.hidden = !checkpoint;
    if (!checkpoint) return;
    const left = Math.max(0, (Date.parse(checkpoint.deadline) - model.serverNow()) / 1000);
    say(text, `A change of ${plural(checkpoint.tunnels, 'tunnel')} goes back in ${span(left)} unless it is confirmed.`);
    const probe = checkpoint.confirm_when;
    const byItself = probe ? ` Confirmed by itself when ${probe.answers} answers through ${probe.through}.` : '';
    say(more, `Made by ${checkpoint.actor}. Until then nothing else may change.${byItself}`);
    actions.hidden = session.mayWrite === false;
  }

  function changed({ detail: { former, latest } }) {
    show();
    if (model.checkpoint && model.checkpoint.id !== former?.id) announce(text.textContent);
    if (!former || model.checkpoint?.id === former.id) {
      if (model.checkpoint) ended.hidden = true;
      return;
    }
    refused.replaceChildren();
    if (latest?.id !== former.id) return;
    const words = latest.state === 'confirmed' ? 'The change was kept' : 'The change went back';
    const failures = latest.failures.map(({ tunnel, problem }) => element('li', {}, `${tunnel}: ${problem.detail}`));
    ended.replaceChildren(element('div', {}, `${words}, by ${latest.ended_by}.`, failures.length ? element('ul', {}, failures) : null),
      element('button', { type: 'button', on: { click: () => (ended.hidden = true) } }, 'Close'));
    ended.hidden = false;
    announce(`${words}.`);
  }

  model.addEventListener('checkpoint', changed);
  session.addEventListener('scope', show);
  session.addEventListener('end', () => {
    notice.hidden = ended.hidden = true;
  });
  setInterval(show, 500);
  return element('div', {}, notice, ended);
}

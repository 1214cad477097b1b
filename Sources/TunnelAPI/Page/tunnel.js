// One tunnel: what it is, what it carries, and what happened to it.
import { deleteTunnel, switchTunnel } from './actions.js';
import { get, tunnelPath } from './api.js';
import { Counters } from './counters.js';
import { definitionCard } from './definition.js';
import { element, say } from './dom.js';
import { driftLedger, eventLedger } from './ledger.js';
import { model } from './model.js';
import { Path } from './path.js';
import { editPlace, tunnelPlace } from './place.js';
import { Plots } from './plots.js';
import { kernelWords } from './refusal.js';
import { session } from './session.js';
import { stateMark } from './state.js';

class TunnelPage {
  #isDue = false;
  #stops = [];
  #timer = null;
  #isGone = false;

  constructor(tunnel) {
    this.id = tunnel.id;
    this.tunnel = tunnel;
    this.mark = stateMark(tunnel.status.state);
    this.heading = element('h1', { tabindex: '-1' });
    this.comment = element('span', { class: 'hint' });
    this.edit = element('a', { class: 'button' }, 'Change');
    this.toggle = element('button', { type: 'button', on: { click: () => switchTunnel(this.tunnel) } });
    this.remove = element('button', { type: 'button', class: 'danger', on: { click: () => deleteTunnel(this.tunnel) } }, 'Delete');
    this.actions = element('div', { class: 'actions' }, this.edit, this.toggle, this.remove);
    this.problem = element('div', { class: 'notice bad', hidden: true });
    this.path = new Path();
    this.plots = new Plots(this.id);
    this.counters = new Counters();
    this.drift = driftLedger(this.id);
    this.events = eventLedger(this.id);
    this.definition = element('div', { class: 'holder' });
    this.node = element('article', { class: 'tunnel' },
      element('header', {}, element('a', { class: 'back', href: '#/' }, '← All tunnels'),
        element('div', { class: 'headline' }, this.heading, this.mark, this.comment, this.actions)),
      this.problem, this.path.node, this.plots.node, this.counters.node, this.definition, this.drift.node, this.events.node);
  }

  enter() {
    const listen = (target, type, listener) => {
      target.addEventListener(type, listener);
      this.#stops.push(() => target.removeEventListener(type, listener));
    };
    listen(model, 'tunnels', () => this.#changed());
    listen(model, 'sample', () => this.#due());
    listen(model, 'host', () => this.path.show(this.tunnel));
    listen(model, 'event', ({ detail }) => detail.tunnel?.id === this.id && this.#happened());
    listen(session, 'scope', () => this.#show());
    this.#show();
    this.#due();
    this.drift.read();
    this.events.read();
    this.heading.focus({ preventScroll: true });
  }

  leave() {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
    this.plots.stop();
  }

  #changed() {
    const tunnel = model.tunnels.get(this.id);
    if (!tunnel) return model.isLoaded ? this.#gone() : undefined;
    if (tunnel === this.tunnel) return;
    // Renamed, perhaps by somebody else: the address follows.
    if (tunnel.name !== this.tunnel.name) history.replaceState(null, '', tunnelPlace(tunnel.name));
    this.tunnel = tunnel;
    this.#show();
  }

  #gone() {
    if (this.#isGone) return;
    this.#isGone = true;
    this.plots.stop();
    this.actions.remove();
    this.problem.hidden = false;
    const what = element('strong', {}, `${this.tunnel.name} was deleted.`);
    this.problem.replaceChildren(element('p', {}, what, ' What is shown was the last of it.'));
  }

  #happened() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.drift.read();
      this.events.read();
    }, 300);
  }

  #due() {
    if (this.#isDue || this.#isGone) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      const stats = model.stats(this.id);
      this.plots.tick();
      this.path.tick(stats);
      this.counters.show(stats, this.tunnel, this.tunnel.status.data_plane);
    });
  }

  #show() {
    const { tunnel } = this;
    say(this.heading, tunnel.name);
    this.mark.set(tunnel.status.state);
    say(this.comment, tunnel.comment);
    this.edit.href = editPlace(tunnel.name);
    say(this.toggle, tunnel.enabled ? 'Switch off' : 'Switch on');
    this.actions.hidden = session.mayWrite === false;
    this.path.show(tunnel);
    this.definition.replaceChildren(definitionCard(tunnel));
    this.#showProblem(tunnel.status);
  }

  #showProblem({ problem, drift, state }) {
    const open = drift.filter((difference) => !difference.repaired_at);
    this.problem.hidden = !problem && !(state === 'drifted' && open.length);
    this.problem.className = `notice ${problem ? 'bad' : 'warn'}`;
    if (this.problem.hidden) return;
    const what = problem
      ? [element('strong', {}, problem.title), element('p', {}, problem.detail), kernelWords(problem)]
      : element('strong', {}, 'Somebody else changed it, and it stays so');
    this.problem.replaceChildren(element('div', {}, what,
      element('ul', {}, open.map(({ field, desired, observed }) => element('li', {},
        `${field}: `, element('code', {}, observed), ' in place of ', element('code', {}, desired))))));
  }
}

/** Waits until the tunnels are known, as at a reload, and then for the one that is named. */
export function tunnelView({ name }) {
  const node = element('div', { class: 'holder' }, element('p', { class: 'empty' }, 'Reading …'));
  let [page, hasLeft] = [null, false];
  const show = (tunnel) => {
    if (hasLeft || page) return;
    page = new TunnelPage(tunnel);
    node.replaceChildren(page.node);
    page.enter();
  };
  const enter = async () => {
    const known = model.named(name);
    if (known) return show(known);
    try {
      show(await get(tunnelPath(name)));
    } catch (error) {
      if (hasLeft) return;
      node.replaceChildren(element('div', { class: 'empty' }, element('h1', {}, name), element('p', {}, error.message),
        element('a', { class: 'button', href: '#/' }, 'All tunnels')));
    }
  };
  return {
    node, title: name, enter,
    leave: () => {
      hasLeft = true;
      page?.leave();
    },
  };
}

// All tunnels: found, sorted, and moving.
import { element, say } from './dom.js';
import { bitRate, plural } from './format.js';
import { model } from './model.js';
import { arranged, columns, counts } from './order.js';
import { go, tunnelPlace } from './place.js';
import { fillRow, makeRow } from './row.js';
import { Rows } from './rows.js';
import { meanings, stateMark, states } from './state.js';
import { onColors } from './themes.js';

/** Kept while the reader looks at a tunnel, and comes back. */
const wanted = { text: '', chosen: new Set(), sort: 'name', isDescending: false, id: null, top: 0 };
const narrow = matchMedia('(max-width: 940px)');
const headHeight = () => (narrow.matches ? 0 : 32);
const rowHeight = () => (narrow.matches ? 92 : 44);

class List {
  #shown = [];
  #isDue = false;
  #isSorted = false;
  #look = 0;
  #stops = [];

  constructor() {
    this.total = element('p', { class: 'total' });
    this.find = element('input', {
      type: 'search', value: wanted.text, placeholder: 'Filter: name, address, label', 'aria-label': 'Filter tunnels',
      'aria-keyshortcuts': '/', spellcheck: 'false', autocomplete: 'off',
      on: { input: () => this.#filter(), keydown: (event) => this.#leaveFilter(event) },
    });
    this.chips = states.map((state) => this.#chip(state));
    this.sorts = element('select', { 'aria-label': 'Sort by', on: { change: () => this.#sort(this.sorts.value) } },
      columns.map(({ key, text }) => element('option', { value: key, selected: key === wanted.sort }, text)));
    this.heads = columns.map((column) => this.#head(column));
    this.body = element('div', { role: 'rowgroup', class: 'rows' });
    this.grid = element('div', {
      role: 'grid', class: 'grid', tabindex: '0', 'aria-label': 'Tunnels', 'aria-colcount': columns.length,
      on: {
        keydown: (event) => this.#key(event), scroll: () => this.#due(), click: (event) => this.#click(event),
        focus: () => this.#due(),
      },
    }, element('div', { role: 'rowgroup', class: 'head' },
      element('div', { role: 'row', class: 'row', 'aria-rowindex': '1' }, this.heads)), this.body);
    this.empty = element('div', { class: 'empty', hidden: true });
    this.node = element('div', { class: 'list' },
      element('div', { class: 'tools' },
        element('h1', { class: 'unseen', tabindex: '-1' }, 'Tunnels'), this.find,
        element('div', { class: 'chips', role: 'group', 'aria-label': 'State' }, this.chips),
        element('div', { class: 'sorts' }, this.sorts), this.total),
      this.grid, this.empty);
  }

  enter() {
    this.rows = new Rows({
      scroller: this.grid, body: this.body, make: makeRow, onResize: () => this.#redraw(),
      fill: (row, index) => this.#fill(row, index),
    });
    const listen = (target, type, listener) => {
      target.addEventListener(type, listener);
      this.#stops.push(() => target.removeEventListener(type, listener));
    };
    const again = () => this.#due(true);
    listen(model, 'tunnels', again);
    listen(model, 'sample', again);
    listen(narrow, 'change', again);
    this.#stops.push(onColors(() => this.#redraw()));
    this.#update();
    this.grid.scrollTop = wanted.top;
    this.#due(true);
    if (wanted.id) this.grid.focus({ preventScroll: true });
  }

  leave() {
    wanted.top = this.grid.scrollTop;
    for (const stop of this.#stops) stop();
    this.rows.stop();
  }

  /** Colors or sizes are others, so that small plots that stay the same are drawn again too. */
  #redraw() {
    this.#look += 1;
    this.#due();
  }

  /** One frame serves all that happened since the last. */
  #due(isSorted = false) {
    this.#isSorted ||= isSorted;
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      if (this.node.isConnected) this.#update();
    });
  }

  #update() {
    if (this.#isSorted || this.#shown.length === 0) {
      this.#isSorted = false;
      this.#shown = arranged(wanted);
      this.#summary();
    }
    this.rows.measure(this.#shown.length, rowHeight());
    this.rows.show();
    const chosen = this.#chosen();
    const row = chosen >= 0 ? this.rows.at(chosen) : null;
    if (row) this.grid.setAttribute('aria-activedescendant', row.node.id);
    else this.grid.removeAttribute('aria-activedescendant');
  }

  #fill(row, index) {
    const tunnel = this.#shown[index];
    fillRow(row, tunnel, index, this.#look);
    const isChosen = String(tunnel.id === wanted.id);
    if (row.node.getAttribute('aria-selected') !== isChosen) row.node.setAttribute('aria-selected', isChosen);
  }

  #summary() {
    this.grid.setAttribute('aria-rowcount', this.#shown.length + 1);
    const found = counts();
    for (const [index, state] of states.entries()) say(this.chips[index].count, String(found[state]));
    let [rx, tx] = [0, 0];
    for (const tunnel of this.#shown) {
      const rates = model.stats(tunnel.id)?.rates;
      rx += rates?.rx_bits_per_second ?? 0;
      tx += rates?.tx_bits_per_second ?? 0;
    }
    const all = model.tunnels.size;
    const what = this.#shown.length === all ? plural(all, 'tunnel') : `${this.#shown.length} of ${plural(all, 'tunnel')}`;
    say(this.total, `${what}, in ${bitRate(rx)}, out ${bitRate(tx)}`);
    this.#showEmpty(all);
  }

  #showEmpty(all) {
    this.empty.hidden = this.#shown.length > 0;
    this.grid.hidden = !this.empty.hidden;
    if (this.empty.hidden) return;
    const text = !model.isLoaded ? 'Reading the tunnels …' : all > 0 ? 'No tunnel is as the filter says.' : 'There are no tunnels yet.';
    const next = !model.isLoaded ? null : all > 0
      ? element('button', { type: 'button', on: { click: () => this.#clear() } }, 'Show all')
      : element('a', { class: 'button primary', href: '#/new' }, 'Create the first');
    if (this.empty.dataset.text === text) return;
    this.empty.dataset.text = text;
    this.empty.replaceChildren(...[element('p', {}, text), next].filter(Boolean));
  }

  #chip(state) {
    const count = element('span', { class: 'count' });
    const chip = element('button', {
      type: 'button', class: 'chip', 'aria-pressed': String(wanted.chosen.has(state)), title: meanings[state],
      on: {
        click: () => {
          if (!wanted.chosen.delete(state)) wanted.chosen.add(state);
          chip.setAttribute('aria-pressed', String(wanted.chosen.has(state)));
          this.#top();
        },
      },
    }, stateMark(state), count);
    chip.count = count;
    return chip;
  }

  #head({ key, text, isNumber }) {
    const isSorted = key === wanted.sort;
    return element('div', {
      role: 'columnheader', class: `cell ${isNumber ? 'number' : ''}`, 'data-key': key,
      'aria-sort': isSorted ? (wanted.isDescending ? 'descending' : 'ascending') : 'none',
    }, element('button', { type: 'button', on: { click: () => this.#sort(key) } }, text));
  }

  /** Again the same column turns it round; numbers begin with the highest. */
  #sort(key) {
    const column = columns.find((candidate) => candidate.key === key);
    wanted.isDescending = wanted.sort === key ? !wanted.isDescending : Boolean(column.isNumber);
    wanted.sort = this.sorts.value = key;
    for (const head of this.heads) {
      const isSorted = head.dataset.key === key;
      head.setAttribute('aria-sort', isSorted ? (wanted.isDescending ? 'descending' : 'ascending') : 'none');
    }
    this.#top();
  }

  #filter() {
    wanted.text = this.find.value;
    this.#top();
  }

  #clear() {
    wanted.chosen.clear();
    for (const chip of this.chips) chip.setAttribute('aria-pressed', 'false');
    this.find.value = '';
    this.#filter();
    this.find.focus();
  }

  #top() {
    this.grid.scrollTop = 0;
    this.#due(true);
  }

  #leaveFilter(event) {
    if (event.key === 'Escape' && this.find.value) {
      event.preventDefault();
      this.find.value = '';
      this.#filter();
    } else if (event.key === 'ArrowDown' || event.key === 'Enter') {
      event.preventDefault();
      // What was typed just now counts, also where no frame came since.
      this.#isSorted = true;
      this.#update();
      this.grid.focus();
      if (this.#chosen() < 0) this.#choose(0);
    }
  }

  #chosen() {
    return wanted.id ? this.#shown.findIndex((tunnel) => tunnel.id === wanted.id) : -1;
  }

  #choose(index) {
    const bounded = Math.max(0, Math.min(this.#shown.length - 1, index));
    wanted.id = this.#shown[bounded]?.id ?? null;
    this.rows.reveal(bounded, headHeight());
    this.#due();
  }

  #key(event) {
    if (event.target !== this.grid) return;
    const at = this.#chosen();
    const moves = {
      ArrowDown: at + 1, ArrowUp: at < 0 ? 0 : at - 1, PageDown: at + this.rows.page, PageUp: at - this.rows.page,
      Home: 0, End: this.#shown.length - 1,
    };
    if (event.key in moves) this.#choose(moves[event.key]);
    else if (event.key === 'Enter' && at >= 0) go(tunnelPlace(this.#shown[at].name));
    else return;
    event.preventDefault();
  }

  /** The whole row is the link's, for those who point. */
  #click(event) {
    const node = event.target.closest('.rows .row');
    if (!node) return;
    const tunnel = this.#shown[Number(node.getAttribute('aria-rowindex')) - 2];
    wanted.id = tunnel?.id ?? null;
    if (tunnel && !event.target.closest('a') && !String(getSelection())) go(tunnelPlace(tunnel.name));
  }
}

export function listView() {
  const list = new List();
  return {
    node: list.node, title: 'Tunnels', enter: () => list.enter(), leave: () => list.leave(),
    find: () => {
      list.find.focus();
      list.find.select();
      return true;
    },
  };
}

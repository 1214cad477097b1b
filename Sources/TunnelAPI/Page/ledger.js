// What others changed of a tunnel's link, and what happened to the tunnel: two tables that grow at the top.
import { get, tunnelPath } from './api.js';
import { element } from './dom.js';
import { time } from './format.js';

const page = 25;
const outcomes = {
  repaired: 'repaired', adopted: 'taken into the definition', withdrawn: 'went away by itself', superseded: 'ended by a change',
};

const when = (text) => element('td', { class: 'when' }, element('time', { datetime: text, title: text }, time(text)));

/** A table that is read page by page. `path` answers pages, `row` makes a row, `columns` are its heads. */
class Ledger {
  #cursor = null;
  #asked = 0;

  constructor({ title, columns, path, row, none }) {
    Object.assign(this, { path, row });
    this.body = element('tbody', {});
    this.none = element('p', { class: 'hint' }, none);
    this.fault = element('p', { class: 'fault', role: 'alert' });
    this.more = element('button', { type: 'button', hidden: true, on: { click: () => this.#read(false) } }, 'Older ones');
    const heads = columns.map((text) => element('th', { scope: 'col' }, text));
    this.table = element('table', {}, element('thead', {}, element('tr', {}, heads)), this.body);
    this.scroll = element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': title }, this.table);
    this.node = element('section', { class: 'card' }, element('h2', {}, title), this.scroll, this.none, this.fault, this.more);
    this.scroll.hidden = true;
  }

  /** Reads the newest again. */
  read() {
    return this.#read(true);
  }

  async #read(isAnew) {
    const asked = (this.#asked += 1);
    try {
      const cursor = isAnew || !this.#cursor ? '' : `&cursor=${encodeURIComponent(this.#cursor)}`;
      const answer = await get(`${this.path}limit=${page}${cursor}`);
      if (asked !== this.#asked) return;
      const rows = answer.items.map(this.row);
      if (isAnew) this.body.replaceChildren(...rows);
      else this.body.append(...rows);
      this.#cursor = answer.next_cursor;
      this.more.hidden = !this.#cursor;
      this.none.hidden = this.body.childElementCount > 0;
      this.scroll.hidden = !this.none.hidden;
      this.fault.textContent = '';
    } catch (error) {
      if (asked === this.#asked) this.fault.textContent = error.message;
    }
  }
}

export const driftLedger = (id) => new Ledger({
  title: 'Changed by others',
  columns: ['Found', 'What', 'Defined', 'Was', 'By', 'Outcome'],
  path: `${tunnelPath(id)}/drift?`,
  none: 'Nobody else has changed this tunnel.',
  row: (item) => element('tr', {}, when(item.found_at), element('td', {}, item.field),
    element('td', {}, element('code', {}, item.desired)), element('td', {}, element('code', {}, item.observed)),
    element('td', {}, item.program ?? (item.pid ? `process ${item.pid}` : 'not told')),
    element('td', {}, item.outcome ? outcomes[item.outcome] : element('strong', { class: 'warn' }, 'still there'))),
});

function detail(event) {
  if (!event.detail) return '';
  if (typeof event.detail === 'string') return event.detail;
  return JSON.stringify(event.detail);
}

export const eventLedger = (id) => new Ledger({
  title: 'Events',
  columns: ['When', 'What', 'Revision', 'Who', 'More'],
  path: `/v1/events?tunnel=${id}&order=desc&`,
  none: 'Nothing is kept.',
  row: (event) => element('tr', {}, when(event.at), element('td', {}, event.type),
    element('td', {}, String(event.tunnel?.revision ?? '')), element('td', {}, event.actor ?? 'tunneld'),
    element('td', { class: 'more' }, element('code', {}, detail(event)))),
});

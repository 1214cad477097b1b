// What one tunnel has carried and lost, now and in all.
import { element, say } from './dom.js';
import { bitRate, bytes, packetRate, span, time, whole } from './format.js';

const reasons = {
  rx_outer_header: 'outer header of wrong length or checksum', rx_fragment: 'fragment of an outer packet',
  rx_not_ipv4: 'no IPv4 inside', rx_inner_header: 'inner header broken', rx_ecn: 'congestion marked where it can’t be',
  rx_down: 'came in while switched off', rx_failed: 'the kernel couldn’t unwrap it', tx_not_ipv4: 'no IPv4 to be sent',
  tx_inner_header: 'inner header broken', tx_too_big: 'larger than the path allows', tx_no_route: 'no route to the remote',
  tx_loop: 'the route to the remote leads into the tunnel', tx_nested: 'to be segmented inside another kind of tunnel',
  tx_failed: 'the kernel couldn’t wrap it',
};
const rows = [
  { key: 'bytes', text: 'Bytes', rate: 'bits', show: bytes, showRate: bitRate },
  { key: 'packets', text: 'Packets', rate: 'packets', show: whole, showRate: packetRate },
  { key: 'errors', text: 'Errors', rate: 'errors', show: whole, showRate: packetRate },
  { key: 'dropped', text: 'Dropped', rate: 'dropped', show: whole, showRate: packetRate },
  { key: 'carrier_errors', text: 'Carrier errors', rate: 'carrier_errors', show: whole, showRate: packetRate, only: 'tx' },
];
const columns = ['Now', 'Last minute', 'This link', 'In all'];

function table(way, caption) {
  const fitting = rows.filter((row) => !row.only || row.only === way);
  const lines = fitting.map((row) => ({ ...row, cells: columns.map(() => element('td', {}, '–')) }));
  const node = element('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    element('table', { class: 'numbers' }, element('caption', { class: way }, caption),
      element('thead', {}, element('tr', {}, element('td', {}), columns.map((text) => element('th', { scope: 'col' }, text)))),
      element('tbody', {}, lines.map((line) => element('tr', {}, element('th', { scope: 'row' }, line.text), line.cells)))));
  return { node, lines, way };
}

function put(cell, value, show) {
  say(cell, show(value));
  cell.title = typeof value === 'number' ? whole(value) : '';
}

export class Counters {
  constructor() {
    this.tables = [table('rx', 'Received'), table('tx', 'Sent')];
    this.since = element('p', { class: 'hint' });
    this.drops = element('dl', { class: 'pairs' });
    this.none = element('p', { class: 'hint' });
    this.node = element('section', { class: 'card wide' }, element('h2', {}, 'Counters'), this.since,
      element('div', { class: 'pair' }, this.tables.map(({ node }) => node)),
      element('h3', {}, 'Losses by reason'), this.drops, this.none);
  }

  show(stats, tunnel, planeName) {
    for (const { lines, way } of this.tables) {
      for (const { key, rate, show, showRate, cells } of lines) {
        const name = `${way}_${rate}_per_second`;
        put(cells[0], stats?.rates?.[name], showRate);
        put(cells[1], stats?.rates_minute?.[name], showRate);
        put(cells[2], stats?.[way]?.[key], show);
        put(cells[3], stats?.totals?.[way]?.[key], show);
      }
    }
    const links = stats ? `This link: since it was made (epoch ${stats.epoch}).` : 'There is no link now, so nothing is counted.';
    say(this.since, `${links} In all: since ${time(stats?.totals?.since ?? tunnel.created_at)}.${this.#minute(stats)}`);
    this.#showDrops(stats?.drops ?? {}, planeName);
  }

  #minute(stats) {
    const seconds = stats?.rates_minute?.seconds;
    return seconds === undefined || seconds > 50 ? '' : ` The last minute has ${span(seconds)} so far.`;
  }

  #showDrops(drops, planeName) {
    const found = Object.entries(drops);
    const key = JSON.stringify(drops);
    say(this.none, found.length ? '' : planeName === 'kernel' ? 'ipip doesn’t tell reasons.' : 'None.');
    if (this.drops.dataset.key === key) return;
    this.drops.dataset.key = key;
    this.drops.replaceChildren(...found.map(([reason, count]) => element('div', {},
      element('dt', {}, reasons[reason] ?? reason, ' ', element('code', {}, reason)), element('dd', {}, whole(count)))));
  }
}

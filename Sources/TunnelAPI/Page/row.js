// One row of the list: made once, filled many times, and touched only where something differs.
import { element, say, uniqueID } from './dom.js';
import { bitRate } from './format.js';
import { model } from './model.js';
import { tunnelPlace } from './place.js';
import { Spark } from './spark.js';
import { stateMark } from './state.js';

const cell = (name, ...content) => element('div', { role: 'gridcell', class: `cell ${name}` }, ...content);

export function makeRow() {
  const row = {
    mark: stateMark('pending'),
    link: element('a', { tabindex: '-1' }),
    note: element('span', { class: 'note' }),
    local: element('span', {}),
    remote: element('span', {}),
    addresses: cell('addresses'),
    rx: cell('rx number'),
    tx: cell('tx number'),
    canvas: element('canvas', { 'aria-hidden': 'true' }),
  };
  row.spark = new Spark(row.canvas);
  row.node = element('div', { role: 'row', class: 'row', id: uniqueID('row') },
    cell('mark', row.mark), cell('name', row.link, row.note),
    cell('ends', row.local, element('span', { class: 'arrow', 'aria-label': 'to' }, ' → '), row.remote),
    row.addresses, row.rx, row.tx, cell('activity', row.canvas));
  return row;
}

function note(tunnel) {
  if (tunnel.status.problem) return tunnel.status.problem.title;
  return Object.entries(tunnel.labels).map(([key, value]) => `${key}:${value}`).join(' ') || tunnel.comment;
}

export function fillRow(row, tunnel, index, look) {
  if (row.tunnel !== tunnel || row.number !== index) {
    row.tunnel = tunnel;
    row.number = index;
    row.mark.set(tunnel.status.state);
    say(row.link, tunnel.name);
    row.link.href = tunnelPlace(tunnel.name);
    say(row.note, note(tunnel));
    row.note.title = row.note.textContent;
    say(row.local, tunnel.local ?? 'by route');
    say(row.remote, tunnel.remote);
    say(row.addresses, tunnel.addresses.join(', ') || '–');
    row.addresses.title = row.addresses.textContent;
    row.node.setAttribute('aria-rowindex', index + 2);
  }
  const rates = model.stats(tunnel.id)?.rates;
  say(row.rx, bitRate(rates?.rx_bits_per_second));
  say(row.tx, bitRate(rates?.tx_bits_per_second));
  row.spark.draw(model.recent, tunnel.id, look);
}

// The tunnel as what it is: a path from host to host. Five stations in a list, which is also how it is read out.
import { element, say } from './dom.js';
import { bitRate } from './format.js';
import { model } from './model.js';

/** The network that an address with a prefix length is in. */
function network(address, length) {
  const bits = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - length);
  const first = Math.floor(bits / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.')}/${length}`;
}

/** What lies behind the far end, by the tunnel's addresses and routes. */
export function farSide(tunnel) {
  const found = tunnel.addresses.map((text) => {
    const [own, rest] = text.split(' peer ');
    const [address, length = '32'] = (rest ?? own).split('/');
    if (Number(length) === 32) return rest ? address : null;
    return network(address, Number(length));
  });
  return [...new Set([...found.filter(Boolean), ...tunnel.routes.map((route) => route.to)])];
}

/** A few of many, each on a line. */
function several(texts, none) {
  if (texts.length === 0) return [element('span', { class: 'none' }, none)];
  const shown = texts.slice(0, 4).map((text) => element('code', {}, text));
  return texts.length > 4 ? [...shown, element('span', { class: 'none' }, `and ${texts.length - 4} more`)] : shown;
}

const station = (name, label, ...content) =>
  element('li', { class: `station ${name}` }, element('span', { class: 'label' }, label), element('span', { class: 'what' }, content));

export class Path {
  #key = '';

  constructor() {
    this.list = element('ol', { class: 'stations', 'aria-label': 'The way of a packet, from this host to the other' });
    this.rates = element('span', { class: 'rates' });
    this.node = element('section', { class: 'card wide path' }, element('h2', {}, 'Path'), this.list);
  }

  show(tunnel) {
    const status = tunnel.status;
    const key = JSON.stringify([tunnel.revision, status.state, status.mtu, model.hostReport?.hostname]);
    if (key === this.#key) return;
    this.#key = key;
    const via = tunnel.underlay ? `over ${tunnel.underlay}` : 'by the route to the remote';
    const plane = status.data_plane === 'bpf' ? 'IPIP, by eBPF programs' : 'IPIP, by the kernel';
    const own = tunnel.addresses.map((text) => text.replace(' peer ', ' → '));
    this.node.dataset.state = status.state;
    this.list.replaceChildren(
      station('inner here', `Inner, on ${tunnel.name}`, several(own, 'no address')),
      station('outer here', `Outer, ${model.hostReport?.hostname ?? 'this host'}`,
        tunnel.local ? element('code', {}, tunnel.local) : element('span', { class: 'none' }, 'chosen by route')),
      station('underlay', 'Underlay network', element('span', {}, via), element('span', { class: 'none' },
        `${plane}, MTU ${status.mtu ?? tunnel.mtu ?? 'of the path'}`), this.rates),
      station('outer far', 'Outer, the other host', element('code', {}, tunnel.remote)),
      station('inner far', 'Inner, behind it', several(farSide(tunnel), 'nothing is routed there')));
  }

  tick(stats) {
    say(this.rates, stats?.rates
      ? `→ ${bitRate(stats.rates.tx_bits_per_second)}   ← ${bitRate(stats.rates.rx_bits_per_second)}` : '');
  }
}

// Which tunnels are listed, and in which order.
import { byName } from './format.js';
import { model } from './model.js';
import { states } from './state.js';

const severity = Object.fromEntries(['failed', 'drifted', 'pending', 'down', 'up'].map((state, index) => [state, index]));

/** `10.2.0.1` after `9.0.0.1`. */
const address = (text) => (text ?? '').split(/[./]/).map((part) => part.padStart(3, '0')).join('.');
const rate = (tunnel, name) => model.stats(tunnel.id)?.rates?.[name] ?? -1;

export const columns = [
  { key: 'state', text: 'State', value: (tunnel) => severity[tunnel.status.state] },
  { key: 'name', text: 'Name', value: (tunnel) => tunnel.name },
  { key: 'ends', text: 'Local → remote', value: (tunnel) => address(tunnel.remote) + address(tunnel.local) },
  { key: 'addresses', text: 'Addresses', value: (tunnel) => address(tunnel.addresses[0]) },
  { key: 'rx', text: 'Received', isNumber: true, value: (tunnel) => rate(tunnel, 'rx_bits_per_second') },
  { key: 'tx', text: 'Sent', isNumber: true, value: (tunnel) => rate(tunnel, 'tx_bits_per_second') },
  {
    key: 'activity', text: 'Last 2 minutes', isNumber: true,
    value: (tunnel) => rate(tunnel, 'rx_bits_per_second') + rate(tunnel, 'tx_bits_per_second'),
  },
];

/** What a text is looked for in: everything that one knows a tunnel by. */
function haystack(tunnel) {
  return [
    tunnel.name, tunnel.local ?? '', tunnel.remote, ...tunnel.addresses, ...tunnel.routes.map((route) => route.to),
    ...Object.entries(tunnel.labels).map(([key, value]) => `${key}:${value}`), tunnel.comment, tunnel.underlay ?? '',
  ].join('\n').toLowerCase();
}

const haystacks = new WeakMap();

function matches(tunnel, words) {
  if (words.length === 0) return true;
  let text = haystacks.get(tunnel);
  if (text === undefined) haystacks.set(tunnel, (text = haystack(tunnel)));
  return words.every((word) => text.includes(word));
}

/** How many there are of each state, whatever the filter. */
export function counts() {
  const found = Object.fromEntries(states.map((state) => [state, 0]));
  for (const tunnel of model.tunnels.values()) found[tunnel.status.state] += 1;
  return found;
}

/** Those that the filter lets through: all of its words somewhere, and one of its states where it names some. */
export function arranged({ text, chosen, sort, isDescending }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const column = columns.find((candidate) => candidate.key === sort) ?? columns[1];
  const found = [];
  for (const tunnel of model.tunnels.values()) {
    if ((chosen.size === 0 || chosen.has(tunnel.status.state)) && matches(tunnel, words)) {
      found.push({ tunnel, value: column.value(tunnel) });
    }
  }
  const way = isDescending ? -1 : 1;
  const compare = column.key === 'name' ? byName : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  found.sort((a, b) => way * compare(a.value, b.value) || byName(a.tunnel.name, b.tunnel.name));
  return found.map((entry) => entry.tunnel);
}

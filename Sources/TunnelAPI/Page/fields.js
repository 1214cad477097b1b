// The fields of a definition: how each is written as text, and read again. What a value may be is the server's to say.

const lines = (text) => text.split('\n').map((line) => line.trim()).filter(Boolean);

/** A text that can't be sent as what the field is. */
export class Unreadable extends Error {}

function number(text) {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (!/^[0-9]{1,15}$/.test(trimmed)) throw new Unreadable('Give a whole number, or leave it empty.');
  return Number(trimmed);
}

const inheritable = { write: String, read: (text) => (/^[0-9]{1,15}$/.test(text.trim()) ? Number(text) : text.trim() || 'inherit') };
const optional = { write: (value) => value ?? '', read: (text) => text.trim() || null };
const optionalNumber = { write: (value) => (value === null ? '' : String(value)), read: number };

function route(line) {
  const [, to, metric] = /^(\S+)(?:\s+metric\s+([0-9]{1,15}))?$/.exec(line) ?? [];
  if (!to) throw new Unreadable(`“${line}” isn’t read as a route; write 10.20.0.0/16, or 10.20.0.0/16 metric 100.`);
  return { to, metric: Number(metric ?? 0) };
}

function labels(text) {
  const found = {};
  for (const line of lines(text)) {
    const at = line.indexOf('=');
    if (at <= 0) throw new Unreadable(`“${line}” isn’t read as a label; write site=a.`);
    found[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return found;
}

export const groups = [
  ['Ends', ['name', 'local', 'remote', 'underlay']],
  ['Inside', ['addresses', 'routes']],
  ['Outer header', ['mtu', 'ttl', 'tos', 'fwmark', 'pmtudisc']],
  ['Keeping', ['enabled', 'drift_policy', 'labels', 'comment']],
];

export const fields = {
  name: { label: 'Name', hint: 'Of the link: up to 15 letters, digits, _ . -', mono: true, write: String, read: (text) => text.trim() },
  local: { label: 'Local address', hint: 'Outer source. Empty: chosen by the route to the remote.', mono: true, ...optional },
  remote: { label: 'Remote address', hint: 'Outer destination.', mono: true, write: String, read: (text) => text.trim() },
  underlay: { label: 'Underlay link', hint: 'The only link outer packets use. Empty: any.', mono: true, ...optional },
  addresses: {
    label: 'Addresses', hint: 'One a line: 192.168.1.1/24, or 192.168.1.1 peer 192.168.1.254/32.', mono: true, lines: 3,
    write: (value) => value.join('\n'), read: lines,
  },
  routes: {
    label: 'Routes into the tunnel', hint: 'One a line: 10.20.0.0/16, or 10.20.0.0/16 metric 100.', mono: true, lines: 3,
    write: (value) => value.map(({ to, metric }) => (metric ? `${to} metric ${metric}` : to)).join('\n'),
    read: (text) => lines(text).map(route),
  },
  mtu: { label: 'MTU', hint: 'Bytes. Empty: follows the underlay.', mono: true, ...optionalNumber },
  ttl: { label: 'TTL', hint: '1 to 255, or inherit.', mono: true, ...inheritable },
  tos: { label: 'TOS', hint: '0 to 252 in steps of 4, or inherit.', mono: true, ...inheritable },
  fwmark: { label: 'Firewall mark', hint: 'Of outer packets. Empty: none.', mono: true, ...optionalNumber },
  pmtudisc: { label: 'Path MTU discovery', hint: 'Outer packets forbid fragments.', isSwitch: true },
  enabled: { label: 'Enabled', hint: 'Whether the link is up.', isSwitch: true },
  drift_policy: {
    label: 'When others change it', hint: 'enforce repairs, alert only tells, adopt takes the change over.',
    choices: ['enforce', 'alert', 'adopt'], write: String, read: String,
  },
  labels: {
    label: 'Labels', hint: 'One a line: site=a.', mono: true, lines: 2,
    write: (value) => Object.entries(value).map(([key, text]) => `${key}=${text}`).join('\n'), read: labels,
  },
  comment: { label: 'Comment', hint: '', write: String, read: String },
};

export const defaults = {
  name: '', local: null, remote: '', underlay: null, addresses: [], routes: [], mtu: null, ttl: 'inherit', tos: 'inherit',
  fwmark: null, pmtudisc: true, enabled: true, drift_policy: 'enforce', labels: {}, comment: '',
};

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** A merge patch that makes one definition of the other; labels that went are null in it. */
export function patchOf(before, after) {
  const patch = {};
  for (const key of Object.keys(fields)) {
    if (same(before[key], after[key])) continue;
    patch[key] = after[key];
    if (key === 'labels') {
      const gone = Object.keys(before.labels).filter((name) => !(name in after.labels));
      patch.labels = { ...after.labels, ...Object.fromEntries(gone.map((name) => [name, null])) };
    }
  }
  return patch;
}

/** Which field an error is about, and where in it: `/tunnels/0/routes/1/to` is line 2 of the routes. */
export function fieldOf(pointer) {
  const own = pointer.replace(/^\/tunnels\/0(?=\/|$)/, '');
  const parts = own.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (!(parts[0] in fields)) return null;
  const isLine = parts[0] === 'addresses' || parts[0] === 'routes';
  const where = parts[1] === undefined ? '' : isLine ? `Line ${Number(parts[1]) + 1}: ` : `${parts[1]}: `;
  return { key: parts[0], where };
}

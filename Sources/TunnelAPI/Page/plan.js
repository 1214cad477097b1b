// A plan, as a dry run answers it: what becomes of which tunnel, and what the kernel would be asked for.
import { element } from './dom.js';
import { plural } from './format.js';

const words = { create: 'create', change: 'change', delete: 'delete', keep: 'keep' };
const signs = { create: '+', change: '~', delete: '−', keep: '=' };
const mostShown = 200;

function value(shown) {
  if (shown === null || shown === undefined || shown === '') return element('span', { class: 'none' }, 'none');
  if (Array.isArray(shown)) {
    if (shown.length === 0) return element('span', { class: 'none' }, 'none');
    return shown.map((one) => element('code', {}, typeof one === 'object' ? `${one.to} metric ${one.metric}` : String(one)));
  }
  if (typeof shown === 'object') {
    const pairs = Object.entries(shown);
    return pairs.length ? pairs.map(([key, text]) => element('code', {}, `${key}=${text}`)) : element('span', { class: 'none' }, 'none');
  }
  return element('code', {}, String(shown));
}

function changeTable(changes) {
  return element('table', { class: 'changes' },
    element('thead', {}, element('tr', {}, ['Field', 'Now', 'Then'].map((text) => element('th', { scope: 'col' }, text)))),
    element('tbody', {}, changes.map(({ field, before, after }) => element('tr', {},
      element('th', { scope: 'row' }, field),
      element('td', { class: 'before' }, value(before)), element('td', { class: 'after' }, value(after))))));
}

function planItem({ action, name, changes = [] }) {
  return element('li', { class: `item ${action}` },
    element('span', { class: 'sign', 'aria-hidden': 'true' }, signs[action]),
    element('strong', {}, `${words[action]} `, element('code', {}, name)),
    changes.length ? changeTable(changes) : null);
}

/** `set_mtu 1400`, `add_route 10.20.0.0/16 metric 100`. */
function operation({ tunnel, ifindex, operation: name, ...rest }) {
  const about = Object.entries(rest).filter(([, one]) => one !== null).map(([key, one]) => `${key} ${one}`).join(', ');
  return element('li', {}, element('code', {}, `${tunnel}${ifindex ? ` (link ${ifindex})` : ''}: ${name}${about ? ` ${about}` : ''}`));
}

export function planView({ counts, items = [], operations = [] }) {
  const shown = items.filter(({ action }) => action !== 'keep');
  const found = Object.keys(words).filter((action) => counts[action]);
  const summary = found.map((action) => `${words[action]} ${counts[action]}`).join(', ');
  const rest = (all) => element('li', { class: 'none' }, `and ${all.length - mostShown} more`);
  const more = (all, made) => (all.length > mostShown ? [...made, rest(all)] : made);
  return element('div', { class: 'plan' },
    element('p', { class: 'summary' }, summary ? `${summary[0].toUpperCase()}${summary.slice(1)}.` : 'Nothing is listed.'),
    shown.length ? element('ul', { class: 'items' }, more(shown, shown.slice(0, mostShown).map(planItem))) : null,
    operations.length
      ? element('details', { open: operations.length <= 12 },
        element('summary', {}, `What the kernel is asked for: ${plural(operations.length, 'operation')}`),
        element('ol', {}, more(operations, operations.slice(0, mostShown).map(operation))))
      : element('p', { class: 'hint' }, 'The kernel isn’t asked for anything.'));
}

export const refusalHint = () => element('p', { class: 'hint' },
  'Should the kernel refuse any of it, nothing is changed, and what it said is shown.');

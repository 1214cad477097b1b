// The definition of a tunnel as it is stored.
import { element } from './dom.js';
import { time } from './format.js';

const none = (text) => element('span', { class: 'none' }, text);
const lines = (texts, otherwise) => (texts.length ? texts.map((text) => element('code', {}, text)) : none(otherwise));

export function definitionCard(tunnel) {
  const about = [
    ['Local', tunnel.local ? element('code', {}, tunnel.local) : none('chosen by the route to the remote')],
    ['Remote', element('code', {}, tunnel.remote)],
    ['Addresses', lines(tunnel.addresses, 'none')],
    ['Routes', lines(tunnel.routes.map(({ to, metric }) => (metric ? `${to} metric ${metric}` : to)), 'none')],
    ['Underlay', tunnel.underlay ? element('code', {}, tunnel.underlay) : none('any')],
    ['MTU', tunnel.mtu ?? `follows the underlay${tunnel.status.mtu ? ` (${tunnel.status.mtu})` : ''}`],
    ['TTL', tunnel.ttl], ['TOS', tunnel.tos], ['Path MTU discovery', tunnel.pmtudisc ? 'yes' : 'no'],
    ['Firewall mark', tunnel.fwmark ?? none('none')], ['Enabled', tunnel.enabled ? 'yes' : 'no'],
    ['When others change it', tunnel.drift_policy],
    ['Labels', lines(Object.entries(tunnel.labels).map(([key, value]) => `${key}=${value}`), 'none')],
    ['Comment', tunnel.comment || none('none')],
    ['Link', tunnel.status.ifindex ? `number ${tunnel.status.ifindex}` : none('none')],
    ['Revision', `${tunnel.revision}, of ${time(tunnel.updated_at)}`], ['Created', time(tunnel.created_at)],
    ['Id', element('code', {}, tunnel.id)],
  ];
  return element('section', { class: 'card' }, element('h2', {}, 'Definition'),
    element('dl', { class: 'pairs' }, about.map(([term, value]) =>
      element('div', {}, element('dt', {}, term), element('dd', {}, value)))));
}

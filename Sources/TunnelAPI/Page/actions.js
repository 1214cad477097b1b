// Changes of one tunnel that need no form. Each is shown before it is done.
import { ask, tunnelPath } from './api.js';
import { showDialog } from './dialog.js';
import { announce, element } from './dom.js';
import { model } from './model.js';
import { go } from './place.js';
import { planView, refusalHint } from './plan.js';
import { refusalBox } from './refusal.js';

const members = [
  'name', 'kind', 'local', 'remote', 'addresses', 'routes', 'mtu', 'ttl', 'tos', 'pmtudisc', 'underlay', 'fwmark', 'enabled',
  'drift_policy', 'labels', 'comment',
];

/** A tunnel without what the server adds. */
export const definitionOf = (tunnel) => Object.fromEntries(members.map((name) => [name, tunnel[name]]));

export async function planOf(definition) {
  return (await ask('POST', '/v1/apply', { body: { tunnels: [definition], dry_run: true } })).body;
}

export async function change(tunnel, patch) {
  const { body } = await ask('PATCH', tunnelPath(tunnel.id), {
    body: patch, type: 'application/merge-patch+json', headers: { 'If-Match': `"${tunnel.revision}"` },
  });
  model.put(body);
  return body;
}

/** A dialog whose one action may be refused; then it stays, and says so. */
function confirm({ title, content, text, kind, run }) {
  const refused = element('div', {});
  const dialog = showDialog({
    title, content: [...content, refused], close: 'Cancel',
    actions: [{
      text, kind,
      run: async () => {
        try {
          await run();
        } catch (error) {
          const box = refusalBox(error, { onLoad: () => dialog.close() });
          refused.replaceChildren(box);
          box.focus();
          return false;
        }
      },
    }],
  });
  return dialog;
}

export async function switchTunnel(tunnel) {
  const enabled = !tunnel.enabled;
  let plan;
  try {
    plan = planView(await planOf({ ...definitionOf(tunnel), enabled }));
  } catch (error) {
    plan = refusalBox(error);
  }
  const what = enabled
    ? 'It carries packets again.'
    : 'It carries nothing until it is switched on; its link, addresses and counters stay.';
  confirm({
    title: `Switch ${tunnel.name} ${enabled ? 'on' : 'off'}?`, content: [element('p', {}, what), plan, refusalHint()],
    text: enabled ? 'Switch on' : 'Switch off', kind: enabled ? 'primary' : 'danger',
    run: () => change(tunnel, { enabled }),
  });
}

export function deleteTunnel(tunnel) {
  const addresses = tunnel.addresses.map((text) => `address ${text}`);
  const goes = [`link ${tunnel.name}`, ...addresses, ...tunnel.routes.map(({ to }) => `route ${to}`)];
  confirm({
    title: `Delete ${tunnel.name}?`,
    content: [
      element('p', {}, 'Its definition goes, and with it from the kernel:'),
      element('ul', {}, goes.slice(0, 12).map((text) => element('li', {}, element('code', {}, text))),
        goes.length > 12 ? element('li', {}, `and ${goes.length - 12} more`) : null),
      element('p', {}, 'Nothing else is touched. It can’t be taken back.'),
    ],
    text: `Delete ${tunnel.name}`, kind: 'danger',
    run: async () => {
      await ask('DELETE', tunnelPath(tunnel.id), { headers: { 'If-Match': `"${tunnel.revision}"` } });
      announce(`${tunnel.name} was deleted`);
      model.remove(tunnel.id);
      go('#/');
    },
  });
}

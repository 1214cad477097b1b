// Puts the page together: which view is shown, who is signed in, and the keys that work everywhere.
import { applyView } from './apply.js';
import { checkpointNotice } from './checkpoint.js';
import { connectionNotice } from './connection.js';
import { announce, element, say } from './dom.js';
import { createView, editView } from './form.js';
import { keysDialog, onKeys } from './keys.js';
import { listView } from './list.js';
import { model } from './model.js';
import { go, place } from './place.js';
import { session } from './session.js';
import { rediscover, signInView } from './signin.js';
import { themeSwitch } from './themes.js';
import { tunnelView } from './tunnel.js';

const main = document.getElementById('main');
const nav = document.getElementById('nav');
const signOut = document.getElementById('signout');
const views = { list: listView, tunnel: tunnelView, edit: editView, new: createView, apply: applyView };
const pages = [['list', '#/', 'Tunnels'], ['new', '#/new', 'New'], ['apply', '#/apply', 'Apply a set']];

let shown = null;
let reason = '';

/** Takes the present view away and shows the one that the address names. */
function show() {
  shown?.leave?.();
  const isIn = Boolean(session.token);
  nav.hidden = signOut.hidden = !isIn;
  const where = isIn ? place() : { view: 'signin' };
  for (const link of nav.children) {
    if (link.dataset.view === where.view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  shown = isIn ? views[where.view](where) : signInView(reason);
  main.dataset.view = where.view;
  main.replaceChildren(shown.node);
  title();
  shown.enter?.();
}

function title() {
  const host = model.hostReport?.hostname;
  document.title = [shown?.title, host && `tunneld on ${host}`].filter(Boolean).join(' – ') || 'tunneld';
  say(document.getElementById('host'), host ?? '');
}

/** Tells what became of tunnels, but not of those that are new to this page alone. */
function tellStates({ detail }) {
  const changes = detail.all
    ? [...model.tunnels.values()].map((tunnel) => [detail.former.get(tunnel.id), tunnel])
    : [[detail.before, detail.tunnel]];
  for (const [before, after] of changes) {
    if (before && !after) announce(`${before.name} was deleted`);
    else if (before && before.status.state !== after.status.state) announce(`${after.name} is ${after.status.state}`);
    else if (!before && after && !detail.all) announce(`${after.name} was created`);
  }
}

nav.append(...pages.map(([view, href, text]) => element('a', { href, 'data-view': view }, text)),
  element('button', { type: 'button', class: 'quiet wide', on: { click: keysDialog } }, 'Keys'));
themeSwitch(document.getElementById('theme'));
signOut.addEventListener('click', () => session.end());
document.getElementById('skip').addEventListener('click', () => main.focus());
document.getElementById('notices').append(connectionNotice(document.getElementById('connection')), checkpointNotice());
onKeys({ back: () => place().view !== 'list' && session.token && go('#/'), find: () => shown?.find?.() });
addEventListener('hashchange', show);
model.addEventListener('tunnels', tellStates);
model.addEventListener('host', title);
session.addEventListener('begin', () => {
  reason = '';
  model.start();
  show();
});
session.addEventListener('end', ({ detail }) => {
  reason = detail;
  model.stop();
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  show();
});
if (session.token) {
  model.start();
  rediscover();
}
show();

// A sheet for a whole set of tunnels: paste it, see the plan, apply it, for good or for a try.
import { ask, requestKey } from './api.js';
import { announce, element, uniqueID } from './dom.js';
import { plural } from './format.js';
import { model } from './model.js';
import { planView, refusalHint } from './plan.js';
import { refusalBox } from './refusal.js';
import { applyBody, Misshapen } from './set.js';

const example = `# YAML or JSON, as of POST /v1/apply
scope: {label: "site:a"}
prune: true
tunnels:
- name: tun_a
  remote: 172.16.1.62
  addresses: [192.168.1.1/24]
  labels: {site: a}`;

/** Kept while the reader looks at something else. */
let draft = '';

class Sheet {
  /** The plan that is shown: what was asked for, and at which revision of the set. */
  #planned = null;

  constructor() {
    const [textID, tryID, secondsID, hintID] = ['set', 'try', 'seconds', 'hint'].map(uniqueID);
    this.text = element('textarea', {
      id: textID, class: 'mono', rows: '14', spellcheck: 'false', placeholder: example, 'aria-describedby': hintID,
      on: {
        input: () => {
          draft = this.text.value;
          this.#forget();
        },
      },
    });
    this.text.value = draft;
    this.isTry = element('input', { id: tryID, type: 'checkbox', on: { change: () => this.#forget() } });
    this.seconds = element('input', {
      id: secondsID, type: 'number', min: '1', max: '86400', value: '60', 'aria-label': 'Seconds',
      on: { input: () => this.#forget() },
    });
    this.show = element('button', { class: 'primary' }, 'Show the plan');
    this.result = element('div', { class: 'result', 'aria-live': 'polite' });
    this.heading = element('h1', { tabindex: '-1' }, 'Apply a set');
    this.node = element('form', { class: 'sheet', novalidate: true, on: { submit: (event) => this.#plan(event) } },
      this.heading,
      element('p', { class: 'hint', id: hintID },
        'All of it is made true, or nothing. Tunnels that aren’t listed stay, unless the set says ',
        element('code', {}, 'prune: true'), '; ', element('code', {}, 'scope'), ' bounds what may be touched.'),
      element('label', { for: textID }, 'The set'), this.text,
      element('div', { class: 'try' }, this.isTry, element('label', { for: tryID }, 'Goes back by itself unless it is confirmed within'),
        this.seconds, element('span', {}, 'seconds')),
      element('div', { class: 'actions' }, this.show), this.result);
  }

  #members() {
    return { confirm_within_seconds: this.isTry.checked ? Number(this.seconds.value) : null };
  }

  /** What was typed since isn't what the plan shows. */
  #forget() {
    if (!this.#planned) return;
    this.#planned = null;
    this.result.replaceChildren();
  }

  async #plan(event) {
    event.preventDefault();
    this.#planned = null;
    this.show.disabled = true;
    try {
      const dry = applyBody(this.text.value, { ...this.#members(), dry_run: true });
      const { body: plan } = await ask('POST', '/v1/apply', dry);
      this.#planned = { ...applyBody(this.text.value, this.#members()), revision: plan.revision, key: requestKey() };
      this.#showPlan(plan);
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.show.disabled = false;
    }
  }

  #showPlan(plan) {
    const { create, change, delete: gone } = plan.counts;
    const count = create + change + gone;
    const apply = element('button', { type: 'button', class: gone ? 'danger' : 'primary', on: { click: () => this.#apply(apply) } },
      gone ? `Apply, and delete ${plural(gone, 'tunnel')}` : 'Apply');
    this.result.replaceChildren(element('section', { class: 'card' }, element('h2', {}, 'Plan'), planView(plan),
      count ? [refusalHint(), element('div', { class: 'actions' }, apply)] : element('p', {}, 'All of it is true already.')));
    if (count) apply.focus();
  }

  async #apply(button) {
    const planned = this.#planned;
    if (!planned) return;
    button.disabled = true;
    try {
      const { body } = await ask('POST', '/v1/apply', {
        type: planned.type, body: planned.body,
        // What is done is what was shown, or nothing.
        headers: { 'If-Match': `"${planned.revision}"`, 'Idempotency-Key': planned.key },
      });
      this.#planned = null;
      this.#done(body);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #done({ counts, checkpoint }) {
    const text = `Done: ${counts.create} created, ${counts.change} changed, ${counts.delete} deleted, ${counts.keep} left as they were.`;
    announce(text);
    if (checkpoint) model.readCheckpoint();
    const back = checkpoint ? element('p', {}, 'It goes back by itself unless you keep it: see above.') : null;
    this.result.replaceChildren(element('div', { class: 'notice good', role: 'status' },
      element('div', {}, element('strong', {}, text), back), element('a', { class: 'button', href: '#/' }, 'All tunnels')));
  }

  #refuse(error) {
    const box = error instanceof Misshapen
      ? element('div', { class: 'notice bad', role: 'alert', tabindex: '-1' }, error.message)
      : refusalBox(error, { onLoad: () => this.node.requestSubmit() });
    this.result.replaceChildren(box);
    box.focus();
  }
}

export function applyView() {
  const sheet = new Sheet();
  return { node: sheet.node, title: 'Apply a set', enter: () => sheet.heading.focus({ preventScroll: true }) };
}

// The form of a tunnel: a new one, or one that is there. What is wanted is shown as a plan before it is done.
import { change, definitionOf, planOf } from './actions.js';
import { ask, get, Refusal, requestKey, tunnelPath } from './api.js';
import { showDialog } from './dialog.js';
import { announce, element } from './dom.js';
import { Field } from './field.js';
import { defaults, fieldOf, fields, groups, patchOf } from './fields.js';
import { model } from './model.js';
import { go, tunnelPlace } from './place.js';
import { planView, refusalHint } from './plan.js';
import { refusalBox } from './refusal.js';
import { session } from './session.js';

class TunnelForm {
  #key = requestKey();

  /** `tunnel` is the one to be changed; null for a new one. */
  constructor(tunnel) {
    this.tunnel = tunnel;
    const values = tunnel ?? defaults;
    this.fields = Object.fromEntries(Object.entries(fields).map(([key, about]) => [key, new Field(key, about, values[key])]));
    this.top = element('div', { class: 'top' });
    this.button = element('button', { class: 'primary' }, 'Show the plan');
    this.heading = element('h1', { tabindex: '-1' }, tunnel ? `Change ${tunnel.name}` : 'New tunnel');
    this.node = element('form', { class: 'tunnelform', novalidate: true, on: { submit: (event) => this.#submit(event) } },
      this.heading, this.top,
      groups.map(([title, keys]) => element('fieldset', { class: 'card' }, element('legend', {}, title),
        element('div', { class: 'fields' }, keys.map((key) => this.fields[key].node)))),
      element('div', { class: 'actions' }, this.button,
        element('a', { class: 'button', href: tunnel ? tunnelPlace(tunnel.name) : '#/' }, 'Cancel')));
  }

  enter() {
    if (session.mayWrite === false) {
      this.#say(element('div', { class: 'notice warn' }, 'This token may only look, so the server will refuse changes.'));
    }
    (this.tunnel ? this.heading : this.fields.name.input).focus({ preventScroll: true });
  }

  #say(box) {
    this.top.replaceChildren(...(box ? [box] : []));
  }

  async #submit(event) {
    event.preventDefault();
    this.#say(null);
    const wanted = this.#read();
    if (!wanted) return this.#focusFault();
    if (this.tunnel && Object.keys(patchOf(this.tunnel, wanted)).length === 0) {
      return this.#say(element('div', { class: 'notice', role: 'status' }, 'Nothing is changed yet.'));
    }
    this.button.disabled = true;
    try {
      const plan = await this.#plan(wanted);
      if (plan) this.#review(plan, wanted);
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.button.disabled = false;
    }
  }

  /** The definition that the form describes; null where a text can't be read. */
  #read() {
    const wanted = {};
    for (const [key, field] of Object.entries(this.fields)) {
      field.refuse('');
      wanted[key] = field.read();
    }
    return Object.values(wanted).includes(undefined) ? null : wanted;
  }

  /** An apply knows tunnels by name, so a new name is no part of its plan, and added here. */
  async #plan(wanted) {
    const { tunnel } = this;
    const plan = await planOf({ kind: 'ipip', ...wanted, name: tunnel ? tunnel.name : wanted.name });
    const [item] = plan.items;
    if (!tunnel && item.action !== 'create') {
      this.fields.name.refuse(`There is a tunnel ${item.name} already; choose another name, or change that one.`);
      this.#focusFault();
      return null;
    }
    if (tunnel && tunnel.name !== wanted.name) {
      item.changes = [{ field: 'name', before: tunnel.name, after: wanted.name }, ...(item.changes ?? [])];
      Object.assign(item, { action: 'change' });
      Object.assign(plan.counts, { change: 1, keep: 0 });
      plan.operations.push({ tunnel: tunnel.name, ifindex: tunnel.status.ifindex, operation: 'rename', name: wanted.name });
    }
    return plan;
  }

  #review(plan, wanted) {
    showDialog({
      title: this.tunnel ? `Change ${this.tunnel.name}?` : `Create ${wanted.name}?`,
      content: [planView(plan), refusalHint()], close: 'Back to the form',
      actions: [{ text: this.tunnel ? 'Change it' : 'Create it', run: () => this.#carryOut(wanted) }],
    });
  }

  async #carryOut(wanted) {
    try {
      const made = this.tunnel ? await change(this.tunnel, patchOf(this.tunnel, wanted)) : await this.#create(wanted);
      announce(`${made.name} is ${made.status.state}`);
      go(tunnelPlace(made.name));
    } catch (error) {
      // The dialog closes first, and gives the focus back to where it was.
      setTimeout(() => this.#refuse(error));
    }
  }

  async #create(wanted) {
    const { body } = await ask('POST', '/v1/tunnels', { body: wanted, headers: { 'Idempotency-Key': this.#key } });
    model.put(body);
    return body;
  }

  #refuse(error) {
    // Another body must not come with the key of one that may have been done.
    if (error instanceof Refusal) this.#key = requestKey();
    const place = (one) => {
      const found = fieldOf(one.pointer ?? '');
      if (!found) return false;
      this.fields[found.key].refuse(`${found.where}${one.detail}`);
      return true;
    };
    const box = refusalBox(error, { place, onLoad: this.tunnel ? () => this.#load() : null });
    this.#say(box);
    if (!this.#focusFault()) box.focus();
  }

  #focusFault() {
    const faulty = Object.values(this.fields).find((field) => field.input.hasAttribute('aria-invalid'));
    faulty?.input.focus();
    return Boolean(faulty);
  }

  /** Takes in what somebody else made of it, and leaves alone what was typed here. */
  async #load() {
    try {
      const fresh = await get(tunnelPath(this.tunnel.id));
      const both = [];
      for (const [key, field] of Object.entries(this.fields)) {
        if (!field.isTouched) field.set(fresh[key]);
        else if (JSON.stringify(fresh[key]) !== JSON.stringify(this.tunnel[key])) both.push(field.about.label);
      }
      this.tunnel = fresh;
      this.button.focus();
      const also = both.length ? ` Changed by both, and left as you typed it: ${both.join(', ')}.` : '';
      const text = `Loaded revision ${fresh.revision}; what you typed is still here.${also}`;
      this.#say(element('div', { class: 'notice', role: 'status' }, text));
    } catch (error) {
      this.#say(refusalBox(error));
    }
  }
}

export function createView() {
  const form = new TunnelForm(null);
  return { node: form.node, title: 'New tunnel', enter: () => form.enter() };
}

export function editView({ name }) {
  const node = element('div', { class: 'holder' }, element('p', { class: 'empty' }, 'Reading …'));
  const enter = async () => {
    try {
      const tunnel = await get(tunnelPath(name));
      if (!node.isConnected) return;
      const form = new TunnelForm({ ...definitionOf(tunnel), id: tunnel.id, revision: tunnel.revision, status: tunnel.status });
      node.replaceChildren(form.node);
      form.enter();
    } catch (error) {
      node.replaceChildren(refusalBox(error));
    }
  };
  return { node, title: `Change ${name}`, enter };
}

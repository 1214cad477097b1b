// One field of a form, with its label, hint and the error about it.
import { element, uniqueID } from './dom.js';
import { Unreadable } from './fields.js';

export class Field {
  constructor(key, about, value) {
    this.key = key;
    this.about = about;
    const [id, hintID, faultID] = ['field', 'hint', 'fault'].map(uniqueID);
    const attributes = { id, name: key, 'aria-describedby': `${hintID} ${faultID}`, class: about.mono ? 'mono' : '' };
    this.input = this.#input(attributes);
    this.fault = element('p', { id: faultID, class: 'fault' });
    const label = element('label', { for: id }, about.label);
    const hint = element('p', { id: hintID, class: 'hint' }, about.hint);
    this.node = element('div', { class: `field ${about.isSwitch ? 'switch' : ''} ${about.lines ? 'tall' : ''}` },
      about.isSwitch ? [this.input, label] : [label, this.input], hint, this.fault);
    this.set(value);
    this.input.addEventListener('input', () => this.refuse(''));
  }

  #input(attributes) {
    const { isSwitch, choices, lines } = this.about;
    const plain = { autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none' };
    if (isSwitch) return element('input', { ...attributes, type: 'checkbox' });
    if (choices) return element('select', attributes, choices.map((choice) => element('option', {}, choice)));
    if (lines) return element('textarea', { ...attributes, ...plain, rows: lines });
    return element('input', { ...attributes, ...plain, type: 'text' });
  }

  set(value) {
    if (this.about.isSwitch) this.input.checked = value;
    else this.input.value = this.about.write(value);
    this.original = this.raw;
    this.refuse('');
  }

  get raw() {
    return this.about.isSwitch ? this.input.checked : this.input.value;
  }

  get isTouched() {
    return this.raw !== this.original;
  }

  /** The value; undefined where the text can't be read, which is then said. */
  read() {
    if (this.about.isSwitch) return this.input.checked;
    try {
      return this.about.read(this.input.value);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.refuse(error.message);
      return undefined;
    }
  }

  /** Shows an error, or takes it away; several are shown one below the other. */
  refuse(text) {
    if (text) this.input.setAttribute('aria-invalid', 'true');
    else this.input.removeAttribute('aria-invalid');
    this.fault.textContent = text && this.fault.textContent ? `${this.fault.textContent} ${text}` : text;
  }
}

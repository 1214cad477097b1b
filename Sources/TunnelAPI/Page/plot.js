// A large plot of two series: one upwards, one downwards from the same line. Where there is nothing, nothing is drawn.
import { drawing, element, say } from './dom.js';
import { niceLimit, timeTicks } from './scale.js';

const height = 168;
const inset = { left: 74, right: 12, top: 10, bottom: 22 };
const clock = new Intl.DateTimeFormat(undefined, {
  month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
});

/** Paths of what is known: each stretch without a gap is one line, and one area down to the base. */
function paths(data, values, x, y) {
  let [line, area, start, before] = ['', '', null, null];
  const base = y(0).toFixed(1);
  const close = () => {
    if (start === null) return;
    if (start === before) line += `H${(x(before) + 1.5).toFixed(1)}`;
    area += `L${x(before).toFixed(1)} ${base}Z`;
    start = null;
  };
  for (let index = 0; index < data.times.length; index += 1) {
    const value = values[index];
    const time = data.times[index];
    if (value === null || Number.isNaN(value) || time < data.from) {
      close();
      continue;
    }
    if (start !== null && time - before > data.step * 2.5) close();
    const point = `${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
    if (start === null) {
      line += `M${point}`;
      area += `M${x(time).toFixed(1)} ${base}L${point}`;
      start = time;
    } else {
      line += `L${point}`;
      area += `L${point}`;
    }
    before = time;
  }
  close();
  return { line, area };
}

/** `2.50 M` is `2.5 M`. */
const round = (text) => text.replace(/\.(\d*?)0+(?= )/, (_, digits) => (digits ? `.${digits}` : ''));
const highest = (values) => values.reduce((most, value) => (value > most ? value : most), 0);
const last = (values) => [...values].reverse().find((value) => value !== null && !Number.isNaN(value)) ?? null;

export class Plot {
  #data = null;
  #width = 0;
  #pointed = null;

  /** `upper` and `lower` are { label, color }; `format` makes a text of a value; the axis reaches `least` at least. */
  constructor({ title, format, least, upper, lower }) {
    Object.assign(this, { title, format, least, upper, lower });
    const series = (name) => ({
      area: drawing('path', { class: `area ${name}` }), line: drawing('path', { class: `line ${name}` }),
    });
    this.paths = [series(upper.color), series(lower.color)];
    this.grid = drawing('g', { class: 'grid' });
    this.cursor = drawing('line', { class: 'cursor', y1: inset.top, y2: height - inset.bottom, visibility: 'hidden' });
    this.readout = element('output', {});
    this.legend = [upper, lower].map(({ label, color }, index) =>
      element('span', { class: `key ${color}` }, `${index ? '▼' : '▲'} ${label}`));
    this.svg = drawing('svg', {
      height, role: 'img', tabindex: '0', 'aria-keyshortcuts': 'ArrowLeft ArrowRight',
    }, this.grid, this.paths.flatMap(({ area, line }) => [area, line]), this.cursor);
    this.svg.addEventListener('pointermove', (event) => this.#point(this.#indexAt(event.offsetX)));
    this.svg.addEventListener('pointerleave', () => this.#point(null));
    this.svg.addEventListener('blur', () => this.#point(null));
    this.svg.addEventListener('keydown', (event) => this.#key(event));
    this.node = element('figure', { class: 'plot' },
      element('figcaption', {}, element('h3', {}, title), this.legend, this.readout), this.svg);
    this.observer = new ResizeObserver(([entry]) => {
      this.#width = entry.contentRect.width;
      this.svg.setAttribute('width', this.#width);
      this.svg.setAttribute('viewBox', `0 0 ${this.#width} ${height}`);
      this.#draw();
    });
    this.observer.observe(this.node);
  }

  stop() {
    this.observer.disconnect();
  }

  /** `times` are in milliseconds, `upper` and `lower` as long; `step` is how far two are apart where nothing is missing. */
  show(data) {
    this.#data = data;
    this.#draw();
  }

  #x = (time) => inset.left + ((time - this.#data.from) / (this.#data.to - this.#data.from)) * (this.#width - inset.left - inset.right);

  #draw() {
    const data = this.#data;
    if (!data || this.#width < 100) return;
    const limit = niceLimit(Math.max(this.least, highest(data.upper), highest(data.lower)));
    const middle = (inset.top + height - inset.bottom) / 2;
    const half = middle - inset.top;
    const y = (value) => middle - (value / limit) * half;
    const drawn = [paths(data, data.upper, this.#x, y), paths(data, data.lower, this.#x, (value) => y(-value))];
    drawn.forEach(({ line, area }, index) => {
      this.paths[index].line.setAttribute('d', line);
      this.paths[index].area.setAttribute('d', area);
    });
    this.#axes(limit, y);
    this.#tell();
    this.#point(this.#pointed === null ? null : Math.min(this.#pointed, data.times.length - 1));
  }

  #axes(limit, y) {
    const right = this.#width - inset.right;
    const label = (value) => drawing('text', { x: inset.left - 8, y: y(value) + 4, 'text-anchor': 'end' },
      round(this.format(Math.abs(value))));
    const levels = [limit, limit / 2, 0, -limit / 2, -limit].map((value) => [
      drawing('line', { x1: inset.left, x2: right, y1: y(value), y2: y(value), class: value === 0 ? 'base' : '' }),
      value === 0 ? null : label(value),
    ]);
    const room = Math.max(2, Math.floor((right - inset.left) / 90));
    const times = timeTicks(this.#data.from, this.#data.to, room).map(({ at, text }) => [
      drawing('line', { x1: this.#x(at), x2: this.#x(at), y1: inset.top, y2: height - inset.bottom }),
      // A label at the edge would be cut off.
      this.#x(at) < right - 18 ? drawing('text', { x: this.#x(at), y: height - 6, 'text-anchor': 'middle' }, text) : null,
    ]);
    this.grid.replaceChildren(...[...levels, ...times].flat().filter(Boolean));
  }

  #tell() {
    const { upper, lower } = this.#data;
    const text = [[this.upper, upper], [this.lower, lower]].map(([series, values]) => {
      const now = last(values);
      if (now === null) return `${series.label}: nothing yet`;
      return `${series.label}: last ${this.format(now)}, highest ${this.format(highest(values))}`;
    });
    this.svg.setAttribute('aria-label', `${this.title}. ${text.join('. ')}`);
  }

  #indexAt(x) {
    const data = this.#data;
    if (!data || data.times.length === 0) return null;
    const time = data.from + ((x - inset.left) / (this.#width - inset.left - inset.right)) * (data.to - data.from);
    let nearest = 0;
    data.times.forEach((at, index) => {
      if (Math.abs(at - time) < Math.abs(data.times[nearest] - time)) nearest = index;
    });
    return nearest;
  }

  #key(event) {
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    const length = this.#data?.times.length ?? 0;
    if (!(event.key in moves) || length === 0) return;
    event.preventDefault();
    const from = this.#pointed ?? length;
    this.#point(Math.max(0, Math.min(length - 1, from + moves[event.key])));
  }

  #point(index) {
    this.#pointed = index;
    const data = this.#data;
    this.cursor.setAttribute('visibility', index === null ? 'hidden' : 'visible');
    if (index === null || !data) return say(this.readout, '');
    const x = this.#x(data.times[index]).toFixed(1);
    this.cursor.setAttribute('x1', x);
    this.cursor.setAttribute('x2', x);
    const value = (values) => (values[index] === null || Number.isNaN(values[index]) ? 'nothing' : this.format(values[index]));
    const [upper, lower] = [`${this.upper.label} ${value(data.upper)}`, `${this.lower.label} ${value(data.lower)}`];
    say(this.readout, `${clock.format(data.times[index])}   ${upper}   ${lower}`);
  }
}

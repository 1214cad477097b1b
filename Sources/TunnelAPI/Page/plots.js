// The plots of one tunnel, live or from the history.
import { get, tunnelPath } from './api.js';
import { element, say, uniqueID } from './dom.js';
import { bitRate, packetRate, span } from './format.js';
import { model } from './model.js';
import { Plot } from './plot.js';

const ranges = [
  { key: 'live', text: 'Live', seconds: 300 },
  { key: '15m', text: '15 min', seconds: 900, again: 10 },
  { key: '6h', text: '6 h', seconds: 6 * 3600, again: 60 },
  { key: '7d', text: '7 d', seconds: 7 * 86400, again: 600 },
];
const [received, sent] = [{ label: 'received', color: 'rx' }, { label: 'sent', color: 'tx' }];
const plots = [
  {
    title: 'Throughput', format: bitRate, least: 1000, upper: received, lower: sent,
    live: ['rx', 'tx'], kept: ['rx_bits_per_second', 'tx_bits_per_second'],
  },
  {
    title: 'Packets', format: packetRate, least: 10, upper: received, lower: sent,
    live: ['rxPackets', 'txPackets'], kept: ['rx_packets_per_second', 'tx_packets_per_second'],
  },
  {
    title: 'Losses', format: packetRate, least: 1, upper: { label: 'errors', color: 'bad' }, lower: { label: 'dropped', color: 'warn' },
    live: ['errors', 'dropped'], kept: ['errors_per_second', 'dropped_per_second'],
  },
];

export class Plots {
  #range = ranges[0];
  #timer = null;
  #asked = 0;

  constructor(id) {
    this.id = id;
    this.plots = plots.map((about) => new Plot(about));
    this.note = element('p', { class: 'hint', role: 'status' });
    const name = uniqueID('range');
    this.switch = element('fieldset', { class: 'segments' }, element('legend', { class: 'unseen' }, 'Time range of the plots'),
      ranges.map((range) => element('label', {},
        element('input', {
          type: 'radio', name, value: range.key, checked: range === this.#range, on: { change: () => this.#choose(range) },
        }), element('span', {}, range.text))));
    this.node = element('section', { class: 'card wide', 'aria-label': 'Plots' },
      element('div', { class: 'cardhead' }, element('h2', {}, 'Traffic'), this.switch), this.note, this.plots.map((plot) => plot.node));
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asked += 1;
    for (const plot of this.plots) plot.stop();
  }

  /** To be called once a frame when there is a new sample. */
  tick() {
    if (this.#range.key !== 'live') return;
    const window = model.recent.window(this.id, model.recent.capacity);
    const to = window.times.at(-1) ?? Date.now();
    const from = to - this.#range.seconds * 1000;
    // A sample comes each second, or each ten where nobody asked before.
    this.plots.forEach((plot, index) => {
      const [upper, lower] = plots[index].live;
      plot.show({ from, to, times: window.times, upper: window[upper], lower: window[lower], step: 1500 });
    });
  }

  #choose(range) {
    this.#range = range;
    clearTimeout(this.#timer);
    this.#asked += 1;
    say(this.note, '');
    if (range.key === 'live') this.tick();
    else this.#read();
  }

  async #read() {
    const range = this.#range;
    const asked = (this.#asked += 1);
    const to = model.serverNow();
    const from = to - range.seconds * 1000;
    const query = new URLSearchParams({ from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    try {
      const history = await get(`${tunnelPath(this.id)}/stats/history?${query}`);
      if (asked !== this.#asked) return;
      this.#show(history);
    } catch (error) {
      if (asked !== this.#asked) return;
      say(this.note, `The history can’t be had: ${error.message}`);
    }
    this.#timer = setTimeout(() => this.#read(), range.again * 1000);
  }

  #show(history) {
    const step = history.step_seconds * 1000;
    const from = Date.parse(history.from);
    // Each value is of the whole step, so it stands in its middle.
    const times = Array.from(history.rx_bits_per_second, (_, index) => from + (index + 0.5) * step);
    this.plots.forEach((plot, index) => {
      const [upper, lower] = plots[index].kept;
      plot.show({ from, to: Date.parse(history.to), times, upper: history[upper], lower: history[lower], step });
    });
    const known = history.rx_bits_per_second.filter((value) => value !== null).length;
    const resolution = `Each point is the mean of ${span(history.step_seconds)}.`;
    say(this.note, known ? resolution : `${resolution} Nothing is kept of this time yet.`);
  }
}

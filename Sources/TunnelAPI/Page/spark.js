// The small plot of a row: the last two minutes, received upwards and sent downwards, each row to its own scale.
import { color } from './themes.js';

const seconds = 120;

export class Spark {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.drawn = '';
    this.look = null;
  }

  /** Draws what is newest, but not the same again; `look` is another where colors or sizes may be. */
  draw(recent, id, look) {
    const key = `${id} ${recent.count} ${look}`;
    if (this.drawn === key) return;
    this.drawn = key;
    if (this.look !== look) this.#measure(look);
    const { context, width, height } = this;
    context.clearRect(0, 0, width, height);
    const middle = Math.round(height / 2);
    context.fillStyle = color('line');
    context.fillRect(0, middle, width, 1);
    const series = recent.of(id);
    if (!series || recent.count === 0) return;
    const highest = this.#highest(recent, series);
    if (highest === 0) return;
    const half = middle - 1;
    this.#bars(recent, series.rx, width, (value) => [middle - (value / highest) * half, (value / highest) * half], 'rx');
    this.#bars(recent, series.tx, width, (value) => [middle + 1, (value / highest) * half], 'tx');
  }

  /** Asks for the size, which is dear in the middle of a frame, so only when it may have changed. */
  #measure(look) {
    this.look = look;
    const scale = globalThis.devicePixelRatio || 1;
    [this.width, this.height] = [this.canvas.clientWidth || 120, this.canvas.clientHeight || 28];
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
  }

  #highest(recent, series) {
    let highest = 0;
    this.#each(recent, (position) => {
      if (series.rx[position] > highest) highest = series.rx[position];
      if (series.tx[position] > highest) highest = series.tx[position];
    });
    return highest;
  }

  #bars(recent, values, width, shape, name) {
    const newest = recent.times[(recent.count - 1) % recent.capacity];
    const step = width / seconds;
    this.context.fillStyle = color(name);
    this.#each(recent, (position) => {
      const value = values[position];
      if (!(value > 0)) return;
      const [top, high] = shape(value);
      const right = width - ((newest - recent.times[position]) / 1000) * step;
      this.context.fillRect(right - step, top, step + 0.3, Math.max(high, 0.7));
    });
  }

  #each(recent, body) {
    const newest = recent.times[(recent.count - 1) % recent.capacity];
    const length = Math.min(recent.count, recent.capacity, seconds);
    for (let back = 0; back < length; back += 1) {
      const position = (recent.count - 1 - back) % recent.capacity;
      if (newest - recent.times[position] >= seconds * 1000) return;
      body(position);
    }
  }
}

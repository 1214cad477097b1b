// The rates of the last minutes of all tunnels, in rings that share their times.

export class Recent {
  #series = new Map();

  constructor(capacity) {
    this.capacity = capacity;
    this.times = new Float64Array(capacity).fill(NaN);
    /** How many samples there were; the newest is at `(count - 1) % capacity`. */
    this.count = 0;
  }

  /** Takes the rates of one moment, in milliseconds; who has none gets a gap. */
  add(time, items) {
    if (this.count > 0 && time <= this.times[(this.count - 1) % this.capacity]) return;
    const position = this.count % this.capacity;
    this.times[position] = time;
    this.count += 1;
    for (const [id, series] of this.#series) {
      if (!items.has(id) && series.last < this.count - this.capacity) this.#series.delete(id);
      for (const name of Recent.names) series[name][position] = NaN;
    }
    for (const item of items.values()) this.#set(item, position);
  }

  #set(item, position) {
    const rates = item.rates;
    if (!rates) return;
    let series = this.#series.get(item.id);
    if (!series) this.#series.set(item.id, (series = this.#empty()));
    series.last = this.count;
    series.rx[position] = rates.rx_bits_per_second;
    series.tx[position] = rates.tx_bits_per_second;
    series.rxPackets[position] = rates.rx_packets_per_second;
    series.txPackets[position] = rates.tx_packets_per_second;
    series.errors[position] = rates.rx_errors_per_second + rates.tx_errors_per_second;
    series.dropped[position] = rates.rx_dropped_per_second + rates.tx_dropped_per_second;
  }

  #empty() {
    const series = { last: 0 };
    for (const name of Recent.names) series[name] = new Float32Array(this.capacity).fill(NaN);
    return series;
  }

  of(id) {
    return this.#series.get(id);
  }

  /** The newest `count` samples of one tunnel, the oldest first. */
  window(id, count) {
    const series = this.of(id) ?? this.#empty();
    const length = Math.min(count, this.count, this.capacity);
    const found = { times: new Float64Array(length) };
    for (const name of Recent.names) found[name] = new Float32Array(length);
    for (let index = 0; index < length; index += 1) {
      const position = (this.count - length + index) % this.capacity;
      found.times[index] = this.times[position];
      for (const name of Recent.names) found[name][index] = series[name][position];
    }
    return found;
  }

  static names = ['rx', 'tx', 'rxPackets', 'txPackets', 'errors', 'dropped'];
}

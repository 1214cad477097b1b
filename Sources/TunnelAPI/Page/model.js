// What the page knows: tunnels, their newest sample, and the change that waits to be confirmed. Kept true by two streams.
import { get, Refusal, tunnelPath } from './api.js';
import { Recent } from './recent.js';
import { Stream } from './stream.js';

/** Beyond so many at once, all are read instead. */
const fewTunnels = 12;
/** An event comes a moment before what it tells of is shown to readers. */
const settling = 120;

class Model extends EventTarget {
  /** By id. */
  tunnels = new Map();
  /** `at` is when it came, by performance.now(); `items` are by id. */
  sample = null;
  recent = new Recent(300);
  checkpoint = null;
  hostReport = null;
  isLoaded = false;
  links = { stats: { state: 'connecting' }, events: { state: 'connecting' } };
  #touched = new Map();
  #timer = null;
  #streams = [];
  #generation = 0;
  #checkpointAsked = 0;

  start() {
    this.stop();
    const follow = (name, path, silence, onEvent, more = {}) =>
      new Stream(path, {
        silence,
        onEvent,
        onState: (state, until) => {
          this.links[name] = { state, until };
          if (name === 'events' && state === 'open') this.#readAll();
          this.#tell('connection');
        },
        ...more,
      });
    this.#streams = [
      follow('stats', '/v1/stats/stream', 15_000, (event) => this.#takeSample(JSON.parse(event.data))),
      follow('events', '/v1/events', 45_000, (event) => this.#takeEvent(JSON.parse(event.data))),
    ];
    for (const stream of this.#streams) stream.start();
    document.addEventListener('visibilitychange', this.#look);
    get('/v1/host').then((report) => {
      this.hostReport = report;
      this.#tell('host');
    }, () => {});
  }

  stop() {
    this.#generation += 1;
    document.removeEventListener('visibilitychange', this.#look);
    for (const stream of this.#streams) stream.stop();
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#touched.clear();
    this.#streams = [];
    Object.assign(this, { tunnels: new Map(), sample: null, recent: new Recent(300), checkpoint: null, isLoaded: false });
    this.links = { stats: { state: 'connecting' }, events: { state: 'connecting' } };
  }

  retryNow() {
    for (const stream of this.#streams) stream.retryNow();
  }

  named(name) {
    for (const tunnel of this.tunnels.values()) if (tunnel.name === name) return tunnel;
    return null;
  }

  stats(id) {
    return this.sample?.items.get(id) ?? null;
  }

  /** The server's time in milliseconds: the reader's clock may be another. */
  serverNow() {
    return this.sample ? Date.parse(this.sample.sampledAt) + performance.now() - this.sample.at : Date.now();
  }

  /** Puts an answer to a write in its place at once; the event that follows changes nothing more. */
  put(tunnel) {
    const known = this.tunnels.get(tunnel.id);
    if (known && known.revision > tunnel.revision) return;
    this.tunnels.set(tunnel.id, tunnel);
    this.#tell('tunnels', { before: known, tunnel });
  }

  remove(id) {
    const known = this.tunnels.get(id);
    if (!known) return;
    this.tunnels.delete(id);
    this.#tell('tunnels', { before: known, tunnel: null });
  }

  async readCheckpoint() {
    const asked = (this.#checkpointAsked += 1);
    const generation = this.#generation;
    try {
      const { items } = await get('/v1/checkpoints?limit=1');
      if (asked !== this.#checkpointAsked || generation !== this.#generation) return;
      const former = this.checkpoint;
      const latest = items[0] ?? null;
      this.checkpoint = latest?.state === 'pending' ? latest : null;
      this.#tell('checkpoint', { former, latest });
    } catch {
      // It is read again with the next event, or when the stream is open again.
    }
  }

  // A browser gives one server six connections for all its tabs; one that nobody sees needs none.
  #look = () => {
    if (document.hidden) for (const stream of this.#streams) stream.stop();
    else for (const stream of this.#streams) stream.start();
  };

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #takeSample(sample) {
    const items = new Map();
    for (const item of sample.items) items.set(item.id, item);
    this.sample = { sampledAt: sample.sampled_at, at: performance.now(), interval: sample.interval_seconds, items };
    this.recent.add(Date.parse(sample.sampled_at), items);
    this.#tell('sample');
  }

  #takeEvent(event) {
    if (event.type.startsWith('checkpoint.')) this.readCheckpoint();
    if (event.tunnel) {
      const isEnd = event.type === 'deleted' || event.type === 'unmanaged';
      this.#touched.set(event.tunnel.id, isEnd ? 'absent' : `revision:${event.tunnel.revision}`);
      this.#timer ??= setTimeout(() => this.#readTouched(), settling);
    }
    this.#tell('event', event);
  }

  #readTouched() {
    const touched = [...this.#touched];
    this.#touched.clear();
    this.#timer = null;
    if (touched.length > fewTunnels) this.#readAll();
    else for (const [id, until] of touched) this.#read(id, until);
  }

  async #read(id, until) {
    const generation = this.#generation;
    try {
      const tunnel = await get(`${tunnelPath(id)}?wait=5s&until=${encodeURIComponent(until)}&until=absent`);
      if (generation !== this.#generation) return;
      if (tunnel) this.put(tunnel);
      else this.remove(id);
    } catch (error) {
      if (error instanceof Refusal && error.status === 404 && generation === this.#generation) this.remove(id);
    }
  }

  async #readAll() {
    const generation = this.#generation;
    this.readCheckpoint();
    const found = new Map();
    try {
      let cursor = '';
      do {
        const page = await get(`/v1/tunnels?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
        for (const tunnel of page.items) found.set(tunnel.id, tunnel);
        cursor = page.next_cursor;
      } while (cursor);
    } catch {
      if (generation === this.#generation) this.#timer ??= setTimeout(() => this.#again(), 2000);
      return;
    }
    if (generation !== this.#generation) return;
    const former = this.tunnels;
    this.tunnels = found;
    this.isLoaded = true;
    this.#tell('tunnels', { all: true, former });
  }

  #again() {
    this.#timer = null;
    this.#readAll();
  }
}

export const model = new Model();

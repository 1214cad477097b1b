// Server-sent events by fetch, as EventSource can't send a token. Comes again when it was cut off, later each time.
import { Refusal, send } from './api.js';

const firstWait = 500;
const longestWait = 10_000;

/** Splits chunks of text into events; a long line is joined once, however many chunks it comes in. */
export class EventReader {
  #pieces = [];
  #event = {};

  constructor(take) {
    this.take = take;
  }

  add(chunk) {
    let start = 0;
    for (let end; (end = chunk.indexOf('\n', start)) >= 0; start = end + 1) {
      this.#pieces.push(chunk.slice(start, end));
      this.#line(this.#pieces.length === 1 ? this.#pieces[0] : this.#pieces.join(''));
      this.#pieces = [];
    }
    if (start < chunk.length) this.#pieces.push(chunk.slice(start));
  }

  #line(line) {
    if (line === '' || line === '\r') {
      const event = this.#event;
      this.#event = {};
      if (event.id !== undefined || event.data !== undefined) this.take(event);
      return;
    }
    const colon = line.indexOf(':');
    if (colon <= 0) return;
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    this.#event[line.slice(0, colon)] = value.endsWith('\r') ? value.slice(0, -1) : value;
  }
}

/**
 * Follows a stream until `stop`. `onState` is told `open` and `waiting`; `onGone`, that what was missed isn't kept.
 * One that is silent for longer than `silence` is taken for dead: a cable may be cut without a word.
 */
export class Stream {
  lastID = null;
  #aborter = null;
  #timer = null;
  #wait = firstWait;
  #isStopped = true;

  constructor(path, { silence, onEvent, onState, onGone = () => {} }) {
    Object.assign(this, { path, silence, onEvent, onState, onGone });
  }

  start() {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#connect();
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#aborter?.abort();
  }

  retryNow() {
    if (this.#isStopped || this.#aborter) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  async #connect() {
    const aborter = new AbortController();
    this.#aborter = aborter;
    try {
      await this.#read(aborter);
    } catch (error) {
      if (error instanceof Refusal && error.status === 410) {
        this.lastID = null;
        this.onGone();
      }
    }
    if (this.#aborter === aborter) this.#aborter = null;
    if (this.#isStopped || this.#aborter) return;
    // Those that were cut off together don't come again together.
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(this.#wait * 2, longestWait);
    this.onState('waiting', performance.now() + wait);
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  async #read(aborter) {
    let watchdog = setTimeout(() => aborter.abort(), this.silence);
    try {
      const headers = { Accept: 'text/event-stream' };
      if (this.lastID !== null) headers['Last-Event-ID'] = this.lastID;
      const response = await send('GET', this.path, { headers, signal: aborter.signal });
      this.onState('open');
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const events = new EventReader((event) => {
        this.#wait = firstWait;
        if (event.id !== undefined) this.lastID = event.id;
        if (event.data !== undefined && !aborter.signal.aborted) this.onEvent(event);
      });
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => aborter.abort(), this.silence);
        events.add(value);
      }
    } finally {
      clearTimeout(watchdog);
      // Also ends what the pipe may still hold.
      aborter.abort();
    }
  }
}

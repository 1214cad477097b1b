// A list of any length, of which only the rows in view are in the document.

const margin = 4;

/**
 * `make` makes a row, `fill` puts item number `index` into it. Rows are used again: one that scrolls out at one end
 * comes in at the other.
 */
export class Rows {
  #pool = [];
  #count = 0;
  #height = 1;
  #viewport = 0;
  #observer;

  constructor({ scroller, body, make, fill, onResize }) {
    Object.assign(this, { scroller, body, make, fill });
    this.#observer = new ResizeObserver(([entry]) => {
      this.#viewport = entry.contentRect.height;
      onResize();
    });
    this.#observer.observe(scroller);
  }

  stop() {
    this.#observer.disconnect();
  }

  /** Sets how many there are and how high each is, in pixels. */
  measure(count, height) {
    if (count === this.#count && height === this.#height) return;
    this.#count = count;
    this.#height = height;
    this.body.style.height = `${count * height}px`;
    // Wherever they are, it is the wrong place.
    for (const row of this.#pool) row.index = null;
  }

  /** Brings the document in line with the scroll position; to be called once a frame. */
  show() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.#height) - margin);
    const last = Math.min(this.#count, first + Math.ceil(this.#viewport / this.#height) + 2 * margin);
    // A pool that grows moves rows to other places of it.
    const size = Math.max(this.#pool.length, last - first);
    while (this.#pool.length < size) this.#pool.push(this.#new());
    const used = new Set();
    for (let index = first; index < last; index += 1) {
      const row = this.#pool[index % size];
      used.add(row);
      this.#place(row, index);
      this.fill(row, index);
    }
    for (const row of this.#pool) if (!used.has(row)) this.#place(row, -1);
  }

  /** The row of an item that is in the document. */
  at(index) {
    return this.#pool.find((row) => row.index === index) ?? null;
  }

  /** Scrolls as little as it takes for an item to be seen below a head of the given height. */
  reveal(index, head) {
    const top = index * this.#height;
    const { scrollTop } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    const room = this.#viewport - head - this.#height;
    if (top > scrollTop + room) this.scroller.scrollTop = top - room;
  }

  get page() {
    return Math.max(1, Math.floor(this.#viewport / this.#height) - 1);
  }

  #new() {
    const row = this.make();
    row.index = -1;
    row.node.hidden = true;
    this.body.append(row.node);
    return row;
  }

  #place(row, index) {
    if (row.index === index) return;
    row.index = index;
    row.node.hidden = index < 0;
    if (index >= 0) row.node.style.transform = `translateY(${index * this.#height}px)`;
  }
}

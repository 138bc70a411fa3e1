// Where rows of a list stand: of one height each, or of heights that become known as rows are seen.

/** Heights of rows with their sums, in a Fenwick tree: finding and changing cost the logarithm of the number of rows. */
export class Heights {
  private known: (number | undefined)[] = [];
  private tree: number[] = [0];

  constructor(private readonly estimate: number) {}

  get count(): number {
    return this.known.length;
  }

  /** Have as many rows; new ones are of the estimated height. */
  resize(count: number): void {
    if (count < this.known.length) {
      this.known.length = count;
      this.tree.length = count + 1;
    }
    while (this.known.length < count) {
      this.known.push(undefined);
      // A node sums up as many rows before it as its lowest set bit says, itself among them.
      const at = this.known.length;
      let sum = this.estimate;
      for (let step = 1; step < (at & -at); step <<= 1) sum += this.tree[at - step]!;
      this.tree.push(sum);
    }
  }

  /** Forget what was measured, for example because the width changed. */
  reset(): void {
    const { count } = this;
    this.resize(0);
    this.resize(count);
  }

  height(index: number): number {
    return this.known[index] ?? this.estimate;
  }

  /** Set a measured height; returns by how much it differs from what was assumed. */
  set(index: number, height: number): number {
    const change = height - this.height(index);
    this.known[index] = height;
    if (change !== 0) for (let at = index + 1; at < this.tree.length; at += at & -at) this.tree[at]! += change;
    return change;
  }

  /** Where a row begins; with `count` where the list ends. */
  top(index: number): number {
    let sum = 0;
    for (let at = Math.min(index, this.count); at > 0; at -= at & -at) sum += this.tree[at]!;
    return sum;
  }

  /** The row at a place, the nearest one outside of the list. */
  at(place: number): number {
    let index = 0;
    let left = place;
    for (let step = 1 << 30; step > 0; step >>= 1) {
      const next = index + step;
      if (next < this.tree.length && this.tree[next]! <= left) {
        index = next;
        left -= this.tree[next]!;
      }
    }
    return Math.max(0, Math.min(index, this.count - 1));
  }
}

/** The same for rows that are all of one height. */
export class EvenHeights {
  count = 0;
  constructor(private readonly each: number) {}
  resize(count: number): void { this.count = count; }
  height(): number { return this.each; }
  top(index: number): number { return Math.min(index, this.count) * this.each; }
  at(place: number): number { return Math.max(0, Math.min(Math.floor(place / this.each), this.count - 1)); }
}

export interface Range {
  first: number;
  /** Behind the last. */
  end: number;
}

/** The rows to be drawn for what is seen. */
export function rangeOf(rows: { count: number; at(place: number): number }, top: number, height: number, overscan: number): Range {
  if (rows.count === 0) return { first: 0, end: 0 };
  return { first: Math.max(0, rows.at(top) - overscan), end: Math.min(rows.count, rows.at(top + height) + 1 + overscan) };
}

/** From what is drawn towards what is wanted: no more than so many rows come at once, unless nothing that is drawn stays. */
export function towards(drawn: Range, wanted: Range, atOnce: number): Range {
  if (wanted.first >= drawn.end || wanted.end <= drawn.first) return wanted;
  const end = Math.min(wanted.end, drawn.end + atOnce);
  const left = atOnce - Math.max(0, end - drawn.end);
  return { first: Math.max(wanted.first, drawn.first - left), end };
}

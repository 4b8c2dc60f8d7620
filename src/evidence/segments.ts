/** The segments of all streams, in columns: a ledger can have millions of them, and verification keeps every one until its events were seen. Pure. */
import { HASH_BYTES } from './tree.js';

/** One segment of a stream, as verification keeps it. */
export interface KeptSegment {
  /** Place of its entry in the ledger. */
  readonly n: number;
  /** Number of its first event. */
  readonly from: number;
  /** How many events; at least one. */
  readonly count: number;
  /** When it was sealed, ms since 1970. */
  readonly at: number;
  /** When the stream was sealed before; -Infinity when this is its first time. */
  readonly previousAt: number;
  /** Root over the leaves of its events. */
  readonly root: Buffer;
}

/** Means: there is no further segment. */
export const NO_SEGMENT = -1;

/** n, from, count, at, previousAt, next. */
const COLUMNS = 6;

/** Linked lists of segments, one list a stream; 80 bytes a segment. */
export class SegmentTable {
  #numbers = new Float64Array(COLUMNS * 64);
  #roots = Buffer.alloc(HASH_BYTES * 64);
  #size = 0;

  /** Adds a segment behind another one of its stream, or {@link NO_SEGMENT}; gives its index. */
  add(segment: KeptSegment, previous: number): number {
    const index = this.#size;
    if (index * COLUMNS === this.#numbers.length) this.#grow();
    const { n, from, count, at, previousAt } = segment;
    this.#numbers.set([n, from, count, at, previousAt, NO_SEGMENT], index * COLUMNS);
    segment.root.copy(this.#roots, index * HASH_BYTES);
    if (previous !== NO_SEGMENT) this.#numbers[previous * COLUMNS + COLUMNS - 1] = index;
    this.#size += 1;
    return index;
  }

  /** The segment at an index. */
  get(index: number): KeptSegment {
    const [n, from, count, at, previousAt] = this.#numbers.subarray(index * COLUMNS, (index + 1) * COLUMNS);
    const root = this.#roots.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
    return { n, from, count, at, previousAt, root } as KeptSegment;
  }

  /** Index of the next segment of the same stream, or {@link NO_SEGMENT}. */
  next(index: number): number {
    return this.#numbers[index * COLUMNS + COLUMNS - 1] as number;
  }

  #grow(): void {
    const numbers = new Float64Array(this.#numbers.length * 2);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    this.#roots = Buffer.concat([this.#roots, Buffer.alloc(this.#roots.length)]);
  }
}

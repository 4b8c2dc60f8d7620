/** Events that wait for storage, in order, bounded by bytes; an event leaves only when its fate is known. It knows no database. */
import { AuditWriteError } from '../errors.js';
import { type Entry, forgetCaller, type Outbox } from './outbox.js';
import type { Bound, Queue } from './queue.js';
import type { UnnumberedEvent } from './store.js';
import { createStream, type Stream } from './stream.js';

/** What failures that name no actor may fill: anybody can cause them, and the rest is for evidence that names someone. */
export const NAMELESS_SHARE: number = 1 / 4;

/** Compact the array when this many settled entries lead it. */
const COMPACT_AT = 4096;

/** What bounds the queue, and who numbers it. */
export interface PendingLimits {
  /** How long a caller waits. */
  readonly timeoutMs: number;
  /** How many bytes may wait. */
  readonly maxBytes: number;
  /** Bytes that wait elsewhere and count against the same bound. @defaultValue none */
  readonly otherBytes?: () => number;
  /** @defaultValue a stream of its own */
  readonly numbers?: Stream;
}

/** Length of a stream's name in an `_id`. */
const STREAM_LENGTH = 26;

/**
 * A queue whose front is the batch in flight: entries stay in place until `settle`, so that a batch can be sent again as it was.
 * Positions are absolute: they count every entry ever added.
 */
export class Pending implements Outbox, Queue {
  /** Nothing is on disk. */
  readonly spooled = 0;
  /** Nothing is on disk. */
  readonly spoolBytes = 0;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  readonly #otherBytes: () => number;
  readonly #numbers: Stream;
  #entries: Entry[] = [];
  /** Index in `#entries` of the oldest unsettled entry. */
  #front = 0;
  /** Position of `#entries[0]`. */
  #base = 0;
  /** Position up to which waiting callers were told that it takes too long. */
  #expired = 0;
  #bytes = 0;
  #namelessBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #waiters: { position: number; resolve: () => void }[] = [];

  constructor(limits: PendingLimits) {
    this.#timeoutMs = limits.timeoutMs;
    this.#maxBytes = limits.maxBytes;
    this.#otherBytes = limits.otherBytes ?? (() => 0);
    this.#numbers = limits.numbers ?? createStream();
  }

  /** The stream of the event that is sent next. */
  get stream(): string {
    const id = this.#entries[this.#front]?.event._id ?? '';
    return id === '' ? this.#numbers.id : id.slice(0, STREAM_LENGTH);
  }

  /** What waits here is sent from here. */
  get outbox(): Outbox {
    return this;
  }

  /** Why there is no room. */
  get bound(): Bound {
    return { reason: 'memory_full', text: `${this.#maxBytes} bytes of events wait for MongoDB` };
  }

  /** How many events wait. */
  get size(): number {
    return this.#entries.length - this.#front;
  }

  /** How many bytes wait, those of events in preparation included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Those of failures that name no actor. */
  get namelessBytes(): number {
    return this.#namelessBytes;
  }

  /** When the oldest waiting event was accepted, on the monotonic clock. */
  get oldestMs(): number | undefined {
    return this.#entries[this.#front]?.acceptedMs;
  }

  /**
   * Takes room for an event; false when there is none. An event larger than the bound passes when nothing else waits. A failure that names no
   * actor also needs room in the quarter that such failures share.
   */
  reserve(bytes: number, isNameless: boolean = false): boolean {
    const waiting = this.#bytes + this.#otherBytes();
    if (waiting > 0 && waiting + bytes > this.#maxBytes) return false;
    if (isNameless) {
      const isFull = this.#namelessBytes + bytes > this.#maxBytes * NAMELESS_SHARE;
      if (this.#namelessBytes > 0 && isFull) return false;
      this.#namelessBytes += bytes;
    }
    this.#bytes += bytes;
    return true;
  }

  /** Gives back room that was reserved and not used. */
  release(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Adds an entry whose room is reserved. */
  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#watch();
  }

  /** Adds an entry beyond the bound: the few that say what was lost. */
  pushAnyway(entry: Entry): void {
    this.#bytes += entry.bytes;
    this.push(entry);
  }

  /** The entries at the front, numbered, all of one stream, bounded by number and bytes; at least one when any waits. They stay in the queue. */
  peek(maxCount: number, maxBytes: number): Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    let stream = '';
    for (let index = this.#front; index < this.#entries.length && batch.length < maxCount; index += 1) {
      const entry = this.#entries[index] as Entry;
      bytes += entry.bytes;
      if (batch.length > 0 && bytes > maxBytes) break;
      if (entry.event._id === '') entry.event._id = this.#numbers.next();
      if (index === this.#front) stream = entry.event._id.slice(0, STREAM_LENGTH);
      else if (!entry.event._id.startsWith(stream)) break;
      batch.push(entry);
    }
    return batch;
  }

  /** Takes the first `count` entries out of the queue: their fate is known. `wake` when their callers were told. */
  settle(count: number): Entry[] {
    const settled = this.#entries.slice(this.#front, this.#front + count);
    this.#free(settled);
    this.#front += settled.length;
    this.#expired = Math.max(this.#expired, this.#base + this.#front);
    if (this.#front >= COMPACT_AT || this.#front === this.#entries.length) this.#compact();
    return settled;
  }

  /** Resolves when everything that waits now is settled. */
  drained(): Promise<void> {
    const position = this.#base + this.#entries.length;
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ position, resolve }));
  }

  /** Without a disk durable is what the store has. */
  durable(): Promise<void> {
    return this.drained();
  }

  /** Nothing is on disk. */
  acceptSpooled(): void {}

  /** There is no disk. */
  keep(): Promise<void> {
    return Promise.resolve();
  }

  /** All of it is in memory only. */
  abandon(): Entry[] {
    return this.settle(this.size);
  }

  /** Lets go who waits in `drained` for what is settled by now. */
  wake(): void {
    const settledUpTo = this.#base + this.#front;
    const due = this.#waiters.filter((waiter) => waiter.position <= settledUpTo);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.position > settledUpTo);
    for (const waiter of due) waiter.resolve();
  }

  /** Nobody waits for less than what the server takes. */
  holdUp(): void {}

  /** All that was numbered already is numbered anew when it is sent. */
  leaveStream(): Promise<void> {
    this.#numbers.leave();
    this.forgetNumbers();
    return Promise.resolve();
  }

  /** Takes the event's place in memory. */
  replace(entry: Entry, event: UnnumberedEvent): Promise<void> {
    entry.event = event;
    return Promise.resolve();
  }

  /** What waits has no number any more. */
  forgetNumbers(): void {
    this.change((event) => (event._id === '' ? event : { ...event, _id: '' }));
  }

  /** All that waits; it stays. */
  peekAll(): Entry[] {
    return this.#entries.slice(this.#front);
  }

  /** Changes the waiting events in place. */
  change(apply: (event: UnnumberedEvent) => UnnumberedEvent): void {
    for (let index = this.#front; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index] as Entry;
      entry.event = apply(entry.event);
    }
  }

  /** Takes out entries that were accepted and for which there is no room after all; what has a number stays. */
  takeOut(isExcess: (entry: Entry) => boolean): Entry[] {
    const taken = new Set(this.peekAll().filter((entry) => entry.event._id === '' && isExcess(entry)));
    const isTaken = (entry: Entry): boolean => taken.has(entry);
    this.#expired -= this.#entries.slice(0, this.#expired - this.#base).filter(isTaken).length;
    this.#entries = this.#entries.filter((entry) => !isTaken(entry));
    this.#free([...taken]);
    return [...taken];
  }

  #free(entries: readonly Entry[]): void {
    for (const { bytes, isNameless } of entries) {
      this.#bytes -= bytes;
      if (isNameless === true) this.#namelessBytes -= bytes;
    }
  }

  #compact(): void {
    this.#entries.splice(0, this.#front);
    this.#base += this.#front;
    this.#front = 0;
  }

  /** One timer for all: every entry waits equally long, so the oldest is always the next to be told. */
  #watch(): void {
    const next = this.#entries[this.#expired - this.#base];
    if (this.#timer !== undefined || next === undefined) return;
    const delayMs = Math.max(0, next.acceptedMs + this.#timeoutMs - performance.now());
    this.#timer = setTimeout(() => this.#expire(), delayMs);
    this.#timer.unref();
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (;;) {
      const entry = this.#entries[this.#expired - this.#base];
      if (entry === undefined || entry.acceptedMs + this.#timeoutMs > now) break;
      this.#expired += 1;
      entry.reject(tooLate(this.#timeoutMs));
      forgetCaller(entry);
    }
    this.#watch();
  }
}

/** For how many acts the entries stand. */
export function countActs(entries: readonly Entry[]): number {
  return entries.reduce((sum, { acts = 1 }) => sum + acts, 0);
}

/** Says that a wait was cut short while the event stays queued. */
export function tooLate(timeoutMs: number): AuditWriteError {
  return new AuditWriteError(
    'AUDIT_UNAVAILABLE',
    `the event was not durable within ${timeoutMs} ms; it stays queued and is stored when MongoDB takes it`,
  );
}

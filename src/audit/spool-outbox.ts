/** Spooled events on their way to the store: a window of them in memory, the rest in the log, read again in order. It knows neither their callers nor the database. */
import { weigh } from './compose.js';
import { createEntry, type Entry, type Outbox } from './outbox.js';
import type { Pending } from './pending.js';
import { type SpoolChange, SpoolChanges } from './spool-changes.js';
import type { OnDamage, SpoolLog } from './spool-log.js';
import type { AuditEvent } from '../event.js';
import type { UnnumberedEvent } from './store.js';
import type { Stream } from './stream.js';

/** What it works with. */
export interface SpoolOutboxParts {
  /** What is in memory. */
  readonly window: Pending;
  /** How many bytes of memory may be filled. */
  readonly windowBytes: number;
  readonly numbers: Stream;
  readonly damage: OnDamage;
  /** Takes an event that says what was lost. */
  readonly pushGap: (entry: Entry) => void;
  /** Keeps an event that can never be stored. May reject. */
  readonly quarantine: (event: AuditEvent, reason: string) => Promise<void>;
  /** There is something to send. */
  readonly onReady: () => void;
  /** The log does not give the rest; `leave` is to follow. */
  readonly onUnreadable: (error: unknown) => void;
  /** So many are not here any more and will not be sent from here. */
  readonly onGone: (count: number) => void;
  /** So many are stored: there is room. */
  readonly onSettled: (count: number) => void;
  /** The store takes nothing for now. */
  readonly onHoldUp: () => void;
  /** New numbers for what is not here yet. */
  readonly onMove: (apply: (event: UnnumberedEvent) => UnnumberedEvent) => void;
}

/** Spooled events, in order. */
export class SpoolOutbox implements Outbox {
  readonly #parts: SpoolOutboxParts;
  #log: SpoolLog | undefined;
  #isReading = false;
  #reading: Promise<void> = Promise.resolve();
  /** Entries in memory that stand in a log that is not ours any more. */
  readonly #foreign = new WeakSet<Entry>();
  #isStopped = false;
  #spillSinceMs = 0;

  constructor(parts: SpoolOutboxParts) {
    this.#parts = parts;
  }

  /** The stream of the event that is sent next. */
  get stream(): string {
    const { window } = this.#parts;
    return window.size > 0 ? window.stream : (this.#log?.nextStream ?? window.stream);
  }

  /** Events that wait. */
  get size(): number {
    return this.#parts.window.size + (this.#log?.unread ?? 0);
  }

  /** When the oldest of them was accepted, about. */
  get oldestMs(): number | undefined {
    return this.#parts.window.oldestMs ?? (this.isCaughtUp ? undefined : this.#spillSinceMs);
  }

  /** Whether all that waits is in memory. */
  get isCaughtUp(): boolean {
    return !this.#isReading && this.#log?.hasUnread !== true;
  }

  /** Whether what comes next may stay in memory. */
  hasRoomFor(bytes: number): boolean {
    return this.isCaughtUp && this.#parts.window.bytes + bytes <= this.#parts.windowBytes;
  }

  /** Sends what this log holds; undefined: all of the last one is sent. */
  use(log: SpoolLog | undefined): void {
    this.#log = log;
    this.refill();
  }

  /**
   * The log's folder is not there any more: someone else has it, since this process was taken for dead, and sends the rest; or it was removed, and the
   * rest is lost. What is in memory is sent all the same. Never rejects.
   */
  async leave(): Promise<void> {
    const log = this.#log;
    await this.#reading;
    if (log === undefined || this.#log !== log) return;
    this.#log = undefined;
    const { unread } = log;
    const inMemory = this.#parts.window.peekAll().filter((entry) => entry.spooled === true);
    for (const entry of inMemory) this.#foreign.add(entry);
    this.#parts.onGone(unread);
    if (!(await log.isRemoved())) return;
    for (const entry of inMemory) entry.spooled = false;
    if (unread > 0) this.#parts.damage.gone(unread);
  }

  /** Adds entries behind all others; only when it is caught up. */
  deliver(entries: readonly Entry[]): void {
    for (const entry of entries) this.#parts.window.pushAnyway(entry);
    this.#parts.onReady();
  }

  /** @see Outbox.peek */
  peek(maxCount: number, maxBytes: number): Entry[] {
    return this.#parts.window.peek(maxCount, maxBytes);
  }

  /** @see Outbox.settle */
  settle(count: number): Entry[] {
    const settled = this.#parts.window.settle(count);
    const spooled = settled.filter((entry) => entry.spooled === true && !this.#foreign.has(entry)).length;
    if (spooled > 0) this.#log?.acknowledge(spooled);
    this.refill();
    if (settled.length > 0) this.#parts.onSettled(settled.length);
    return settled;
  }

  /** Nobody waits here: the intake has the callers. */
  wake(): void {}

  /** @see Outbox.pushAnyway */
  pushAnyway(entry: Entry): void {
    this.#parts.pushGap(entry);
  }

  /** @see Outbox.holdUp */
  holdUp(): void {
    this.#parts.onHoldUp();
  }

  /** New numbers are noted on disk before they are sent: after a crash they are the same. */
  async leaveStream([first]: readonly Entry[]): Promise<void> {
    if (first === undefined) return;
    const from = first.event._id;
    const move: SpoolChange = { kind: 'move', from, to: this.#parts.numbers.move(from) };
    const once = new SpoolChanges();
    once.add(move);
    const apply = (event: UnnumberedEvent): UnnumberedEvent => once.apply(event);
    this.#parts.window.change(apply);
    this.#parts.onMove(apply);
    if (first.spooled === true) await this.#log?.change(move);
  }

  /** What takes its number is on disk before it is sent, and it itself is kept. */
  async replace(entry: Entry, event: UnnumberedEvent, reason: string): Promise<void> {
    await this.#parts.quarantine(entry.event, reason).catch(() => undefined);
    if (entry.spooled === true) await this.#log?.change({ kind: 'replace', event });
    entry.event = event;
  }

  /** Reads the next file when what is in memory is nearly sent. */
  refill(): void {
    const { window, windowBytes } = this.#parts;
    const log = this.#log;
    if (log === undefined || this.#isReading || this.#isStopped || !log.hasUnread) return;
    if (window.oldestMs !== undefined) this.#spillSinceMs = window.oldestMs;
    if (window.size > 0 && window.bytes > windowBytes / 2) return;
    this.#isReading = true;
    this.#reading = this.#read(log);
  }

  /** Reads nothing more. */
  stop(): void {
    this.#isStopped = true;
  }

  async #read(log: SpoolLog): Promise<void> {
    try {
      const events = await log.readNext(this.#parts.damage);
      // Someone may have begun to write under their numbers while they were read.
      if (this.#log === log) this.#push(events.map((event) => log.changes.apply(event)));
      this.#isReading = false;
    } catch (error) {
      this.#isReading = false;
      if (this.#log === log) this.#parts.onUnreadable(error);
      return;
    }
    this.#parts.onReady();
    this.refill();
  }

  #push(events: readonly AuditEvent[]): void {
    for (const event of events) this.#parts.window.pushAnyway(createEntry(event, weigh(event), true));
  }
}

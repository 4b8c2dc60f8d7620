/** The spool of one instance: accepted events go to the disk in groups, are durable then, and wait there for the store. It knows no database. */
import type { AuditEvent } from '../event.js';
import type { HookBus } from '../hooks.js';
import type { ResolvedSpoolOptions } from './options.js';
import { nextTurn } from './next-turn.js';
import { type Entry, tellDurable } from './outbox.js';
import { Pending } from './pending.js';
import type { Bound, Queue } from './queue.js';
import type { SpoolDirectory } from './spool-directory.js';
import { SpoolDisk } from './spool-disk.js';
import type { OnDamage } from './spool-log.js';
import { SpoolOutbox } from './spool-outbox.js';
import { SpoolRoom } from './spool-room.js';
import { SpoolWaiters } from './spool-waiters.js';
import { createStream, type Stream } from './stream.js';

/** What a spool works with. */
export interface SpoolParts {
  readonly options: ResolvedSpoolOptions;
  /** The trail's collection. */
  readonly collection: string;
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  readonly hooks: HookBus;
  readonly damage: OnDamage;
  /** Entries that were accepted before it was known that there is no room for them. */
  readonly onExcess: (entries: readonly Entry[], bound: Bound) => void;
  /** There is something to send. */
  readonly onReady: () => void;
  /** The directory is there: what dead processes left may be taken over. */
  readonly onOpen: (directory: SpoolDirectory) => void;
}

/** A group that is written and flushed together. */
const MAX_GROUP_EVENTS = 2000;
const MAX_GROUP_BYTES = 8 * 1024 * 1024;
/** What part of the memory events may fill that are on disk already. */
const WINDOW_SHARE = 2;

/** Accepted events on their way through the disk. */
export class Spool implements Queue {
  readonly outbox: SpoolOutbox;
  /** What all processes that share the directory leave. */
  readonly room: SpoolRoom;
  readonly #parts: SpoolParts;
  readonly #numbers: Stream = createStream();
  readonly #window: Pending;
  /** What is not on disk yet. */
  readonly #intake: Pending;
  readonly #disk: SpoolDisk;
  readonly #waiters = new SpoolWaiters({
    waiting: () => this.size,
    onDisk: () => (this.#disk.isDown ? 0 : this.outbox.size),
    onProgress: () => {
      if (this.#intake.size > 0) this.start();
    },
  });
  #isSpoolFull = false;
  #lastDurableAt: Date | null = null;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: SpoolParts) {
    this.#parts = parts;
    const { timeoutMs, maxPendingBytes: maxBytes } = parts;
    this.#window = new Pending({ timeoutMs, maxBytes, numbers: this.#numbers });
    const otherBytes = (): number => this.#window.bytes;
    this.#intake = new Pending({ timeoutMs, maxBytes, otherBytes, numbers: this.#numbers });
    this.room = new SpoolRoom({ maxBytes: parts.options.maxBytes, ownLog: () => this.#disk.log });
    this.#disk = new SpoolDisk({
      ...parts,
      onOpen: (directory) => this.#begin(directory),
      onLog: (log) => {
        if (log === undefined) void this.outbox.leave();
        else this.outbox.use(log);
      },
      onTurn: () => {
        this.#intake.forgetNumbers();
        this.#numbers.leave();
      },
    });
    this.outbox = new SpoolOutbox({
      window: this.#window,
      windowBytes: maxBytes / WINDOW_SHARE,
      numbers: this.#numbers,
      damage: parts.damage,
      pushGap: (entry) => this.pushAnyway(entry),
      quarantine: (event, reason) => this.quarantine(event, reason),
      onReady: parts.onReady,
      onUnreadable: (error) => {
        this.#disk.fail(error);
        void this.outbox.leave();
      },
      onGone: (count) => this.#waiters.noteGone(count),
      onSettled: (count) => this.#waiters.noteStored(count),
      onHoldUp: () => this.#waiters.noteHeldUp(),
      onMove: (apply) => this.#intake.change(apply),
    });
  }

  /** Events that wait. */
  get size(): number {
    return this.#intake.size + this.outbox.size;
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.#intake.bytes + this.#window.bytes;
  }

  /** Events on disk. */
  get spooled(): number {
    return this.#disk.log?.size ?? 0;
  }

  /** Bytes on disk. */
  get spoolBytes(): number {
    return this.#disk.log?.bytes ?? 0;
  }

  /** When the oldest event was accepted. */
  get oldestMs(): number | undefined {
    return this.outbox.oldestMs ?? this.#intake.oldestMs;
  }

  /** The bound that is reached. */
  get bound(): Bound {
    const { maxPendingBytes } = this.#parts;
    return this.#isSpoolFull
      ? this.#spoolBound
      : { reason: 'memory_full', text: `${maxPendingBytes} bytes of events wait for the disk or MongoDB` };
  }

  get #spoolBound(): Bound {
    return { reason: 'spool_full', text: `${this.#parts.options.maxBytes} bytes of events wait in the spool` };
  }

  /** @see Queue.reserve */
  reserve(bytes: number, isNameless: boolean = false): boolean {
    this.#isSpoolFull = !this.#disk.isDown && !this.room.fits({ bytes, isNameless }, this.#intake);
    return !this.#isSpoolFull && this.#intake.reserve(bytes, isNameless);
  }

  /** @see Queue.release */
  release(bytes: number): void {
    this.#intake.release(bytes);
  }

  /** @see Queue.push */
  push(entry: Entry): void {
    this.#intake.push(entry);
    this.start();
  }

  /** Adds an entry beyond the bounds: the few that say what was lost. */
  pushAnyway(entry: Entry): void {
    this.#intake.pushAnyway(entry);
    this.start();
  }

  /** Begins to write after this turn of the event loop, so that what is recorded together is flushed together. */
  start(): void {
    if (this.#running !== undefined || this.#isStopped) return;
    this.#running = nextTurn().then(() => this.#run());
  }

  /** @see Queue.drained */
  drained(): Promise<void> {
    return this.#waiters.wait(false);
  }

  /** @see Queue.durable */
  durable(): Promise<void> {
    return this.#waiters.wait(true);
  }

  /** @see Queue.wake */
  wake(): void {
    this.#waiters.wake();
  }

  /** @see Queue.acceptSpooled */
  acceptSpooled(): void {
    this.#waiters.hurry();
  }

  /** @see Queue.keep */
  async keep(): Promise<void> {
    while (this.#intake.size > 0 && !this.#disk.isDown && !this.#isStopped) {
      this.start();
      await this.#running;
    }
  }

  /** @see Queue.abandon */
  abandon(): Entry[] {
    this.#isStopped = true;
    this.outbox.stop();
    const inMemory = this.#window.peekAll().filter((entry) => entry.spooled !== true);
    return [...inMemory, ...this.#intake.settle(this.#intake.size)];
  }

  /** When events were last safe on disk. */
  get lastDurableAt(): Date | null {
    return this.#lastDurableAt;
  }

  /** Opens the directory, also before the first event. Never rejects. */
  async open(): Promise<void> {
    if (!this.#isStopped) await this.#disk.open();
  }

  /** Keeps an event that can never be stored. Rejects when the disk does not take it. */
  async quarantine(event: AuditEvent, reason: string): Promise<void> {
    await this.#disk.directory?.quarantine(event, reason);
  }

  /** Closes the files; what waits in them stays. */
  async close(): Promise<void> {
    this.#isStopped = true;
    this.outbox.stop();
    this.room.end();
    await this.#disk.close();
  }

  async #run(): Promise<void> {
    let attempt = this.#append();
    while (attempt !== undefined) {
      const spooled = await attempt;
      // The next group is on its way to the disk before callers hear of this one, as the writer does it.
      attempt = spooled.length === 0 ? undefined : this.#append();
      if (attempt !== undefined) await nextTurn();
      for (const entry of spooled) tellDurable(entry, this.#parts.hooks);
      this.wake();
      if (attempt === undefined && !this.#mustPause()) attempt = this.#append();
    }
    this.#running = undefined;
  }

  /** Without the disk, what waits goes on to the store when there is room, in order. */
  #mustPause(): boolean {
    return this.#disk.isDown && !this.outbox.hasRoomFor(0);
  }

  /** Writes and flushes what waits; undefined when nothing does. */
  #append(): Promise<Entry[]> | undefined {
    if (this.#isStopped || this.#intake.size === 0) return undefined;
    return this.#commit().catch((error: unknown) => {
      this.#disk.fail(error);
      return [];
    });
  }

  /** Gives the entries that are on disk now. */
  async #commit(): Promise<Entry[]> {
    const log = await this.#disk.open();
    const group = this.#intake.peek(MAX_GROUP_EVENTS, MAX_GROUP_BYTES);
    if (log === undefined) return this.#passOn(group);
    const isKept = this.outbox.hasRoomFor(group.reduce((sum, { bytes }) => sum + bytes, 0));
    await log.append(
      group.map(({ event }) => event),
      isKept,
    );
    if (this.#isStopped) return [];
    this.#intake.settle(group.length);
    for (const entry of group) entry.spooled = entry.isDurable = true;
    this.#lastDurableAt = new Date();
    this.room.noteWritten();
    if (isKept) this.outbox.deliver(group);
    else this.outbox.refill();
    return group;
  }

  /** They are durable when the store has them. */
  #passOn(group: readonly Entry[]): [] {
    if (this.outbox.hasRoomFor(0)) this.outbox.deliver(this.#intake.settle(group.length));
    return [];
  }

  /** What was accepted before anyone could look at the directory has to fit too: or processes that die one after another would fill the disk. */
  async #begin(directory: SpoolDirectory): Promise<void> {
    await this.room.begin(directory);
    if (!this.#disk.isDown) this.#refuseExcess();
    this.#parts.onOpen(directory);
  }

  #refuseExcess(): void {
    const excess = this.room.takeExcess(this.#intake);
    if (excess.length === 0) return;
    this.#parts.onExcess(excess, this.#spoolBound);
    this.#waiters.noteGone(excess.length);
  }
}

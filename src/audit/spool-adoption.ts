/** Sends what dead processes left in the spool, log by log, under the numbers that they gave. It knows no database. */
import type { Outbox } from './outbox.js';
import { Pending } from './pending.js';
import type { Spool } from './spool.js';
import type { SpoolDirectory } from './spool-directory.js';
import type { OnDamage, SpoolLog } from './spool-log.js';
import { SpoolOutbox } from './spool-outbox.js';
import { createStream, type Stream } from './stream.js';
import type { Writer } from './writer.js';

/** What it works with. */
export interface SpoolAdoptionParts {
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  /** The living instance's own spool. */
  readonly spool: Pick<Spool, 'pushAnyway' | 'quarantine' | 'room'>;
  readonly damage: OnDamage;
  readonly createWriter: (outbox: Outbox) => Writer;
}

/** How often it is looked whether someone died. */
const LOOK_EVERY_MS = 10_000;

/** What one instance takes over. */
export class SpoolAdoption {
  readonly #parts: SpoolAdoptionParts;
  readonly #numbers: Stream = createStream();
  readonly #window: Pending;
  readonly #outbox: SpoolOutbox;
  readonly #writer: Writer;
  #directory: SpoolDirectory | undefined;
  #log: SpoolLog | undefined;
  #timer: NodeJS.Timeout | undefined;
  #look: Promise<void> = Promise.resolve();
  #onEmpty: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: SpoolAdoptionParts) {
    this.#parts = parts;
    const { timeoutMs, maxPendingBytes, spool, damage } = parts;
    // It counts against the same memory: it goes on with the next file when this one is sent.
    this.#window = new Pending({ timeoutMs, maxBytes: maxPendingBytes, numbers: this.#numbers });
    this.#outbox = new SpoolOutbox({
      window: this.#window,
      windowBytes: 0,
      numbers: this.#numbers,
      damage,
      pushGap: (entry) => spool.pushAnyway(entry),
      quarantine: (event, reason) => spool.quarantine(event, reason),
      onReady: () => this.#proceed(),
      onUnreadable: () => void this.#outbox.leave(),
      onGone: () => this.#proceed(),
      onSettled: () => this.#proceed(),
      onHoldUp: () => undefined,
      onMove: () => undefined,
    });
    this.#writer = parts.createWriter(this.#outbox);
  }

  /** Events that were taken over and are not stored yet. */
  get size(): number {
    return this.#log === undefined ? 0 : this.#outbox.size;
  }

  /** Their bytes on disk. */
  get bytes(): number {
    return this.#log?.bytes ?? 0;
  }

  /** The directory is there: look now, and from now on now and then. */
  begin(directory: SpoolDirectory): void {
    this.#directory = directory;
    this.#tick();
  }

  /** Takes nothing more over. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Stops; what was not sent stays on disk for someone else. */
  async close(): Promise<void> {
    this.stop();
    this.#outbox.stop();
    this.#writer.stop();
    this.#onEmpty?.();
    await this.#look;
  }

  #tick(): void {
    clearTimeout(this.#timer);
    this.#look = this.#look.then(() => this.#adoptAll()).catch(() => undefined);
    void this.#look.then(() => {
      if (this.#isStopped) return;
      this.#timer = setTimeout(() => this.#tick(), LOOK_EVERY_MS);
      this.#timer.unref();
    });
  }

  async #adoptAll(): Promise<void> {
    const directory = this.#directory;
    if (directory === undefined) return;
    for (;;) {
      const log = this.#isStopped ? undefined : await directory.adoptLog();
      if (log === undefined) return;
      await this.#send(log);
    }
  }

  async #send(log: SpoolLog): Promise<void> {
    // The end came while it was taken over: it stays for someone else, and nobody would let go of it here.
    if (this.#isStopped) return log.close();
    const { room } = this.#parts.spool;
    this.#log = log;
    room.adopt(log);
    const sent = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    this.#outbox.use(log);
    this.#proceed();
    await sent;
    this.#log = undefined;
    this.#outbox.use(undefined);
    this.#window.settle(this.#window.size);
    await log.close();
    room.adopt(undefined);
  }

  #proceed(): void {
    if (this.#log === undefined) return;
    if (this.#window.size === 0 && this.#outbox.isCaughtUp) this.#onEmpty?.();
    else this.#writer.start();
  }
}

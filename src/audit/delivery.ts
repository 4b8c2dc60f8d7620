/** How accepted events get to the store: through memory, or through the spool, with what dead processes left there. It knows no draft and no database. */
import type { HookBus } from '../hooks.js';
import type { AuditEvent } from '../event.js';
import type { Composed } from './compose.js';
import type { GapMeta, Losses } from './losses.js';
import type { ResolvedRecordingOptions } from './options.js';
import { createEntry, type Entry } from './outbox.js';
import { countActs, Pending } from './pending.js';
import { noRoom, type Queue } from './queue.js';
import { Spool } from './spool.js';
import { SpoolAdoption } from './spool-adoption.js';
import type { OnDamage } from './spool-log.js';
import { streamOf } from './stream.js';
import { Writer, type WriterParts } from './writer.js';

/** What becomes of streams of dead processes whose events come out of the spool. */
export interface AdoptedStreams {
  /** Makes known that the stream is not over, before events of it are sent; false when that got no answer. MUST NOT reject. */
  readonly open: (id: string) => Promise<boolean>;
  /** Events of it are stored. MUST NOT throw. */
  readonly add: (id: string) => void;
}

/** What a delivery works with. */
export interface DeliveryParts extends Omit<WriterParts, 'pending' | 'createGap'> {
  readonly options: ResolvedRecordingOptions;
  /** The trail's collection. */
  readonly collection?: string;
  readonly losses: Losses;
  readonly hooks: HookBus;
  readonly createGap: (meta: GapMeta) => Composed;
  readonly adopted?: AdoptedStreams;
}

const NOT_SEALED: AdoptedStreams = { open: () => Promise.resolve(true), add: () => undefined };

/** The way of one instance's events. */
export class Delivery {
  readonly queue: Queue;
  readonly #writer: Writer;
  readonly #spool: Spool | null;
  readonly #adoption: SpoolAdoption | null;

  constructor(parts: DeliveryParts) {
    const { timeoutMs, maxPendingBytes: maxBytes, spool } = parts.options;
    this.#spool = spool === false ? null : this.#createSpool(parts);
    this.#adoption = this.#spool === null ? null : createAdoption(parts, this.#spool);
    this.queue = this.#spool ?? new Pending({ timeoutMs, maxBytes });
    this.#writer = new Writer({ ...parts, pending: this.queue.outbox });
  }

  /** The stream that is written now. */
  get stream(): string {
    return this.#writer.stream;
  }

  /** Events stored so far. */
  get recorded(): number {
    return this.#writer.recorded;
  }

  /** When an event was last made durable. */
  get lastDurableAt(): Date | null {
    const stored = this.#writer.lastDurableAt;
    const spooled = this.#spool?.lastDurableAt ?? null;
    return (spooled?.getTime() ?? 0) > (stored?.getTime() ?? 0) ? spooled : stored;
  }

  /** Events that wait on disk, those of dead processes included that this one took over. */
  get spooled(): number {
    return this.queue.spooled + (this.#adoption?.size ?? 0);
  }

  /** Bytes that they take there. */
  get spoolBytes(): number {
    return this.queue.spoolBytes + (this.#adoption?.bytes ?? 0);
  }

  /** Something was put into the queue. */
  start(): void {
    if (this.#spool === null) this.#writer.start();
    else this.#spool.start();
  }

  /** Opens the spool, and takes over what waits there. Never rejects. */
  async open(): Promise<void> {
    await this.#spool?.open();
  }

  /** Cuts waits between two attempts short: the end is near. */
  hurry(): void {
    this.#writer.hurry();
    this.#adoption?.stop();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#writer.stop();
  }

  /** Closes what is on disk; what waits there stays. */
  async close(): Promise<void> {
    await this.#adoption?.close();
    await this.#spool?.close();
  }

  #createSpool(parts: DeliveryParts): Spool {
    const { options, collection = 'audit_events', hooks, losses } = parts;
    return new Spool({
      options: options.spool as Exclude<typeof options.spool, false>,
      collection,
      timeoutMs: options.timeoutMs,
      maxPendingBytes: options.maxPendingBytes,
      hooks,
      damage: createDamage(parts, (gap) => this.#spool?.pushAnyway(gap)),
      onExcess: (entries, bound) => {
        losses.note(bound.reason, { count: countActs(entries) });
        for (const entry of entries) entry.reject(noRoom(bound));
      },
      onReady: () => this.#writer.start(),
      onOpen: (directory) => this.#adoption?.begin(directory),
    });
  }
}

/** What is gone is counted and told, and an `audit.gap` stands for it: at its number, or on its own where that is not known. */
function createDamage({ losses, createGap }: DeliveryParts, push: (gap: Entry) => void): OnDamage {
  const tell = (reason: string, lost: number): void => {
    losses.note(reason, { count: lost, gap: false });
    const { event, bytes } = createGap({ lost, reason });
    // It stands for no act: what it tells of is counted.
    push({ ...createEntry(event, bytes), acts: 0 });
  };
  return {
    fill(): AuditEvent {
      losses.note('spool_damaged', { gap: false });
      return createGap({ lost: 1, reason: 'spool_damaged' }).event;
    },
    lose: (count) => tell('spool_damaged', count),
    gone: (count) => tell('spool_gone', count),
  };
}

function createAdoption(parts: DeliveryParts, spool: Spool): SpoolAdoption {
  const { adopted = NOT_SEALED } = parts;
  return new SpoolAdoption({
    timeoutMs: parts.options.timeoutMs,
    maxPendingBytes: parts.options.maxPendingBytes,
    spool,
    damage: createDamage(parts, (gap) => spool.pushAnyway(gap)),
    createWriter: (pending) =>
      new Writer({
        ...parts,
        pending,
        openStream: adopted.open,
        onStored: (events) => adopted.add(streamOf(events[0]?._id ?? '')),
      }),
  });
}

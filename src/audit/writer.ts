/** Moves waiting events into the store: numbered, in ordered batches, one in flight, each event once. It knows no database and no request. */
import { canonicalLine } from '../evidence/line.js';
import { AuditWriteError, warnOnce } from '../errors.js';
import type { AuditDraft, AuditEvent } from '../event.js';
import type { HookBus } from '../hooks.js';
import type { RaiseAlarm } from './alarm.js';
import { createBackoff } from './backoff.js';
import type { GapMeta, Losses } from './losses.js';
import { nextTurn } from './next-turn.js';
import { createEntry, type Entry, isAwaited, type Outbox, tellDurable } from './outbox.js';
import { countActs } from './pending.js';
import type { AuditStore, InsertOutcome, UnnumberedEvent } from './store.js';
import { streamOf } from './stream.js';

/** Larger batches gain nothing; ones of 1,000 cost a fifteenth of the speed, ones of 250 a third. */
const MAX_BATCH_EVENTS = 2000;
/** Events that nobody waits for, after an outage a great many, go in parts that hold up requests for no longer than one of them takes. */
const UNAWAITED_BATCH_EVENTS = 500;
/** Well under the server's 48 MB message and its 16 MB command. */
const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** With the trail there and the ledger gone for so long, recording goes on without it. */
const OPEN_PATIENCE_MS = 30_000;

/** Makes the event that takes a lost one's place. */
type CreateGap = (meta: GapMeta) => { event: UnnumberedEvent; bytes: number };

/** What the writer works with. */
export interface WriterParts {
  readonly store: AuditStore;
  readonly pending: Outbox;
  readonly losses: Losses;
  readonly hooks: HookBus;
  readonly createGap: CreateGap;
  /** Makes a stream known before its first event is sent; false when that got no answer. MUST NOT reject. */
  readonly openStream: (id: string) => Promise<boolean>;
  /** Takes what is stored, in the order of the numbers. MUST NOT throw. */
  readonly onStored: (events: readonly AuditEvent[]) => void;
  readonly raise: RaiseAlarm;
}

/**
 * Writes what waits in `pending`. What it is sure of leaves the queue; everything else is sent again with the same `_id`s, until the server
 * says what became of it. @see EVIDENCE, "Sequencing and retry"
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #backoff = createBackoff();
  /** The stream that is known, or that need not be. */
  #openedId: string | undefined;
  #opening = { id: '', sinceMs: 0 };
  #running = false;
  #stopped = false;
  #batchLimit = MAX_BATCH_EVENTS;
  #recorded = 0;
  #lastDurableAt: Date | null = null;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    parts.store.onAvailable(() => this.#backoff.skip());
  }

  /** The stream that is written now. */
  get stream(): string {
    return this.#parts.pending.stream;
  }

  /** Events stored so far. */
  get recorded(): number {
    return this.#recorded;
  }

  /** When an event was last acknowledged. */
  get lastDurableAt(): Date | null {
    return this.#lastDurableAt;
  }

  /** Begins to write after this turn of the event loop, so that what is recorded together is sent together. */
  start(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    setImmediate(() => void this.#run());
  }

  /** Cuts a wait between two attempts short. */
  hurry(): void {
    this.#backoff.skip();
  }

  /** Sends nothing more; the batch in flight is not called back. */
  stop(): void {
    this.#stopped = true;
    this.#backoff.skip();
  }

  async #run(): Promise<void> {
    let attempt = this.#send();
    while (attempt !== undefined) {
      const { batch, outcome } = await attempt;
      const settled = await this.#apply(batch, outcome);
      // A stream is over for who seals it when the next one is opened: he has to have all of it by then.
      const isOver = streamOf(settled.at(-1)?.event._id ?? '') !== this.#parts.pending.stream;
      if (isOver) this.#acknowledge(settled);
      // The next batch is on its way before callers hear of this one: what they record then is prepared while the server works. The driver
      // reaches the socket many promises later, and a thousand callers who heard now would all come before it.
      attempt = this.#send();
      if (attempt !== undefined) await nextTurn();
      if (!isOver) this.#acknowledge(settled);
      if (attempt === undefined) attempt = this.#send();
    }
    this.#running = false;
  }

  /** Starts the insert of the front of the queue; undefined when nothing waits. */
  #send(): Promise<{ batch: Entry[]; outcome: InsertOutcome }> | undefined {
    const waiting = this.#stopped ? [] : this.#parts.pending.peek(this.#batchLimit, MAX_BATCH_BYTES);
    const [first] = waiting;
    if (first === undefined) return undefined;
    const batch = isAwaited(first) ? waiting : waiting.slice(0, UNAWAITED_BATCH_EVENTS);
    return this.#insert(batch.map(({ event }) => event)).then(
      (outcome) => ({ batch, outcome }),
      // A store must not reject; one that does has told nothing about the batch.
      (error: unknown) => ({ batch, outcome: { kind: 'unknown', error: error as Error } }),
    );
  }

  async #insert(events: readonly AuditEvent[]): Promise<InsertOutcome> {
    const stream = streamOf(events[0]?._id ?? '');
    if (this.#openedId !== stream && !(await this.#open(stream))) {
      const error = new AuditWriteError('AUDIT_UNAVAILABLE', 'the ledger gave no answer: the stream is not opened yet');
      return { kind: 'unknown', error };
    }
    return this.#parts.store.insert(events);
  }

  /** Whether events of the stream may be sent: what a process leaves behind that dies now must be of a stream that the ledger knows. */
  async #open(id: string): Promise<boolean> {
    if (this.#opening.id !== id) this.#opening = { id, sinceMs: performance.now() };
    if (await this.#parts.openStream(id)) {
      this.#openedId = id;
      this.#opening.id = '';
    }
    if (this.#stopped) return false;
    return this.#openedId === id || performance.now() - this.#opening.sinceMs >= OPEN_PATIENCE_MS;
  }

  /** Draws the consequences of an outcome; gives the entries that are durable now. */
  async #apply(batch: Entry[], outcome: InsertOutcome): Promise<Entry[]> {
    switch (outcome.kind) {
      case 'stored':
        this.#openedId = streamOf(batch[0]?.event._id ?? '');
        return this.#store(batch.length);
      case 'poison':
        return this.#isolate(batch, outcome.index, outcome.error);
      case 'duplicate':
        return this.#compare(batch, outcome.index);
      case 'unknown':
      case 'refused':
        // It may last: who opens a dead process's stream has to say anew that it is not over.
        this.#openedId = undefined;
        await this.#wait(batch, outcome);
        return [];
    }
  }

  #store(count: number): Entry[] {
    this.#backoff.reset();
    this.#batchLimit = Math.min(MAX_BATCH_EVENTS, this.#batchLimit * 2);
    return this.#parts.pending.settle(count);
  }

  /** Tells once per event that it has to wait, then waits. */
  async #wait(batch: Entry[], outcome: { kind: 'unknown' | 'refused'; error: Error }): Promise<void> {
    for (const entry of batch) {
      if (entry.told) continue;
      entry.told = true;
      this.#parts.hooks.emit('audit:failed', { draft: draftOf(entry.event), error: outcome.error, retrying: true });
    }
    if (outcome.kind === 'refused') {
      warnOnce(
        'AUDIT_REFUSED_BY_SERVER',
        `MongoDB refuses audit events, they wait in memory, or in the spool where there is one: ${outcome.error.message}`,
      );
    }
    this.#parts.pending.holdUp();
    if (!this.#stopped) await this.#backoff.wait(outcome.kind);
  }

  /** A poison event is found, by halving when the server did not name it; an `audit.gap` takes its number. */
  async #isolate(batch: Entry[], index: number | null, error: Error): Promise<Entry[]> {
    if (index === null && batch.length > 1) {
      this.#batchLimit = Math.ceil(batch.length / 2);
      return [];
    }
    const settled = this.#parts.pending.settle(index ?? 0);
    const entry = batch[index ?? 0] as Entry;
    if (entry.event.action === 'audit.gap') {
      // Not even a gap is taken, so it is not the event: some rule of the server refuses everything.
      await this.#wait([entry], { kind: 'refused', error });
      return settled;
    }
    const fate = new AuditWriteError('AUDIT_WRITE_FAILED', `MongoDB can never store this event: ${error.message}`);
    this.#parts.hooks.emit('audit:failed', { draft: draftOf(entry.event), error: fate, retrying: false });
    entry.reject(fate);
    const lost = countActs([entry]);
    this.#parts.losses.note('poison', { count: lost, gap: false });
    const gap = { ...this.#parts.createGap({ lost, reason: 'poison' }).event, _id: entry.event._id };
    await this.#parts.pending.replace(entry, gap, error.message);
    return settled;
  }

  /** A number of ours is taken: by ourselves, before a reply got lost, or by someone else. Only the stored bytes can tell. */
  async #compare(batch: Entry[], index: number): Promise<Entry[]> {
    let stored: Map<string, AuditEvent>;
    try {
      const events = await this.#parts.store.readBack(batch.map(({ event }) => event._id));
      stored = new Map(events.map((event) => [event._id, event]));
    } catch (error) {
      await this.#wait(batch, { kind: 'unknown', error: error as Error });
      return [];
    }
    const ours = batch.findIndex(({ event }) => !isSame(event, stored.get(event._id)));
    const settled = this.#store(ours === -1 ? batch.length : ours);
    const next = ours === -1 ? undefined : batch[ours];
    if (next !== undefined && stored.has(next.event._id)) await this.#leaveStream(batch.slice(ours));
    // Taken, and yet no majority holds it: a failover may still roll it back.
    else if (next !== undefined && ours <= index) await this.#backoff.wait('unknown');
    return settled;
  }

  /** Someone else wrote under our number: go on under a name that he does not know. */
  async #leaveStream(rest: Entry[]): Promise<void> {
    const taken = rest[0]?.event._id ?? '';
    const detail = 'someone else stored an event under this number; recording goes on in a new stream';
    this.#parts.raise({ kind: 'event-inserted', where: taken, detail });
    await this.#parts.pending.leaveStream(rest);
  }

  #acknowledge(settled: Entry[]): void {
    const { losses, hooks, pending } = this.#parts;
    if (settled.length > 0) this.#lastDurableAt = new Date();
    this.#recorded += settled.length;
    // Before anyone else sees the events: what is sealed is what was stored.
    if (settled.length > 0) this.#parts.onStored(settled.map(({ event }) => event));
    for (const entry of settled) {
      if (entry.isDurable !== true) tellDurable(entry, hooks);
    }
    pending.wake();
    if (settled.length === 0) return;
    for (const meta of losses.takeGaps()) {
      const { event, bytes } = this.#parts.createGap(meta);
      pending.pushAnyway(createEntry(event, bytes));
    }
  }
}

/** Equal to the byte, by the canonical text: a duplicate that only looks like ours is someone else's. */
function isSame(ours: UnnumberedEvent, stored: AuditEvent | undefined): boolean {
  try {
    return stored !== undefined && canonicalLine({ ...stored }) === canonicalLine({ ...ours });
  } catch {
    // It holds what no event of ours can hold.
    return false;
  }
}

/** The redacted draft that an event stands for, as `audit:failed` shows it. */
function draftOf(event: UnnumberedEvent): AuditDraft {
  const { _id, v, app, source, http, salt, ...draft } = event;
  return { ...draft, meta: { ...draft.meta } };
}

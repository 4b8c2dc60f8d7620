/** What one run of sealing does, in order: follow the ledger, open, seal and close one's own streams, adopt, recover. It knows no timer. */
import { hostname } from 'node:os';
import { type Entry, type EntryDraft, isSegmentEntry } from '../evidence/entry.js';
import { EMPTY_ROOT } from '../evidence/tree.js';
import { type Adopted, adoptStepwise } from './adoption.js';
import type { RaiseAlarm } from './alarm.js';
import type { AnchorKeeper } from './anchor-keeper.js';
import { Ledger } from './ledger.js';
import type { LedgerStore } from './ledger-store.js';
import { MAX_OTHER_STREAMS, OtherStreams } from './other-streams.js';
import { MAX_LEAVES, OwnStream } from './own-stream.js';
import { recoverStream } from './recovery.js';
import type { Signing } from './signing.js';
import { readRun } from './stored-run.js';

/** What sealing works with. */
export interface SealingParts {
  readonly store: LedgerStore;
  readonly anchors: AnchorKeeper;
  readonly app: string | null;
  readonly deadAfterMs: number;
  readonly raise: RaiseAlarm;
  /** The stream that events are written to, or will be. */
  readonly currentStream: () => string;
  /** The clock, ms since 1970. */
  readonly now: () => number;
  /** How many leaves of a stream are kept in memory. @defaultValue a million */
  readonly maxLeaves?: number | undefined;
}

const EMPTY_ROOT_TEXT: string = EMPTY_ROOT.toString('base64');
const HEARTBEAT_MS = 60_000;
const RECOVERIES_PER_RUN = 20;
/** What others left, and history, hold one's own seals up for no longer. */
const FOREIGN_WORK_MS = 1000;
const ADOPTION_AT_END_MS = 5000;

/** The streams of one instance and its view of the ledger. Its async methods are called one at a time. */
export class Sealing {
  readonly #parts: SealingParts;
  readonly #others: OtherStreams;
  /** The last one is the stream that is written now. */
  readonly #streams: OwnStream[] = [];
  #ledger: Ledger | undefined;
  #knowsOthers = false;
  #mayAdopt = false;
  #hasAdopted = false;
  #adoption: AsyncGenerator<Adopted, void, undefined> | undefined;

  constructor(parts: SealingParts) {
    this.#parts = parts;
    this.#others = new OtherStreams(parts.deadAfterMs);
  }

  /** One's own streams that have not ended. */
  get streams(): readonly OwnStream[] {
    return this.#streams;
  }

  /** Whether it stored events of dead processes. */
  get hasAdopted(): boolean {
    return this.#hasAdopted;
  }

  /** How many streams of others had an entry lately. */
  get liveOthers(): number {
    return this.#others.countLive(this.#parts.now());
  }

  /** One's own stream of this id; the one before it gets no event any more. */
  own(id: string): OwnStream {
    const last = this.#streams.at(-1);
    if (last?.id === id) return last;
    last?.leave();
    const stream = new OwnStream(id, { raise: this.#parts.raise, maxLeaves: this.#parts.maxLeaves ?? MAX_LEAVES });
    this.#streams.push(stream);
    return stream;
  }

  /** Forgets all streams: nobody signs. */
  drop(): void {
    this.#streams.length = 0;
  }

  /** Appends the first entry of a stream. @throws as {@link Ledger.append} */
  async open(stream: OwnStream, signing: Signing): Promise<void> {
    if (!stream.isOpen) await this.#open(await this.#follow(signing), stream);
  }

  /** Makes sure that a stream of a dead process is in the ledger, and that its last entry is young. @throws as {@link Ledger.append} */
  async openAdopted(id: string, signing: Signing): Promise<void> {
    const { store, now, deadAfterMs } = this.#parts;
    const ledger = await this.#follow(signing);
    const last = await store.lastOf(id);
    if (last === null) {
      // It died before the ledger could be reached: whoever has its events opens it in its name.
      await ledger.append(() => (this.#others.nextOf(id) === undefined ? { draft: this.#openDraft(id) } : null));
      return;
    }
    this.#others.see(last);
    const from = this.#others.nextOf(id);
    if (from === undefined || now() - Date.parse(last.at) < deadAfterMs / 2) return;
    const own = this.own(this.#parts.currentStream());
    if (!own.isOpen) await this.#open(ledger, own);
    const draft: EntryDraft = { kind: 'recover', by: own.id, stream: id, from, count: 0, root: EMPTY_ROOT_TEXT };
    await ledger.append(() => (this.#others.nextOf(id) === from ? { draft } : null));
  }

  /** Events of a dead process's stream were stored by this one: it looks after them at once. */
  noteAdopted(id: string): void {
    this.#others.hurry(id);
    this.#hasAdopted = true;
  }

  /** Seals what is stored; unless it is the end, also what dead processes left. @throws as {@link Ledger.append} */
  async run(signing: Signing, isEnd: boolean): Promise<void> {
    const ledger = await this.#follow(signing);
    // Nobody else takes history over by himself: a process that lives for less than a second does it before it closes its stream.
    if (isEnd && this.#mayAdopt) await this.#adopt(ledger, performance.now() + ADOPTION_AT_END_MS);
    // Events that came out of a spool are covered by whoever stored them.
    if (isEnd && this.#hasAdopted) await this.#recover(ledger, performance.now() + FOREIGN_WORK_MS);
    await this.#sealAll(ledger);
    this.#parts.anchors.put(ledger.certainNote);
    if (!isEnd) {
      const until = performance.now() + FOREIGN_WORK_MS;
      if (this.#mayAdopt) await this.#adopt(ledger, until);
      await this.#recover(ledger, until);
    }
    this.#parts.anchors.put(ledger.certainNote);
  }

  /** The ledger, up to date. Whether it is the one that anchors know, and who else lives, is looked up once. */
  async #follow({ signer, keys, origin }: Signing): Promise<Ledger> {
    const { store, now, anchors } = this.#parts;
    this.#ledger ??= new Ledger({
      store,
      signer,
      keys,
      origin,
      now,
      onEntry: (entry, isTrusted) => this.#see(entry, isTrusted),
      onLost: (entries, isAll) => this.#forget(entries, isAll),
      isOwn: (id) => this.#streams.some((stream) => stream.id === id),
    });
    await this.#ledger.follow();
    if (!this.#knowsOthers) {
      await anchors.compare(store, { keys, origin });
      // The youngest come first, and those that are noted last are kept longest.
      const open = await store.openStreams(MAX_OTHER_STREAMS);
      for (const stream of open.reverse()) this.#others.note(stream);
      this.#knowsOthers = true;
    }
    return this.#ledger;
  }

  #see(entry: Entry, isTrusted: boolean): void {
    const stream = 'stream' in entry ? this.#streams.find(({ id }) => id === entry.stream) : undefined;
    if (stream === undefined) {
      // Whoever may insert could otherwise have streams recovered that never were, and make all writers seal ever more slowly.
      if (isTrusted) this.#others.see(entry);
    } else if (isSegmentEntry(entry)) stream.cover(entry);
    else if (entry.kind === 'open') {
      stream.isOpen = true;
      this.#mayAdopt ||= entry.n === 0;
    }
  }

  /** What was concluded from entries that are gone is forgotten; those that still stand are seen again. */
  #forget(entries: readonly Entry[], isAll: boolean): void {
    for (const entry of entries) {
      if (!('stream' in entry)) continue;
      const stream = this.#streams.find(({ id }) => id === entry.stream);
      if (stream === undefined) this.#others.doubt(entry.stream);
      else if (isSegmentEntry(entry)) stream.uncover(entry);
      else stream.isOpen = false;
    }
    if (!isAll) return;
    this.#others.clear();
    this.#knowsOthers = false;
  }

  /** Each stream on its own: one whose events were taken away holds no other up. */
  async #sealAll(ledger: Ledger): Promise<void> {
    const failures: unknown[] = [];
    for (const stream of this.#streams)
      await this.#seal(ledger, stream).catch((error: unknown) => failures.push(error));
    for (let index = this.#streams.length - 1; index >= 0; index -= 1) {
      if (this.#streams[index]?.isClosed === true) this.#streams.splice(index, 1);
    }
    if (failures.length > 0) throw failures[0];
  }

  async #open(ledger: Ledger, stream: OwnStream): Promise<void> {
    const draft = this.#openDraft(stream.id);
    await ledger.append(() => (stream.isOpen ? null : { draft }));
  }

  #openDraft(id: string): EntryDraft {
    return { kind: 'open', by: id, stream: id, host: hostname(), app: this.#parts.app };
  }

  async #seal(ledger: Ledger, stream: OwnStream): Promise<void> {
    if (!stream.isOpen) await this.#open(ledger, stream);
    // What is stored while this runs waits for the next run: under load it would never end.
    const goal = stream.next + stream.unsealed;
    while (stream.next < goal && (await this.#appendSegment(ledger, stream, 'seal')) > 0);
    const heartbeatMs = Math.min(HEARTBEAT_MS, this.#parts.deadAfterMs / 3);
    if (stream.isLeft && stream.unsealed === 0) await this.#appendSegment(ledger, stream, 'close');
    else if (performance.now() - stream.coveredMs >= heartbeatMs) await this.#appendSegment(ledger, stream, 'seal');
  }

  /** Appends the next segment, empty or not; gives how many events it covers. */
  async #appendSegment(ledger: Ledger, stream: OwnStream, kind: 'seal' | 'close'): Promise<number> {
    const { store, now } = this.#parts;
    const ready = await stream.segment((id, from, limit) => readRun(store, { stream: id, from, limit, now: now() }));
    if (ready === null) return 0;
    const { leaves, ...segment } = ready;
    const draft: EntryDraft = { kind, by: stream.id, ...segment };
    // Recovered by someone else meanwhile, or stored by an attempt that got no answer: the segment begins elsewhere now.
    const isStill = (): boolean => !stream.isClosed && stream.next === segment.from;
    await ledger.append(() => (isStill() ? { draft, leaves, newestAt: stream.newestAt } : null));
    return segment.count;
  }

  /** Only who wrote the first entry takes history over by himself, and once. */
  async #adopt(ledger: Ledger, until: number): Promise<void> {
    const by = this.#streams.at(-1)?.id;
    if (by === undefined) return;
    const before = this.#parts.now() - this.#parts.deadAfterMs;
    this.#adoption ??= adoptStepwise({ ledger, store: this.#parts.store, by, before });
    try {
      while (this.#mayAdopt && performance.now() < until) {
        if ((await this.#adoption.next()).done === true) this.#mayAdopt = false;
      }
    } catch (error) {
      // It has ended; the next one begins where this one got to.
      this.#adoption = undefined;
      throw error;
    }
  }

  /** Seals what dead processes left. */
  async #recover(ledger: Ledger, until: number): Promise<void> {
    const { store, raise, now, currentStream } = this.#parts;
    for (const stream of this.#others.due(now(), RECOVERIES_PER_RUN)) {
      // Who has recorded nothing yet has no entry in the ledger: only when there is something to cover he needs one.
      const begin = async (): Promise<string> => {
        const own = this.own(currentStream());
        if (!own.isOpen) await this.#open(ledger, own);
        return own.id;
      };
      await recoverStream({ ledger, store, begin, raise, others: this.#others }, stream, now());
      if (performance.now() > until) return;
    }
  }
}

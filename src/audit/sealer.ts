/** Seals what is stored: a signed entry of the ledger about once a second, heartbeats, the end; and watches the ledger meanwhile. It knows no request. */
import { hostname } from 'node:os';
import type { Entry, EntryDraft } from '../evidence/entry.js';
import { isSegmentEntry } from '../evidence/entry.js';
import { AuditWriteError, OptionsError, StrongroomError, warnOnce } from '../errors.js';
import type { AuditEvent } from '../event.js';
import { adoptHistory } from './adoption.js';
import { LedgerAlarmError, type RaiseAlarm } from './alarm.js';
import { AnchorKeeper } from './anchor-keeper.js';
import type { Anchor } from './anchors.js';
import type { ResolvedEvidenceOptions } from './evidence-options.js';
import { Ledger } from './ledger.js';
import type { LedgerStore } from './ledger-store.js';
import { OtherStreams } from './other-streams.js';
import { OwnStream } from './own-stream.js';
import { recoverStream } from './recovery.js';
import type { Signing } from './signing.js';

/** What the sealer works with. */
export interface SealerParts {
  readonly store: LedgerStore;
  readonly options: ResolvedEvidenceOptions;
  readonly anchors: readonly Anchor[];
  readonly app: string | null;
  readonly raise: RaiseAlarm;
  /** Finds who signs; null: nobody, and that is allowed. */
  readonly findSigning: () => Promise<Signing | null>;
  /** How long `seal()` waits. */
  readonly timeoutMs: number;
  /** The clock, ms since 1970. */
  readonly now?: () => number;
}

/** What `ready()` tells of the evidence. */
export type EvidenceState = 'signed' | 'throwaway' | 'unsealed';

/** That many events do not wait for the next tick. */
const SEAL_AT_EVENTS = 4096;
/** What one live stream more adds to the interval: all together append at most 25 entries a second. */
const INTERVAL_PER_STREAM_MS = 40;
const HEARTBEAT_MS = 60_000;
/** Sealing that is so far behind is an alarm. */
const LAG_ALARM_MS = 30_000;
const RECOVERIES_PER_TICK = 20;

/** Seals the streams of one instance. */
export class Sealer {
  readonly #parts: SealerParts;
  readonly #now: () => number;
  readonly #others: OtherStreams;
  readonly #anchors: AnchorKeeper;
  /** The last one is the stream that is written now. */
  readonly #streams: OwnStream[] = [];
  #signing: Promise<Signing | null> | undefined;
  #ledger: Ledger | undefined;
  #knowsOthers = false;
  #mayAdopt = false;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #unsealedSinceMs: number | undefined;
  #isClosed = false;
  /** Nobody signs, and that is allowed. */
  #isOff = false;

  constructor(parts: SealerParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#others = new OtherStreams(parts.options.deadAfterMs);
    this.#anchors = new AnchorKeeper(parts.anchors);
  }

  /** Takes events that are stored, in the order of their numbers. Never throws. */
  add(events: readonly AuditEvent[]): void {
    if (this.#isOff) return;
    for (const event of events) this.#streamOf(event).add(event);
    if (this.#isClosed) return;
    this.#unsealedSinceMs ??= performance.now();
    if ((this.#streams.at(-1)?.unsealed ?? 0) >= SEAL_AT_EVENTS && this.#running === undefined) this.#tick();
    else this.#schedule();
  }

  /**
   * Finds the key and looks at the ledger, as the next seal would.
   * @throws AUDIT_KEY_MISSING; OPTIONS_INVALID for a damaged key; what reading the secret throws
   */
  async inspect(timeoutMs: number): Promise<EvidenceState> {
    const signing = await this.#findSigning();
    if (signing === null) return 'unsealed';
    try {
      // In the order of runs: the ledger takes one call at a time.
      await inTime(this.#seal(), timeoutMs);
      return signing.mode;
    } catch (error) {
      // Whoever may insert can spoil the ledger: an alarm, but no reason for the app not to start.
      this.#tell(error);
      return 'unsealed';
    }
  }

  /**
   * Seals what is stored now.
   * @throws LEDGER_ALARM, AUDIT_KEY_MISSING; AUDIT_UNAVAILABLE when the database does not answer in time
   */
  async seal(): Promise<void> {
    await inTime(this.#seal(), this.#parts.timeoutMs);
  }

  /** Seals the rest and closes the streams, as far as the time goes. Never rejects: what stays open another process recovers. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const stream of this.#streams) stream.isLeft = true;
    const end = this.#streams.length === 0 ? Promise.resolve() : this.#seal();
    await inTime(end, timeoutMs).catch((error: unknown) => this.#tell(error));
    await inTime(this.#anchors.flush(), Math.max(timeoutMs, 1000)).catch(() => undefined);
  }

  #streamOf(event: AuditEvent): OwnStream {
    const id = event._id.slice(0, event._id.indexOf('.'));
    const last = this.#streams.at(-1);
    if (last?.id === id) return last;
    if (last !== undefined) last.isLeft = true;
    const stream = new OwnStream(id, this.#parts.raise);
    this.#streams.push(stream);
    return stream;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isClosed || this.#isOff) return;
    const { sealEveryMs } = this.#parts.options;
    const perStreamMs = INTERVAL_PER_STREAM_MS * this.#others.countLive(this.#now());
    this.#timer = setTimeout(() => this.#tick(), Math.max(sealEveryMs, perStreamMs));
    // Events are stored already: sealing them is no reason to keep a process alive.
    this.#timer.unref();
  }

  #tick(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#seal()
      .catch((error: unknown) => this.#tell(error))
      .finally(() => this.#schedule());
  }

  /** One run at a time; who asks during a run gets one that begins after it, since it began before what he stored. */
  #seal(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#seal();
      });
    return this.#next;
  }

  async #run(): Promise<void> {
    const signing = await this.#findSigning();
    if (signing === null) {
      this.#isOff = true;
      this.#streams.length = 0;
      return;
    }
    const ledger = await this.#openLedger(signing);
    const startedMs = performance.now();
    for (const stream of this.#streams) await this.#sealStream(ledger, stream);
    if (this.#mayAdopt) await this.#adopt(ledger);
    this.#dropClosed();
    this.#unsealedSinceMs = this.#streams.some(({ unsealed }) => unsealed > 0) ? startedMs : undefined;
    if (!this.#isClosed) await this.#recover(ledger);
    this.#anchors.put(ledger.note);
  }

  /** Asked once; again when the provider could not tell. */
  #findSigning(): Promise<Signing | null> {
    this.#signing ??= this.#parts.findSigning().catch((error: unknown) => {
      this.#signing = undefined;
      throw error;
    });
    return this.#signing;
  }

  /** The ledger, up to date. Whom it belongs to and who else lives is looked up once. */
  async #openLedger({ signer, keys, origin }: Signing): Promise<Ledger> {
    const { store } = this.#parts;
    this.#ledger ??= new Ledger({
      store,
      signer,
      keys,
      origin,
      now: this.#now,
      onEntry: (entry) => this.#see(entry),
    });
    await this.#ledger.follow();
    if (!this.#knowsOthers) {
      await this.#anchors.compare(store, { keys, origin });
      for (const stream of await store.openStreams()) this.#others.note(stream);
      this.#knowsOthers = true;
    }
    return this.#ledger;
  }

  #see(entry: Entry): void {
    const stream = 'stream' in entry ? this.#streams.find(({ id }) => id === entry.stream) : undefined;
    if (stream === undefined) {
      this.#others.see(entry);
      return;
    }
    if (isSegmentEntry(entry)) stream.cover(entry);
    else if (entry.kind === 'open') {
      stream.isOpen = true;
      this.#mayAdopt ||= entry.n === 0;
    }
  }

  async #sealStream(ledger: Ledger, stream: OwnStream): Promise<void> {
    const { id } = stream;
    const { app } = this.#parts;
    const open: EntryDraft = { kind: 'open', by: id, stream: id, host: hostname(), app };
    if (!stream.isOpen) await ledger.append(() => (stream.isOpen ? null : { draft: open }));
    // What is stored while this runs waits for the next run: under load it would never end.
    const goal = stream.next + stream.unsealed;
    while (stream.next < goal && (await this.#appendSegment(ledger, stream, 'seal')) > 0);
    const heartbeatMs = Math.min(HEARTBEAT_MS, this.#parts.options.deadAfterMs / 3);
    if (stream.isLeft && stream.unsealed === 0 && !stream.isClosed) await this.#appendSegment(ledger, stream, 'close');
    else if (performance.now() - stream.coveredMs >= heartbeatMs) await this.#appendSegment(ledger, stream, 'seal');
  }

  /** Appends the next segment, empty or not; gives how many events it covers. */
  async #appendSegment(ledger: Ledger, stream: OwnStream, kind: 'seal' | 'close'): Promise<number> {
    const { store } = this.#parts;
    const ready = await stream.segment((id, from, limit) => store.readEvents(id, from, limit));
    if (ready === null) return 0;
    const { leaves, ...segment } = ready;
    const draft: EntryDraft = { kind, by: stream.id, ...segment };
    // Recovered by someone else meanwhile, or stored by an attempt that got no answer: the segment begins elsewhere now.
    const isStill = (): boolean => !stream.isClosed && stream.next === segment.from;
    await ledger.append(() => (isStill() ? { draft, leaves, newestAt: stream.newestAt } : null));
    return segment.count;
  }

  /** Only who wrote the first entry takes history over by himself, and once. */
  async #adopt(ledger: Ledger): Promise<void> {
    const { store, options } = this.#parts;
    const by = this.#streams[0]?.id ?? '';
    await adoptHistory({ ledger, store, by, before: this.#now() - options.deadAfterMs });
    this.#mayAdopt = false;
  }

  /** Seals what dead processes left. */
  async #recover(ledger: Ledger): Promise<void> {
    const by = this.#streams.at(-1);
    if (by === undefined || !by.isOpen || by.isClosed) return;
    const { store, raise } = this.#parts;
    for (const stream of this.#others.due(this.#now(), RECOVERIES_PER_TICK)) {
      await recoverStream({ ledger, store, by: by.id, raise, others: this.#others }, stream, this.#now());
    }
  }

  #dropClosed(): void {
    for (let index = this.#streams.length - 1; index >= 0; index -= 1) {
      if (this.#streams[index]?.isClosed === true) this.#streams.splice(index, 1);
    }
  }

  /** Failures of sealing: an alarm, a warning once, or nothing but time that passes. */
  #tell(error: unknown): void {
    if (error instanceof LedgerAlarmError) this.#parts.raise(error.alarm);
    const isConfiguration = error instanceof OptionsError || codeOf(error) === 'ERR_STRONGROOM_AUDIT_KEY_MISSING';
    if (isConfiguration) warnOnce('UNSEALED', `the audit trail is not sealed: ${(error as Error).message}`);
    const stream = this.#streams.find(({ unsealed }) => unsealed > 0);
    const lagMs = this.#unsealedSinceMs === undefined ? 0 : performance.now() - this.#unsealedSinceMs;
    if (stream === undefined || lagMs < LAG_ALARM_MS) return;
    const detail = `events are unsealed for ${Math.round(lagMs / 1000)} s: ${describe(error)}`;
    this.#parts.raise({ kind: 'seal-lag', where: `${stream.id}.${String(stream.next).padStart(12, '0')}`, detail });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof StrongroomError ? error.code : undefined;
}

/** Other errors, such as a KMS client's, may quote what they were given. */
function describe(error: unknown): string {
  return error instanceof StrongroomError ? error.message : 'the signer or the database failed';
}

async function inTime(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new AuditWriteError('AUDIT_UNAVAILABLE', `the trail could not be sealed within ${timeoutMs} ms`);
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the entries of the ledger say of each stream, and the rules that they have to keep among each other. Pure; it reads neither notes nor events. */
import { type Entry, isSegmentEntry, type OpenEntry, type SegmentEntry } from './entry.js';
import type { Findings } from './findings.js';
import type { ViolationKind, WarningKind } from './report.js';
import { NO_SEGMENT, SegmentTable } from './segments.js';

/** Where findings go. */
export interface Report {
  readonly violations: Findings<ViolationKind>;
  readonly warnings: Findings<WarningKind>;
}

/** One stream, as its entries describe it. */
export interface StreamRecord {
  /** Its ULID. */
  readonly name: string;
  /** One past the last event that is sealed. */
  sealedTo: number;
  /** `at` of its newest entry, ms since 1970. */
  lastAt: number;
  /** `at` of its newest entry that covers a segment; -Infinity before the first. */
  sealedAt: number;
  /** Place of its newest entry. */
  lastEntry: number;
  /** Whether `close` came. */
  isClosed: boolean;
  /** Whether it was never opened, only adopted. */
  isAdopted: boolean;
  /** Index of its first segment, or {@link NO_SEGMENT}. */
  first: number;
  /** Index of its last segment, or {@link NO_SEGMENT}. */
  last: number;
  /** Runs of events, `[from, to)`, whose seal is in a lost entry: nothing can be said of them. */
  readonly unknown: (readonly [from: number, to: number])[];
}

/** Clocks of honest hosts differ by no more. */
export const SKEW_MS = 5000;

/** All streams of a ledger. */
export class Streams {
  readonly segments: SegmentTable = new SegmentTable();
  readonly #byName = new Map<string, StreamRecord>();
  readonly #report: Report;
  /** Lost entries that have not yet explained a hole: each may have been one seal, or one open. */
  #excuses = 0;
  #latestAt = Number.NEGATIVE_INFINITY;
  #prunedThrough = -1;
  #passed = '';

  constructor(report: Report) {
    this.#report = report;
  }

  /** Segments whose entry stands at or before this place may be without events; -1: none. */
  get prunedThrough(): number {
    return this.#prunedThrough;
  }

  /** The latest `at` of all entries, ms since 1970. */
  get latestAt(): number {
    return this.#latestAt;
  }

  /** What is known of a stream. */
  get(name: string): StreamRecord | undefined {
    return this.#byName.get(name);
  }

  /** All streams, in the order of their first entries. */
  all(): Iterable<StreamRecord> {
    return this.#byName.values();
  }

  /** Events of streams up to this one, inclusive, were read: segments that are sealed from now on are not kept for them. */
  pass(name: string): void {
    if (name > this.#passed) this.#passed = name;
  }

  /** So many entries are lost. */
  lose(count: number): void {
    this.#excuses += count;
  }

  /** Takes the next entry. */
  apply(entry: Entry): void {
    const at = Date.parse(entry.at);
    if (at < this.#latestAt - SKEW_MS) {
      this.#accuse('time-regression', entry, 'it is more than 5 s earlier than an entry before it');
    }
    this.#latestAt = Math.max(this.#latestAt, at);
    if (isSegmentEntry(entry)) this.#cover(entry, at);
    else if (entry.kind === 'open') this.#open(entry, at);
    else this.#prunedThrough = Math.max(this.#prunedThrough, entry.through);
  }

  #open(entry: OpenEntry, at: number): void {
    const known = this.#byName.get(entry.stream);
    if (known === undefined) {
      this.#register(entry.stream, at).lastEntry = entry.n;
      return;
    }
    this.#accuse('stream-reopened', entry, `the stream ${entry.stream} was there before`);
  }

  #cover(entry: SegmentEntry, at: number): void {
    const record = this.#byName.get(entry.stream) ?? this.#meet(entry, at);
    if (record.isClosed) {
      this.#accuse('seal-after-close', entry, `the stream ${entry.stream} was closed before`);
      return;
    }
    if (entry.from !== record.sealedTo && !isHole(record, entry)) this.#jump(record, entry);
    // Events that were covered before are not covered again: the accusation was made.
    if (entry.from >= record.sealedTo) this.#keep(record, entry, at);
    record.lastAt = at;
    record.sealedAt = at;
    record.lastEntry = entry.n;
    if (entry.kind === 'close') record.isClosed = true;
    this.#warn(entry);
  }

  /** The first entry of a stream that is not `open`. */
  #meet(entry: SegmentEntry, at: number): StreamRecord {
    const record = this.#register(entry.stream, at);
    if (entry.kind === 'adopt') record.isAdopted = true;
    else if (this.#excuses > 0) this.#excuse(record, entry.from);
    else {
      this.#accuse('stream-unregistered', entry, `the stream ${entry.stream} was not opened before`);
      record.sealedTo = entry.from;
    }
    return record;
  }

  #register(name: string, at: number): StreamRecord {
    const never = Number.NEGATIVE_INFINITY;
    const places = { first: NO_SEGMENT, last: NO_SEGMENT, lastEntry: -1, sealedTo: 0 };
    const flags = { isClosed: false, isAdopted: false, unknown: [] };
    const record: StreamRecord = { name, lastAt: at, sealedAt: never, ...places, ...flags };
    this.#byName.set(name, record);
    return record;
  }

  #jump(record: StreamRecord, entry: SegmentEntry): void {
    if (entry.from > record.sealedTo && this.#excuses > 0) {
      this.#excuse(record, entry.from);
      return;
    }
    const detail = `events of ${record.name} were sealed up to number ${record.sealedTo}, this goes on at ${entry.from}`;
    this.#accuse('segment-gap', entry, detail);
  }

  #excuse(record: StreamRecord, to: number): void {
    this.#excuses -= 1;
    record.unknown.push([record.sealedTo, to]);
    record.sealedTo = to;
  }

  #keep(record: StreamRecord, entry: SegmentEntry, at: number): void {
    const { n, from, count } = entry;
    record.sealedTo = from + count;
    if (count === 0 || record.name <= this.#passed) return;
    const root = Buffer.from(entry.root, 'base64');
    // What is adopted happened long before, all of it.
    const previousAt = entry.kind === 'adopt' ? Number.NEGATIVE_INFINITY : record.sealedAt;
    record.last = this.segments.add({ n, from, count, at, previousAt, root }, record.last);
    if (record.first === NO_SEGMENT) record.first = record.last;
  }

  #warn({ kind, count, n, stream, by }: SegmentEntry): void {
    if (count === 0) return;
    const { warnings } = this.#report;
    if (kind === 'recover') {
      warnings.add('recovered-segment', `ledger#${n}`, `${count} events of ${stream} were sealed by ${by} instead`);
    } else if (kind === 'adopt') {
      warnings.add('adopted-history', `ledger#${n}`, `${count} events of ${stream} were taken over as they were found`);
    }
  }

  #accuse(kind: ViolationKind, entry: Entry, detail: string): void {
    this.#report.violations.add(kind, `ledger#${entry.n}`, detail);
  }
}

/** History is adopted as it was found: events that were deleted before anyone sealed them cannot be asked for. */
function isHole({ isAdopted, sealedTo }: StreamRecord, { kind, from }: SegmentEntry): boolean {
  return kind === 'adopt' && isAdopted && from > sealedTo;
}

/** Walks the segments of one stream beside its events: what was sealed against what is there. Pure; which events come is not its business. */
import { eventId } from './entry.js';
import { faultOfOther, faultOfSame } from './event-fault.js';
import { type KeptSegment, NO_SEGMENT } from './segments.js';
import type { EvidenceSource, FoundEvent } from './source.js';
import { type Report, SKEW_MS, type StreamRecord, type Streams } from './streams.js';
import { hashAt, hashPreimage, HASH_BYTES, rootOf } from './tree.js';

/** What a walk works with. */
export interface WalkParts {
  /** Where leaves are read from. */
  readonly source: EvidenceSource;
  /** What the ledger says. */
  readonly streams: Streams;
  /** Where findings go. */
  readonly report: Report;
  /** Reads what was appended to the ledger since: nothing that came meanwhile may be taken for an attack. */
  readonly refresh: () => Promise<void>;
}

/** Where an event stands in its stream. */
export type Place = 'sealed' | 'between' | 'beyond';

/** Leaves are read for so many segments at once, or for so many events. */
const FETCH_SEGMENTS = 256;
const FETCH_EVENTS = 65_536;
const HOUR_MS = 3_600_000;
const AT_MEMBER = ',"at":"';
const AT_LENGTH = 24;

/** A walk from the first segment of a stream to its last. */
export class SegmentWalk {
  readonly #parts: WalkParts;
  readonly #record: StreamRecord;
  #index: number;
  #segment: KeptSegment | undefined;
  /** The leaves that were sealed. */
  #leaves: Buffer | undefined;
  /** Where the leaves are damaged: those of the events that are there. */
  #own: Buffer | undefined;
  #isWhole = true;
  /** The next number that is not accounted for, and its `_id`. */
  #expected = 0;
  #expectedId = '';
  #seen = -1;
  #latest = '';
  #earliest = '';
  #fetched = new Map<number, unknown>();

  constructor(record: StreamRecord, parts: WalkParts) {
    this.#record = record;
    this.#parts = parts;
    this.#index = record.first;
  }

  /** Goes to the first segment. */
  start(): Promise<void> {
    return this.#enter(this.#index);
  }

  /** The number of the last event that was taken; -1 before the first. */
  get seen(): number {
    return this.#seen;
  }

  /** Takes an event that is the next one and what was sealed; false, and nothing done, when anything is unusual. */
  take(event: FoundEvent): boolean {
    if (event.id !== this.#expectedId || this.#leaves === undefined || event.fault !== undefined) return false;
    const segment = this.#segment as KeptSegment;
    const start = (this.#expected - segment.from) * HASH_BYTES;
    const leaf = hashPreimage(event.preimage);
    if (this.#leaves.compare(leaf, 0, HASH_BYTES, start, start + HASH_BYTES) !== 0) return false;
    this.#checkTime(event);
    this.#seen = this.#expected;
    this.#expect(this.#expected + 1);
    return true;
  }

  /** Takes any event of the stream whose number is above {@link seen}. */
  async place(sequence: number, event: FoundEvent): Promise<Place> {
    this.#seen = sequence;
    while (this.#segment !== undefined && sequence >= endOf(this.#segment)) await this.#leave(this.#segment);
    if (this.#segment === undefined) return 'beyond';
    if (sequence < this.#segment.from) return 'between';
    if (sequence > this.#expected) await this.#miss(this.#segment, sequence);
    this.#judge(this.#segment, sequence, event);
    this.#expect(sequence + 1);
    return 'sealed';
  }

  /** Accounts for all segments that are left. */
  async end(): Promise<void> {
    while (this.#segment !== undefined) await this.#leave(this.#segment);
  }

  async #enter(index: number): Promise<void> {
    this.#index = index;
    this.#isWhole = true;
    [this.#leaves, this.#own, this.#segment] = [undefined, undefined, undefined];
    this.#expectedId = '';
    if (index === NO_SEGMENT) return;
    const segment = this.#parts.streams.segments.get(index);
    this.#segment = segment;
    if (!this.#fetched.has(segment.n)) await this.#fetch();
    const leaves = this.#fetched.get(segment.n);
    if (isOver(leaves, segment)) this.#leaves = leaves;
    else {
      this.#own = Buffer.alloc(segment.count * HASH_BYTES);
      this.#accuse('leaves-damaged', segment, 'its leaves do not lead to the root in its entry');
    }
    this.#latest = isoOf(segment.at + SKEW_MS);
    this.#earliest = isoOf(segment.previousAt - HOUR_MS);
    this.#expect(segment.from);
  }

  async #leave(segment: KeptSegment): Promise<void> {
    if (this.#expected < endOf(segment)) await this.#miss(segment, endOf(segment));
    if (this.#own !== undefined && this.#isWhole && !rootOf(this.#own).equals(segment.root)) {
      this.#accuse('segment-root', segment, 'its leaves are damaged, and its events are not those that were sealed');
    }
    await this.#enter(this.#parts.streams.segments.next(this.#index));
  }

  async #fetch(): Promise<void> {
    const { segments } = this.#parts.streams;
    const numbers: number[] = [];
    let events = 0;
    for (let index = this.#index; index !== NO_SEGMENT; index = segments.next(index)) {
      const { n, count } = segments.get(index);
      events += count;
      if (numbers.length > 0 && (events > FETCH_EVENTS || numbers.length === FETCH_SEGMENTS)) break;
      numbers.push(n);
    }
    const leaves = await this.#parts.source.leaves(numbers);
    this.#fetched = new Map(numbers.map((n, place) => [n, leaves[place]]));
  }

  /** Events up to a number are not there. */
  async #miss(segment: KeptSegment, to: number): Promise<void> {
    const { streams, refresh, report } = this.#parts;
    if (segment.n > streams.prunedThrough) await refresh();
    const isPruned = segment.n <= streams.prunedThrough;
    // Of a segment that is pruned in part, and whose leaves are damaged, nothing more can be said.
    if (isPruned) this.#isWhole = false;
    else {
      const from = this.#expected;
      report.violations.addMany('event-missing', to - from, (index) => ({
        where: eventId(this.#record.name, from + index),
        detail: `it was sealed in ledger#${segment.n} and is not there`,
      }));
    }
    this.#expected = to;
  }

  #judge(segment: KeptSegment, sequence: number, event: FoundEvent): void {
    const index = sequence - segment.from;
    const leaf = hashPreimage(event.preimage);
    if (this.#own !== undefined) leaf.copy(this.#own, index * HASH_BYTES);
    const sealed = this.#leaves === undefined ? leaf : hashAt(this.#leaves, index);
    const isSame = leaf.equals(sealed);
    const fault = isSame ? faultOfSame(event) : faultOfOther(event, sealed);
    if (fault !== undefined) this.#parts.report.violations.add(fault.kind, event.id, fault.detail);
    if (isSame) this.#checkTime(event);
  }

  #checkTime(event: FoundEvent): void {
    const at = readAt(event.preimage);
    if (at > this.#latest) {
      this.#parts.report.violations.add('event-time', event.id, 'its time is later than its seal');
    } else if (at !== '' && at < this.#earliest) {
      const detail = 'its time is more than an hour before the previous seal of its stream';
      this.#parts.report.warnings.add('event-late', event.id, detail);
    }
  }

  #expect(sequence: number): void {
    this.#expected = sequence;
    const isInside = this.#segment !== undefined && sequence < endOf(this.#segment);
    this.#expectedId = isInside ? eventId(this.#record.name, sequence) : '';
  }

  #accuse(kind: 'leaves-damaged' | 'segment-root', segment: KeptSegment, detail: string): void {
    this.#parts.report.violations.add(kind, `ledger#${segment.n}`, detail);
  }
}

function endOf({ from, count }: KeptSegment): number {
  return from + count;
}

function isOver(leaves: unknown, { count, root }: KeptSegment): leaves is Buffer {
  return Buffer.isBuffer(leaves) && leaves.length === count * HASH_BYTES && rootOf(leaves).equals(root);
}

function isoOf(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : '';
}

/** The `at` of a line. Before it stand names and texts only, in which a quote has a backslash before it: so the first such member is the event's own. */
function readAt(preimage: Buffer | string): string {
  const start = preimage.indexOf(AT_MEMBER);
  if (start === -1) return '';
  const from = start + AT_MEMBER.length;
  return typeof preimage === 'string'
    ? preimage.slice(from, from + AT_LENGTH)
    : preimage.toString('latin1', from, from + AT_LENGTH);
}

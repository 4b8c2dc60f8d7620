/** One stream of this process as the sealer sees it: what is stored and not yet sealed. It knows neither ledger nor timer. */
import { eventId, MAX_SEGMENT_EVENTS, type Segment, type SegmentEntry } from '../evidence/entry.js';
import { linePreimage } from '../evidence/line.js';
import { HASH_BYTES, rootOf } from '../evidence/tree.js';
import type { AuditEvent } from '../event.js';
import { LedgerAlarmError, type RaiseAlarm } from './alarm.js';
import { LeafQueue } from './leaves.js';
import type { StoredRun } from './stored-run.js';

/** 32 MB of leaves: when sealing is stuck for that long, the leaves are computed again from what is stored. */
export const MAX_LEAVES = 1_000_000;

/** Reads events of a stream from a number on, as a run without a hole. */
export type ReadRun = (stream: string, from: number, limit: number) => Promise<StoredRun>;

/** A segment that is ready for its entry. */
export interface ReadySegment extends Segment {
  /** Its leaves. */
  readonly leaves: Buffer;
}

/** What a stream works with. */
export interface OwnStreamParts {
  readonly raise: RaiseAlarm;
  /** How many leaves are kept in memory. */
  readonly maxLeaves: number;
}

/** The part of a stream that waits for its seal. */
export class OwnStream {
  /** The stream's ULID. */
  readonly id: string;
  /** Whether the ledger has its first entry. */
  isOpen = false;
  /** Whether the ledger has its last entry. */
  isClosed = false;
  /** Time of the newest event that was stored. */
  newestAt: Date | undefined;
  /** When the ledger got its last entry of this stream, on the monotonic clock. */
  coveredMs: number = performance.now();
  readonly #parts: OwnStreamParts;
  readonly #leaves = new LeafQueue();
  #isLeft = false;
  /** Stored events before those in `#leaves`, whose leaves were forgotten. */
  #forgotten = 0;
  /** The first number that no entry covers. */
  #next = 0;
  /** Entries whose events are not all acknowledged here: someone recovered this stream while it was thought dead. */
  #claims: SegmentEntry[] = [];

  constructor(id: string, parts: OwnStreamParts) {
    this.id = id;
    this.#parts = parts;
  }

  /** Whether no event of it will come any more. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** Stored events that no entry covers. */
  get unsealed(): number {
    const claimed = this.#claims.reduce((sum, { count }) => sum + count, 0);
    return Math.max(0, this.#stored - claimed);
  }

  /** Number of the first event that no entry covers. */
  get next(): number {
    return this.#next;
  }

  get #stored(): number {
    return this.#forgotten + this.#leaves.size;
  }

  /** Takes an event that is stored; in the order of their numbers. */
  add(event: AuditEvent): void {
    if (this.#leaves.size >= this.#parts.maxLeaves) this.#forget();
    this.#push(event);
    if (this.newestAt === undefined || event.at > this.newestAt) this.newestAt = event.at;
    if (this.#claims.length > 0) this.#settleClaims();
  }

  /** What no line can be made of, though it was composed here, is hashed as it is stored: a mistake of ours must not end recording. */
  #push(event: AuditEvent): void {
    try {
      this.#leaves.push(linePreimage(event as unknown as Record<string, unknown>));
    } catch {
      this.#forget();
      this.#forgotten += 1;
    }
  }

  /** No event of it will come any more. */
  leave(): void {
    this.#isLeft = true;
    this.#settleClaims();
  }

  /**
   * The next segment, as long as it may be; null while an entry of someone else waits for what was sent and not yet answered.
   * @throws {@link LedgerAlarmError} when events that were acknowledged are not there any more
   */
  async segment(readRun: ReadRun): Promise<ReadySegment | null> {
    if (this.#claims.length > 0) return null;
    const from = this.#next;
    const leaves = this.#forgotten > 0 ? await this.#readAgain(readRun) : this.#peek();
    const count = leaves.length / HASH_BYTES;
    return { stream: this.id, from, count, root: rootOf(leaves).toString('base64'), leaves };
  }

  /** An entry of the ledger covers events of this stream, whoever wrote it. */
  cover(entry: SegmentEntry): void {
    this.coveredMs = performance.now();
    this.isClosed ||= entry.kind === 'close';
    if (entry.from !== this.#next) return;
    this.#next += entry.count;
    this.#claims.push(entry);
    this.#settleClaims();
  }

  /** An entry that covered events of this stream is gone with a server that was killed: they are covered anew, as the trail has them. */
  uncover({ n, from, count, kind }: SegmentEntry): void {
    if (kind === 'close') this.isClosed = false;
    if (from + count !== this.#next) return;
    this.#next = from;
    const claim = this.#claims.findIndex((waiting) => waiting.n === n);
    if (claim !== -1) {
      this.#claims.splice(claim, 1);
      return;
    }
    this.#forget();
    this.#forgotten += count;
  }

  #settleClaims(): void {
    for (let claim = this.#claims[0]; claim !== undefined; claim = this.#claims[0]) {
      // What it covers and this process never stored, someone else put in.
      if (this.#stored < claim.count && !this.#isLeft) return;
      this.#claims.shift();
      if (claim.by !== this.id) this.#compare(claim);
      const count = Math.min(claim.count, this.#stored);
      const forgotten = Math.min(this.#forgotten, count);
      this.#forgotten -= forgotten;
      this.#leaves.drop(count - forgotten);
    }
  }

  /** What someone else sealed for this stream must be what it stored. */
  #compare({ n, count, root }: SegmentEntry): void {
    if (this.#forgotten > 0) return;
    const isSame = this.#leaves.size >= count && rootOf(this.#leaves.peek(count)).toString('base64') === root;
    if (isSame) return;
    const detail = `entry ${n} seals other events of stream ${this.id} than it stored`;
    this.#parts.raise({ kind: 'segment-root', where: `ledger#${n}`, detail });
  }

  #peek(): Buffer {
    return this.#leaves.peek(Math.min(this.#leaves.size, MAX_SEGMENT_EVENTS));
  }

  #forget(): void {
    this.#forgotten += this.#leaves.size;
    this.#leaves.drop(this.#leaves.size);
  }

  async #readAgain(readRun: ReadRun): Promise<Buffer> {
    const { count, leaves, damagedId } = await readRun(
      this.id,
      this.#next,
      Math.min(this.#forgotten, MAX_SEGMENT_EVENTS),
    );
    if (count > 0) return leaves;
    const isGone = damagedId === undefined;
    throw new LedgerAlarmError({
      kind: isGone ? 'event-missing' : 'event-malformed',
      where: eventId(this.id, this.#next),
      detail: `the event was stored and is ${isGone ? 'gone' : 'not what it was'}, before it was sealed`,
    });
  }
}

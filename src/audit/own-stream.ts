/** One stream of this process as the sealer sees it: what is stored and not yet sealed. It knows neither ledger nor timer. */
import { MAX_SEGMENT_EVENTS, type Segment, type SegmentEntry } from '../evidence/entry.js';
import { canonicalLine } from '../evidence/line.js';
import { leafHash, rootOf } from '../evidence/tree.js';
import type { AuditEvent } from '../event.js';
import type { RaiseAlarm } from './alarm.js';
import { LeafQueue } from './leaves.js';

/** 32 MB of leaves: when sealing is stuck for that long, the leaves are computed again from what is stored. */
const MAX_LEAVES = 1_000_000;

/** Reads events of a stream from a number on. */
export type ReadEvents = (stream: string, from: number, limit: number) => Promise<readonly AuditEvent[]>;

/** A segment that is ready for its entry. */
export interface ReadySegment extends Segment {
  /** Its leaves. */
  readonly leaves: Buffer;
}

/** The part of a stream that waits for its seal. */
export class OwnStream {
  /** The stream's ULID. */
  readonly id: string;
  /** Whether the ledger has its first entry. */
  isOpen = false;
  /** Whether the ledger has its last entry. */
  isClosed = false;
  /** Whether no event of it will come any more. */
  isLeft = false;
  /** Time of the newest event that was stored. */
  newestAt: Date | undefined;
  /** When the ledger got its last entry of this stream, on the monotonic clock. */
  coveredMs: number = performance.now();
  readonly #raise: RaiseAlarm;
  readonly #leaves = new LeafQueue();
  /** Stored events before those in `#leaves`, whose leaves were forgotten. */
  #forgotten = 0;
  /** The first number that no entry covers. */
  #next = 0;
  /** Entries whose events are not all acknowledged here: someone recovered this stream while it was thought dead. */
  #claims: SegmentEntry[] = [];

  constructor(id: string, raise: RaiseAlarm) {
    this.id = id;
    this.#raise = raise;
  }

  /** Stored events that no entry covers. */
  get unsealed(): number {
    const claimed = this.#claims.reduce((sum, { count }) => sum + count, 0);
    return Math.max(0, this.#forgotten + this.#leaves.size - claimed);
  }

  /** Number of the first event that no entry covers. */
  get next(): number {
    return this.#next;
  }

  /** Takes an event that is stored; in the order of their numbers. */
  add(event: AuditEvent): void {
    if (this.#leaves.size >= MAX_LEAVES) this.#forget();
    this.#leaves.push(canonicalLine(event as unknown as Record<string, unknown>));
    if (this.newestAt === undefined || event.at > this.newestAt) this.newestAt = event.at;
    if (this.#claims.length > 0) this.#settleClaims();
  }

  /** The next segment, as long as it may be; null while an entry of someone else waits for what was sent and not yet answered. */
  async segment(readEvents: ReadEvents): Promise<ReadySegment | null> {
    if (this.#claims.length > 0) return null;
    const from = this.#next;
    const count = Math.min(this.unsealed, MAX_SEGMENT_EVENTS);
    const leaves = this.#forgotten > 0 ? await this.#readLeaves(count, readEvents) : this.#leaves.peek(count);
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

  #settleClaims(): void {
    for (let claim = this.#claims[0]; claim !== undefined; claim = this.#claims[0]) {
      if (this.#forgotten + this.#leaves.size < claim.count) return;
      this.#claims.shift();
      if (claim.by !== this.id) this.#compare(claim);
      const forgotten = Math.min(this.#forgotten, claim.count);
      this.#forgotten -= forgotten;
      this.#leaves.drop(claim.count - forgotten);
    }
  }

  /** What someone else sealed for this stream must be what it stored. */
  #compare({ n, count, root }: SegmentEntry): void {
    if (this.#forgotten > 0 || rootOf(this.#leaves.peek(count)).toString('base64') === root) return;
    const detail = `entry ${n} seals other events of stream ${this.id} than it stored`;
    this.#raise({ kind: 'segment-root', where: `ledger#${n}`, detail });
  }

  #forget(): void {
    this.#forgotten += this.#leaves.size;
    this.#leaves.drop(this.#leaves.size);
  }

  async #readLeaves(count: number, readEvents: ReadEvents): Promise<Buffer> {
    const stored = await readEvents(this.id, this.#next, Math.min(count, this.#forgotten));
    return Buffer.concat(stored.map((event) => leafHash(canonicalLine({ ...event }))));
  }
}

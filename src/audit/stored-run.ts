/** Reads what is stored of a stream as a run without a hole, ready to be covered by an entry. It knows no ledger. */
import { eventId, MAX_SEGMENT_EVENTS } from '../evidence/entry.js';
import { linePreimage } from '../evidence/line.js';
import { hashPreimage } from '../evidence/tree.js';
import type { AuditEvent } from '../event.js';
import type { LedgerStore } from './ledger-store.js';

/** Events of a stream as they are stored. */
export interface StoredRun {
  /** How many. */
  readonly count: number;
  /** Their leaves. */
  readonly leaves: Buffer;
  /** Time of the newest; none that is far in the future. */
  readonly newestAt: Date | undefined;
  /** `_id` of an event that is no canonical event: the run ends before it. */
  readonly damagedId: string | undefined;
}

/** Where a run begins and how long it may be. */
export interface RunRequest {
  readonly stream: string;
  readonly from: number;
  /** @defaultValue as many as one entry may cover */
  readonly limit?: number;
  /** Time of now, ms since 1970. */
  readonly now: number;
}

const PAGE = 1000;
/** Clocks of honest hosts differ by less. The ledger would have to follow an event to its time, and could never come back. */
const MAX_FUTURE_MS = 86_400_000;

/** Reads events from a number on, as many as one entry may cover. */
export async function readRun(store: LedgerStore, request: RunRequest): Promise<StoredRun> {
  const { stream, from, limit = MAX_SEGMENT_EVENTS } = request;
  const run = new Run(request.now + MAX_FUTURE_MS);
  while (run.count < limit) {
    const events = await store.readEvents(stream, from + run.count, Math.min(PAGE, limit - run.count));
    const isWhole = events.every((event) => event._id === eventId(stream, from + run.count) && run.add(event));
    // Behind a hole nothing can be covered: an entry is a run of numbers.
    if (!isWhole || events.length === 0) break;
  }
  return { count: run.count, leaves: Buffer.concat(run.leaves), newestAt: run.newestAt, damagedId: run.damagedId };
}

class Run {
  readonly leaves: Buffer[] = [];
  newestAt: Date | undefined;
  damagedId: string | undefined;
  readonly #latestMs: number;

  constructor(latestMs: number) {
    this.#latestMs = latestMs;
  }

  get count(): number {
    return this.leaves.length;
  }

  /** False when it is no canonical event. */
  add(event: AuditEvent): boolean {
    const leaf = leafOf(event);
    if (leaf === undefined) {
      this.damagedId = event._id;
      return false;
    }
    this.leaves.push(leaf);
    const isNewer = this.newestAt === undefined || event.at > this.newestAt;
    if (isNewer && event.at.getTime() <= this.#latestMs) this.newestAt = event.at;
    return true;
  }
}

function leafOf(event: AuditEvent): Buffer | undefined {
  try {
    return event.at instanceof Date ? hashPreimage(linePreimage({ ...event })) : undefined;
  } catch {
    return undefined;
  }
}

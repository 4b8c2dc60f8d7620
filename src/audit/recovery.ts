/** Seals what a dead process stored and did not seal: weaker evidence than its own seal, and told as such. It knows no timer. */
import { type EntryDraft, eventId, isSegmentEntry, MAX_SEGMENT_EVENTS, readEntry } from '../evidence/entry.js';
import { canonicalLine } from '../evidence/line.js';
import { leafHash, rootOf } from '../evidence/tree.js';
import type { AuditEvent } from '../event.js';
import type { RaiseAlarm } from './alarm.js';
import type { Ledger } from './ledger.js';
import type { LedgerStore } from './ledger-store.js';
import type { OtherStreams } from './other-streams.js';

/** What recovering works with. */
export interface RecoveryParts {
  readonly ledger: Ledger;
  readonly store: LedgerStore;
  /** The stream in whose name it is done. */
  readonly by: string;
  readonly raise: RaiseAlarm;
  readonly others: OtherStreams;
}

/** Events of a stream as they are stored, ready to be covered. */
export interface StoredRun {
  /** How many. */
  readonly count: number;
  /** Their leaves. */
  readonly leaves: Buffer;
  /** Time of the newest. */
  readonly newestAt: Date | undefined;
  /** `_id` of an event that is no canonical event: the run ends before it. */
  readonly damagedId: string | undefined;
}

const PAGE = 1000;

/** Looks for events behind the last entry of a stream and covers them. */
export async function recoverStream(parts: RecoveryParts, stream: string, now: number): Promise<void> {
  const { ledger, store, others, by, raise } = parts;
  others.looked(stream, now);
  for (;;) {
    const from = others.nextOf(stream) ?? (await lookUp(parts, stream));
    if (from === undefined) return;
    const { count, leaves, newestAt, damagedId } = await readRun(store, stream, from);
    if (damagedId !== undefined && count === 0) {
      const detail = 'an event of a dead process is no canonical event: it cannot be sealed';
      raise({ kind: 'event-malformed', where: damagedId, detail });
    }
    if (count === 0) return;
    const root = rootOf(leaves).toString('base64');
    const draft: EntryDraft = { kind: 'recover', by, stream, from, count, root };
    // Another process may do the same: who comes second finds nothing left to cover.
    await ledger.append(() => (others.nextOf(stream) === from ? { draft, leaves, newestAt } : null));
    if (count < MAX_SEGMENT_EVENTS) return;
  }
}

/** Reads events from a number on, without a hole, as many as one entry may cover. */
export async function readRun(store: LedgerStore, stream: string, from: number): Promise<StoredRun> {
  const leaves: Buffer[] = [];
  let newestAt: Date | undefined;
  let damagedId: string | undefined;
  while (leaves.length < MAX_SEGMENT_EVENTS && damagedId === undefined) {
    const limit = Math.min(PAGE, MAX_SEGMENT_EVENTS - leaves.length);
    const events = await store.readEvents(stream, from + leaves.length, limit);
    for (const event of events) {
      // Behind a hole nothing can be covered: an entry is a run of numbers.
      if (event._id !== eventId(stream, from + leaves.length)) return run(leaves, { newestAt, damagedId });
      const leaf = leafOf(event);
      if (leaf === undefined) {
        damagedId = event._id;
        break;
      }
      leaves.push(leaf);
      if (newestAt === undefined || event.at > newestAt) newestAt = event.at;
    }
    if (events.length < limit) break;
  }
  return run(leaves, { newestAt, damagedId });
}

function run(leaves: readonly Buffer[], rest: Pick<StoredRun, 'newestAt' | 'damagedId'>): StoredRun {
  return { count: leaves.length, leaves: Buffer.concat(leaves), ...rest };
}

function leafOf(event: AuditEvent): Buffer | undefined {
  try {
    return event.at instanceof Date ? leafHash(canonicalLine({ ...event })) : undefined;
  } catch {
    return undefined;
  }
}

async function lookUp({ store, others }: RecoveryParts, stream: string): Promise<number | undefined> {
  const found = await store.lastOf(stream);
  const entry = typeof found?.entry === 'string' ? readEntry(found.entry) : undefined;
  if (entry === undefined) return undefined;
  // Found by its query copies, which are not signed: it must say so itself.
  if ('stream' in entry && entry.stream === stream) others.see(entry);
  return isSegmentEntry(entry) || entry.kind === 'open' ? others.nextOf(stream) : undefined;
}

/** Whether the events of a segment are still those that were sealed: asked before they are deleted, and what shows a change with them. It deletes nothing. */
import { eventId, readEventId, type SegmentEntry } from '../evidence/entry.js';
import { linePreimage } from '../evidence/line.js';
import { hashAt, HASH_BYTES, hashPreimage, rootOf } from '../evidence/tree.js';
import type { AuditEvent } from '../event.js';
import { LedgerAlarmError } from './alarm.js';
import type { LedgerStore } from './ledger-store.js';

/** What is checked. */
export interface CheckedSegment {
  readonly entry: SegmentEntry;
  /** An earlier prune said that its events may be gone: those that are left are checked. */
  readonly isPruned: boolean;
}

/** An event and its number. */
export interface PlacedEvent {
  readonly event: AuditEvent;
  readonly sequence: number;
}

const PAGE = 1000;

/**
 * Compares every event of a segment with the leaf that was sealed for it.
 * @throws {@link LedgerAlarmError} LEDGER_ALARM naming the first event that was edited or is missing, or the entry whose leaves are damaged
 */
export async function assertUntouched(store: LedgerStore, segment: CheckedSegment): Promise<void> {
  const { entry, isPruned } = segment;
  let leaves: Buffer | undefined;
  const end = entry.from + entry.count;
  let expected = entry.from;
  for await (const events of readSegment(store, entry)) {
    // Not before there is one: of most segments that were pruned none is left.
    leaves ??= await readLeaves(store, entry);
    for (const { sequence, event } of events) {
      if (sequence > expected && !isPruned) throw missing(entry, expected);
      if (!leafOf(event)?.equals(hashAt(leaves, sequence - entry.from))) {
        throw alarm('event-edited', event._id, 'it is not what was sealed');
      }
      expected = sequence + 1;
    }
  }
  if (expected < end && !isPruned) throw missing(entry, expected);
}

/** The events of a segment that are there, in order, in batches. */
export async function* readSegment(
  store: LedgerStore,
  { stream, from, count }: SegmentEntry,
): AsyncGenerator<PlacedEvent[], void, undefined> {
  const end = from + count;
  for (let next = from; next < end;) {
    // A read may give fewer than it was asked for, where they are large.
    const found = await store.readEvents(stream, next, Math.min(PAGE, end - next));
    const events = found.map((event) => ({ event, sequence: readEventId(event._id)?.sequence ?? end }));
    const own = events.filter(({ sequence }) => sequence < end);
    if (own.length === 0) return;
    yield own;
    next = (own.at(-1)?.sequence ?? end) + 1;
  }
}

async function readLeaves(store: LedgerStore, entry: SegmentEntry): Promise<Buffer> {
  const covering = await store.covering(entry.stream, entry.from);
  const { _id, leaves } = covering?.document ?? {};
  const isWhole = _id === entry.n && Buffer.isBuffer(leaves) && leaves.length === entry.count * HASH_BYTES;
  if (isWhole && rootOf(leaves).toString('base64') === entry.root) return leaves;
  throw new LedgerAlarmError({
    kind: 'leaves-damaged',
    where: `ledger#${entry.n}`,
    detail:
      'its leaves do not lead to the root in its entry: whether its events are those that were sealed is for verify to say',
  });
}

/** The leaf of an event as it is stored; undefined for what has no line: it was not sealed. */
function leafOf(event: AuditEvent): Buffer | undefined {
  try {
    return hashPreimage(linePreimage({ ...event }));
  } catch {
    return undefined;
  }
}

function missing({ stream }: SegmentEntry, sequence: number): LedgerAlarmError {
  return alarm('event-missing', eventId(stream, sequence), 'it was sealed and is not there');
}

function alarm(kind: string, id: string, detail: string): LedgerAlarmError {
  return new LedgerAlarmError({ kind, where: id, detail: `${detail}: nothing was deleted; run verify, keep a copy` });
}

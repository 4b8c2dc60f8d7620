/** Builds the proof of one event from the ledger. It needs no signing key. */
import { isSegmentEntry, readEntry, readEventId, type SegmentEntry } from '../evidence/entry.js';
import { linePreimage } from '../evidence/line.js';
import { writeProof } from '../evidence/proof.js';
import {
  CompactRange,
  hashAt,
  inclusionPath,
  hashPreimage,
  pathOfNewest,
  rootOf,
  splitHashes,
} from '../evidence/tree.js';
import { QueryError } from '../errors.js';
import { LedgerAlarmError } from './alarm.js';
import type { CoveringEntry, LedgerStore } from './ledger-store.js';

/**
 * The text of a `.tlog-proof` for an event: its place in the segment that sealed it, and that entry's place in the ledger that it signed.
 * @throws QUERY_INVALID for an unknown `_id` and for an event that is not sealed yet; LEDGER_ALARM when the event is not the one that was sealed
 */
export async function proveEvent(store: LedgerStore, id: string): Promise<string> {
  const place = readEventId(id);
  if (place === undefined) throw new QueryError('QUERY_INVALID', 'prove: the id must be the _id of an audit event');
  const [event] = await store.readEvents(place.stream, place.sequence, 1);
  if (event?._id !== id) throw new QueryError('QUERY_INVALID', 'prove: there is no event of this _id');
  const covering = await store.covering(place.stream, place.sequence);
  const sealed = covering === null ? undefined : readSealed(covering, place);
  if (sealed === undefined) throw new QueryError('QUERY_INVALID', 'prove: the event is not sealed yet: seal() first');
  const index = place.sequence - sealed.entry.from;
  if (!hashPreimage(linePreimage({ ...event })).equals(hashAt(sealed.leaves, index))) {
    throw alarm('event-edited', id, 'the event is not the one that was sealed');
  }
  return writeProof({
    index,
    path: inclusionPath(sealed.leaves, index),
    seal: sealed.text,
    entry: sealed.entry.n,
    entryPath: pathOfNewest(sealed.before),
    note: sealed.note,
  });
}

interface Sealed {
  readonly entry: SegmentEntry;
  readonly text: string;
  readonly note: string;
  readonly leaves: Buffer;
  readonly before: CompactRange;
}

/** The entry that covers the number; undefined when it covers only numbers before it. */
function readSealed(
  { document, before }: CoveringEntry,
  place: { stream: string; sequence: number },
): Sealed | undefined {
  const where = `ledger#${String(document._id)}`;
  const entry = typeof document.entry === 'string' ? readEntry(document.entry) : undefined;
  if (entry === undefined || typeof document.note !== 'string') {
    throw alarm('ledger-entry-malformed', where, 'the entry that should cover the event is none');
  }
  if (!isSegmentEntry(entry) || entry.stream !== place.stream) return undefined;
  if (place.sequence < entry.from || place.sequence >= entry.from + entry.count) return undefined;
  const leaves = Buffer.isBuffer(document.leaves) ? document.leaves : Buffer.alloc(0);
  if (rootOf(leaves).toString('base64') !== entry.root) {
    throw alarm('leaves-damaged', where, 'the leaves do not give the root that was sealed');
  }
  const peaks = Buffer.isBuffer(before?.peaks) ? (splitHashes(before.peaks) ?? []) : [];
  return { entry, text: document.entry as string, note: document.note, leaves, before: rangeOf(entry.n, peaks, where) };
}

function rangeOf(size: number, peaks: readonly Buffer[], where: string): CompactRange {
  try {
    return new CompactRange(size, peaks);
  } catch {
    throw alarm('ledger-peaks', where, 'the peaks before the entry do not fit its number');
  }
}

function alarm(kind: string, where: string, detail: string): LedgerAlarmError {
  return new LedgerAlarmError({ kind, where, detail });
}

/** Reads one file of the spool: its events, and the numbers of those that the disk does not give back. It knows no file. */
import { eventId, readEventId } from '../evidence/entry.js';
import type { AuditEvent } from '../event.js';
import { readFirstRecord, readSpooledEvent, readSpoolRecords } from './spool-lines.js';

/** What a file holds. */
export interface ReadSegmentResult {
  readonly events: AuditEvent[];
  /** `_id`s that were accepted and cannot be read any more. */
  readonly missing: string[];
  /** Lines that cannot be read, and of which not even the number is known. */
  readonly unknown: number;
}

/** What else is known of the file. */
export interface SegmentContext {
  /** The `_id` of its first event, where this process wrote it; else ''. */
  readonly first: string;
  /** How many events were written into it, where this process wrote it. */
  readonly count: number | undefined;
  /** The bytes of the file behind it, which begins where this one ended. */
  readonly next: Buffer | undefined;
}

/** A file that is damaged all over must not make up a million events. */
const MAX_MISSING = 100_000;

/** Reads a file. What is not as it was written stands for an event, at least for one where its end is damaged. */
export async function readSegment(bytes: Buffer, context: SegmentContext): Promise<ReadSegmentResult> {
  const records = await readSpoolRecords(bytes);
  const first = readHeader(records[0] ?? null);
  const lines = (first === undefined ? records : records.slice(1)).map(readSpooledEvent);
  const events = unique(lines.filter((event) => event !== null));
  const place = readEventId(context.first) ?? first ?? readEventId(events[0]?._id);
  if (place === undefined) return { events: [], missing: [], unknown: lines.length };
  const found = new Set(events.map(({ _id }) => _id));
  const end = endOf(lines, place, context);
  const missing = Array.from({ length: Math.min(end - place.sequence, MAX_MISSING + found.size) }, (_, index) =>
    eventId(place.stream, place.sequence + index),
  ).filter((id) => !found.has(id));
  return { events, missing, unknown: 0 };
}

interface Place {
  readonly stream: string;
  readonly sequence: number;
}

/** One past the last number. */
function endOf(lines: readonly (AuditEvent | null)[], { stream, sequence }: Place, context: SegmentContext): number {
  if (context.count !== undefined) return sequence + context.count;
  const next = context.next === undefined ? undefined : readHeader(readFirstRecord(context.next) ?? null);
  if (next?.stream === stream && next.sequence >= sequence) return next.sequence;
  const last = lines.findLastIndex((event) => event !== null);
  const lastSequence = last === -1 ? sequence - 1 : (readEventId(lines[last]?._id)?.sequence ?? sequence);
  return lastSequence + lines.length - last;
}

function readHeader(record: object | null): Place | undefined {
  const { v, first } = (record ?? {}) as { v?: unknown; first?: unknown };
  return v === 1 && typeof first === 'string' ? readEventId(first) : undefined;
}

/** A write that failed and could not be undone may stand there twice. */
function unique(events: readonly AuditEvent[]): AuditEvent[] {
  return [...new Map(events.map((event) => [event._id, event])).values()];
}

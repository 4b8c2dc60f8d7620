/** The text of a spool file: one line a record, each with its checksum, so that damage costs no more than what it hit. Pure. */
import { crc32 } from 'node:zlib';
import { writeLine } from '../evidence/canonical-bytes.js';
import { readEventId } from '../evidence/entry.js';
import type { AuditEvent } from '../event.js';

const CRC_DIGITS = 8;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
/** Checksum and space. */
const FRAME_START_BYTES: number = CRC_DIGITS + 1;
/** These and the line feed. */
const FRAME_BYTES: number = FRAME_START_BYTES + 1;
/** Most events are shorter; for longer ones the block grows. */
const USUAL_EVENT_BYTES = 1024;

/** What a file holds, in order; null where a line is not what was written. */
export interface SpoolText {
  readonly records: readonly (object | null)[];
  /** Bytes behind the last line feed: a write that did not come to its end, which nobody was told of. */
  readonly torn: number;
}

/** The line of a record: CRC-32 in hex, a space, JSON without a line feed, a line feed. */
export function writeSpoolLine(record: object): Buffer {
  const text = JSON.stringify(record);
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text) + FRAME_BYTES);
  bytes.write(text, FRAME_START_BYTES);
  frame(bytes, 0, bytes.length);
  return bytes;
}

/** The lines of events in one block, and how long each is. Their JSON is canonical, which is written faster than any other. */
export function writeSpoolEvents(events: readonly AuditEvent[]): { bytes: Buffer; lengths: number[] } {
  let bytes = Buffer.allocUnsafe(events.length * USUAL_EVENT_BYTES);
  const lengths: number[] = [];
  let start = 0;
  for (const event of events) {
    const from = start + FRAME_START_BYTES;
    let end = writeLine(bytes, event as object as Record<string, unknown>, from);
    if (end >= bytes.length) {
      bytes = Buffer.concat([bytes], 2 * end);
      end = writeLine(bytes, event as object as Record<string, unknown>, from);
    }
    frame(bytes, start, end + 1);
    lengths.push(end + 1 - start);
    start = end + 1;
  }
  return { bytes: bytes.subarray(0, start), lengths };
}

/** Puts around a text what makes it a line. */
function frame(bytes: Buffer, start: number, end: number): void {
  const crc = crc32(bytes.subarray(start + FRAME_START_BYTES, end - 1));
  bytes.write(crc.toString(16).padStart(CRC_DIGITS, '0'), start, 'latin1');
  bytes[start + CRC_DIGITS] = SPACE;
  bytes[end - 1] = LINE_FEED;
}

/** Reads what lines there are. Never throws. */
export function readSpoolText(bytes: Buffer): SpoolText {
  const records: (object | null)[] = [];
  let start = 0;
  for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
    records.push(readLine(bytes.subarray(start, end)));
    start = end + 1;
  }
  return { records, torn: bytes.length - start };
}

/** The event of a record; null when it is none. */
export function readSpooledEvent(record: object | null): AuditEvent | null {
  const { _id, at } = (record ?? {}) as { _id?: unknown; at?: unknown };
  if (readEventId(_id) === undefined || typeof at !== 'string') return null;
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? null : ({ ...record, at: time } as unknown as AuditEvent);
}

function readLine(line: Buffer): object | null {
  if (line[CRC_DIGITS] !== SPACE) return null;
  const json = line.subarray(CRC_DIGITS + 1);
  if (line.toString('latin1', 0, CRC_DIGITS) !== crc32(json).toString(16).padStart(CRC_DIGITS, '0')) return null;
  try {
    const record: unknown = JSON.parse(json.toString('utf8'));
    return typeof record === 'object' ? record : null;
  } catch {
    return null;
  }
}

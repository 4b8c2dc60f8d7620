/** The text of a spool file: one line a record, each with its checksum, so that damage costs no more than what it hit. It knows no file. */
import { crc32 } from 'node:zlib';
import { writeLine } from '../evidence/canonical-bytes.js';
import { readEventId } from '../evidence/entry.js';
import type { AuditEvent } from '../event.js';
import { nextTurn } from './next-turn.js';

const CRC_DIGITS = 8;
const LINE_FEED = 0x0a;
/** What is read before others get their turn: a millisecond's work. */
const SLICE_BYTES = 128 * 1024;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
/** What brackets and braces add. */
const DEPTH: Readonly<Record<number, number>> = { [OPEN_BRACE]: 1, 0x5b: 1, 0x5d: -1, 0x7d: -1 };
/** Checksum and space. */
const FRAME_START_BYTES: number = CRC_DIGITS + 1;
/** These and the line feed. */
const FRAME_BYTES: number = FRAME_START_BYTES + 1;
/** Most events are shorter; for longer ones the block grows. */
const USUAL_EVENT_BYTES = 1024;

/** What a file holds, in order; null where something stands that is not what was written. */
export interface SpoolText {
  readonly records: readonly (object | null)[];
  /** Whether it ends with its last line, so that another may follow. */
  readonly isWhole: boolean;
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

/**
 * Reads what lines there are. Behind the last line feed may stand a line that lost its own; the beginning of one, which is a write that did not come to its
 * end, which nobody was told of; or damage. Never throws.
 */
export function readSpoolText(bytes: Buffer): SpoolText {
  const records: (object | null)[] = [];
  let start = 0;
  for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
    records.push(readLine(bytes.subarray(start, end)));
    start = end + 1;
  }
  const rest = bytes.subarray(start);
  if (rest.length === 0) return { records, isWhole: true };
  // The line feed may be gone, or be another byte.
  const last = readLine(rest) ?? readLine(rest.subarray(0, -1));
  if (last !== null || !isBeginning(rest)) records.push(last);
  return { records, isWhole: false };
}

/** The same records, a slice after the other: a large file must not hold up the event loop. */
export async function readSpoolRecords(bytes: Buffer): Promise<(object | null)[]> {
  const records: (object | null)[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(LINE_FEED, start + SLICE_BYTES) + 1 || bytes.length;
    records.push(...readSpoolText(bytes.subarray(start, end)).records);
    start = end;
    await nextTurn();
  }
  return records;
}

/** The first record alone; undefined when there is none. */
export function readFirstRecord(bytes: Buffer): object | null | undefined {
  const end = bytes.indexOf(LINE_FEED) + 1 || bytes.length;
  return readSpoolText(bytes.subarray(0, end)).records[0];
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

/** Whether these bytes may be the beginning of a line, and no more than that. */
function isBeginning(rest: Buffer): boolean {
  const frame = rest.toString('latin1', 0, FRAME_START_BYTES);
  return /^[0-9a-f]{0,8}$|^[0-9a-f]{8} $/.test(frame) && isUnfinished(rest.subarray(FRAME_START_BYTES));
}

/** Whether an object in JSON begins here and does not end. */
function isUnfinished(json: Buffer): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at] as number;
    if (byte < SPACE || (at === 0 && byte !== OPEN_BRACE)) return false;
    if (isText && byte === BACKSLASH) at += 1;
    else if (byte === QUOTE) isText = !isText;
    else if (!isText) depth += DEPTH[byte] ?? 0;
    if (depth === 0) return false;
  }
  return true;
}

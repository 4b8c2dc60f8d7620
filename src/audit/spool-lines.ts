/** The text of a spool file: one line a record, each with its checksum, so that damage costs no more than what it hit. Pure. */
import { crc32 } from 'node:zlib';
import { readEventId } from '../evidence/entry.js';
import type { AuditEvent } from '../event.js';

const CRC_DIGITS = 8;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
/** Checksum, space and line feed. */
const FRAME_BYTES: number = CRC_DIGITS + 2;

/** What a file holds, in order; null where a line is not what was written. */
export interface SpoolText {
  readonly records: readonly (object | null)[];
  /** Bytes behind the last line feed: a write that did not come to its end, which nobody was told of. */
  readonly torn: number;
}

/** The line of a record: CRC-32 in hex, a space, JSON without a line feed, a line feed. */
export function writeSpoolLine(record: object): Buffer {
  return writeSpoolLines([record]).bytes;
}

/** The lines of records in one block, and how long each is. */
export function writeSpoolLines(records: readonly object[]): { bytes: Buffer; lengths: number[] } {
  const texts = records.map((record) => JSON.stringify(record));
  const lengths = texts.map((text) => Buffer.byteLength(text) + FRAME_BYTES);
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + length, 0));
  let start = 0;
  for (const [index, text] of texts.entries()) {
    const end = start + (lengths[index] as number);
    bytes.write(text, start + CRC_DIGITS + 1);
    const crc = crc32(bytes.subarray(start + CRC_DIGITS + 1, end - 1));
    bytes.write(crc.toString(16).padStart(CRC_DIGITS, '0'), start, 'latin1');
    bytes[start + CRC_DIGITS] = SPACE;
    bytes[end - 1] = LINE_FEED;
    start = end;
  }
  return { bytes, lengths };
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

/** The events in `events.ndjson`, as verification reads them. A line that is what was sealed is never parsed. */
import type { FileHandle } from 'node:fs/promises';
import { decodeBase64 } from '../evidence/base64.js';
import { isEventId } from '../evidence/entry.js';
import { canonicalText } from '../evidence/line.js';
import type { Canonical } from '../evidence/normalise.js';
import type { FoundEvent } from '../evidence/source.js';
import { readStoredLine, writeForeignId } from '../mongo/stored-line.js';
import { type LineBatch, readLines } from './line-reader.js';

const HEAD = Buffer.from('{"_id":"');
const ID_LENGTH = 39;
const QUOTE = 0x22;
/** What stands behind the `_id` of an event that was exported as its bytes. */
const BSON_MEMBER = Buffer.from(',"bson":"');

/** All events, in the order of the file. */
export async function* readExportedEvents(
  file: FileHandle,
  name: string,
): AsyncGenerator<FoundEvent[], void, undefined> {
  for await (const batch of readLines(file, name)) yield readBatch(batch, name);
}

function readBatch({ bytes, starts, ends, before }: LineBatch, name: string): FoundEvent[] {
  return starts.map((start, index) => {
    // The line feed of the line before gives its place to the byte that a leaf begins with.
    bytes[start - 1] = 0;
    const preimage = bytes.subarray(start - 1, ends[index]);
    const id = readUsualId(preimage);
    return id === undefined ? readUnusual(preimage, `${name}:${before + index + 1}`) : { id, preimage };
  });
}

/** The `_id`, where one of the package's stands first, and no bytes behind it. */
function readUsualId(preimage: Buffer): string | undefined {
  const start = 1 + HEAD.length;
  const end = start + ID_LENGTH;
  if (preimage[end] !== QUOTE || preimage.compare(HEAD, 0, HEAD.length, 1, start) !== 0) return undefined;
  if (preimage.compare(BSON_MEMBER, 0, BSON_MEMBER.length, end + 1, end + 1 + BSON_MEMBER.length) === 0)
    return undefined;
  const id = preimage.toString('latin1', start, end);
  return isEventId(id) ? id : undefined;
}

function readUnusual(preimage: Buffer, place: string): FoundEvent {
  const value = parse(preimage.toString('utf8', 1));
  if (value === undefined) {
    return { id: place, preimage, fault: 'unreadable', detail: 'the line is no JSON object' };
  }
  const { _id, bson } = value;
  const stored = typeof bson === 'string' && Object.keys(value).length === 2 ? decodeBase64(bson) : undefined;
  if (stored !== undefined) return readStoredLine(stored);
  return { id: typeof _id === 'string' ? _id : writeForeignId(textOf(_id)), preimage };
}

/** A value that no canonical text has came by no export. */
function textOf(value: unknown): string {
  try {
    return canonicalText((value ?? null) as Canonical);
  } catch {
    return JSON.stringify(value);
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A trail and its ledger as the lines of an export, in order, as they are stored: nothing is left out and nothing repaired. It knows no file. */
import mongoose from 'mongoose';
import type { Connection } from 'mongoose';
import { type LedgerDocument, writeLedgerLine } from '../evidence/ledger-document.js';
import { canonicalLine, canonicalText } from '../evidence/line.js';
import type { Canonical } from '../evidence/normalise.js';
import { ledgerOf } from './excess.js';

type Db = NonNullable<Connection['db']>;
type Document = Record<string, unknown>;

const { BSON } = mongoose.mongo;

/** A line without its line feed. */
export interface ExportLine {
  /** What stands in the file. */
  readonly text: string;
  /** The `_id` of a document that this package never stores in that form; its line is `{ _id, bson }`, with its bytes in base64. `verify` names it. */
  readonly strangeId: string | undefined;
}

/** Raw: a key that is there twice shows in the bytes only. */
const READ = { raw: true, readPreference: 'primary', readConcern: { level: 'majority' }, batchSize: 1000 } as const;
const DECODE = { promoteBuffers: true } as const;

/** The lines of `events.ndjson`, ordered by `_id`. */
export function eventLines(db: Db, collection: string): AsyncGenerator<ExportLine, void, undefined> {
  return readLines(db, collection, canonicalLine);
}

/** The lines of `ledger.ndjson`, ordered by `_id`. */
export function ledgerLines(db: Db, collection: string): AsyncGenerator<ExportLine, void, undefined> {
  return readLines(db, ledgerOf(collection), writeLedger);
}

/** Whether a prune was entered from this entry on: what an export read before it may be gone after it. */
export async function wasPruned(db: Db, collection: string, from: number): Promise<boolean> {
  const filter = { kind: 'prune', _id: { $gte: from } };
  const options = { readPreference: 'primary', readConcern: { level: 'majority' }, projection: { _id: 1 } } as const;
  return (await db.collection<{ _id: number }>(ledgerOf(collection)).findOne(filter, options)) !== null;
}

async function* readLines(
  db: Db,
  name: string,
  write: (document: Document) => string,
): AsyncGenerator<ExportLine, void, undefined> {
  const cursor = db.collection<{ _id: unknown }>(name).find({}, READ).sort({ _id: 1 });
  try {
    for await (const raw of cursor) yield toLine(raw as unknown as Buffer, write);
  } finally {
    await cursor.close();
  }
}

function toLine(raw: Buffer, write: (document: Document) => string): ExportLine {
  try {
    const document = BSON.deserialize(raw, DECODE);
    const text = write(document);
    // What a reader of the line would not see, such as the first of two values under one key, shows in other bytes.
    if (Buffer.from(BSON.serialize(document)).equals(raw)) return { text, strangeId: undefined };
  } catch {
    // It is no document of this package, or none at all: its bytes say more than anything that could be read from it.
  }
  const _id = readId(raw);
  const text = canonicalText({ _id, bson: Buffer.from(raw).toString('base64') });
  return { text, strangeId: typeof _id === 'string' ? _id : canonicalText(_id) };
}

function writeLedger(document: Document): string {
  const { peaks, leaves } = document;
  // A text in their place would be written as if it were bytes.
  const areBytes = Buffer.isBuffer(peaks) && (leaves === undefined || Buffer.isBuffer(leaves));
  if (!areBytes) throw new TypeError('peaks or leaves are no bytes');
  return writeLedgerLine(document as unknown as LedgerDocument);
}

/** The `_id` as extended JSON writes it; null when it cannot be read. */
function readId(raw: Buffer): Canonical {
  try {
    const { _id } = BSON.deserialize(raw, { ...DECODE, validation: { utf8: false } });
    return typeof _id === 'string' ? _id : (JSON.parse(BSON.EJSON.stringify(_id)) as Canonical);
  } catch {
    return null;
  }
}

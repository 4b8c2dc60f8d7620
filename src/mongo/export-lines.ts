/** A trail and its ledger as the lines of an export, in order, as they are stored: nothing is repaired. It knows no file and no rule of verification. */
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
  /** The document's `_id`, as text when it is none. */
  readonly id: string;
  /** The document; undefined when it is not in the form that this package stores. Its line is then `{ _id, bson }`, its bytes in base64: `verify` names it. */
  readonly document: Document | undefined;
}

/** Raw: a key that is there twice shows in the bytes only. */
const READ = { raw: true, readPreference: 'primary', readConcern: { level: 'majority' }, batchSize: 1000 } as const;
const DECODE = { promoteBuffers: true } as const;

/** The lines of `events.ndjson`, ordered by `_id`. */
export function eventLines(db: Db, collection: string): AsyncGenerator<ExportLine, void, undefined> {
  return readLines(db, collection, { filter: {}, write: canonicalLine });
}

/** The lines of `ledger.ndjson` from an entry on, ordered by `_id`; from 0 on also those whose `_id` is no number. */
export function ledgerLines(db: Db, collection: string, from: number): AsyncGenerator<ExportLine, void, undefined> {
  const filter = from === 0 ? {} : { _id: { $gte: from } };
  return readLines(db, ledgerOf(collection), { filter, write: writeLedger });
}

interface Reading {
  readonly filter: object;
  readonly write: (document: Document) => string;
}

async function* readLines(
  db: Db,
  name: string,
  { filter, write }: Reading,
): AsyncGenerator<ExportLine, void, undefined> {
  const cursor = db.collection(name).find(filter, READ).sort({ _id: 1 });
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
    if (Buffer.compare(BSON.serialize(document), raw) === 0) return { text, id: String(document['_id']), document };
  } catch {
    // It is no document of this package, or none at all: its bytes say more than anything that could be read from it.
  }
  const _id = readId(raw);
  const text = canonicalText({ _id, bson: Buffer.from(raw).toString('base64') });
  return { text, id: typeof _id === 'string' ? _id : canonicalText(_id), document: undefined };
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

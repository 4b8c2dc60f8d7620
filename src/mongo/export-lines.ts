/** A trail and its ledger as the lines of an export, in order, as they are stored: nothing is repaired. It knows no file and no rule of verification. */
import mongoose from 'mongoose';
import type { Connection } from 'mongoose';
import { type FoundLedgerDocument, type LedgerDocument, writeLedgerLine } from '../evidence/ledger-document.js';
import { canonicalText } from '../evidence/line.js';
import type { Canonical } from '../evidence/normalise.js';
import { readFoundEntry } from './evidence-source.js';
import { ledgerOf } from './excess.js';
import { readStoredLine } from './stored-line.js';

type Db = NonNullable<Connection['db']>;

const { BSON } = mongoose.mongo;

/** A line without its line feed. */
export interface ExportLine {
  /** What stands in the file. */
  readonly text: string;
  /** The document's `_id`, as text when it is none: of an event the one that verification gives. */
  readonly id: string;
  /** Whether it is not in the form that this package stores. Its line is then `{ _id, bson }`, its bytes in base64: `verify` names it. */
  readonly isStrange: boolean;
  /** The document, of a line of the ledger that is not strange. */
  readonly document?: FoundLedgerDocument;
}

/** Raw: a key that is there twice shows in the bytes only. */
const READ = { raw: true, readPreference: 'primary', readConcern: { level: 'majority' }, batchSize: 1000 } as const;

/** The lines of `events.ndjson`, ordered by `_id`. */
export function eventLines(db: Db, collection: string): AsyncGenerator<ExportLine, void, undefined> {
  return readLines(db, collection, { filter: {}, read: readEvent });
}

/** The lines of `ledger.ndjson` from an entry on, ordered by `_id`; from 0 on also those whose `_id` is no number. */
export function ledgerLines(db: Db, collection: string, from: number): AsyncGenerator<ExportLine, void, undefined> {
  const filter = from === 0 ? {} : { _id: { $gte: from } };
  return readLines(db, ledgerOf(collection), { filter, read: readDocument });
}

interface Reading {
  readonly filter: object;
  readonly read: (raw: Buffer) => ExportLine;
}

async function* readLines(
  db: Db,
  name: string,
  { filter, read }: Reading,
): AsyncGenerator<ExportLine, void, undefined> {
  const cursor = db.collection(name).find(filter, READ).sort({ _id: 1 });
  try {
    for await (const raw of cursor) yield read(raw as unknown as Buffer);
  } finally {
    await cursor.close();
  }
}

function readEvent(raw: Buffer): ExportLine {
  const { id, preimage, fault } = readStoredLine(raw);
  return fault === undefined ? { text: preimage.slice(1), id, isStrange: false } : { ...showBytes(raw), id };
}

function readDocument(raw: Buffer): ExportLine {
  const { document, fault } = readFoundEntry(raw);
  const { peaks, leaves } = document;
  // A text in their place would be written as if it were bytes.
  const areBytes = Buffer.isBuffer(peaks) && (leaves === undefined || Buffer.isBuffer(leaves));
  if (fault !== undefined || !areBytes) return showBytes(raw);
  try {
    const text = writeLedgerLine(document as LedgerDocument);
    return { text, id: String(document._id), isStrange: false, document };
  } catch {
    return showBytes(raw);
  }
}

/** It is no document of this package, or none at all: its bytes say more than anything that could be read from it. */
function showBytes(raw: Buffer): ExportLine {
  const _id = readId(raw);
  const text = canonicalText({ _id, bson: Buffer.from(raw).toString('base64') });
  return { text, id: typeof _id === 'string' ? _id : canonicalText(_id), isStrange: true };
}

/** The `_id` as extended JSON writes it; null when it cannot be read. */
function readId(raw: Buffer): Canonical {
  try {
    const { _id } = BSON.deserialize(raw, { validation: { utf8: false } });
    return typeof _id === 'string' ? _id : (JSON.parse(BSON.EJSON.stringify(_id)) as Canonical);
  } catch {
    return null;
  }
}

/** The trail and its ledger in MongoDB, as verification reads them: bytes as they are stored, what a majority holds, from the primary. It judges nothing. */
import mongoose from 'mongoose';
import type { Connection } from 'mongoose';
import type { FoundLedgerDocument } from '../evidence/ledger-document.js';
import type { EvidenceSource, FoundEntry, FoundEvent } from '../evidence/source.js';
import { AuditWriteError } from '../errors.js';
import { ledgerOf } from './excess.js';
import { describeError } from './server-error.js';
import { readStoredLine } from './stored-line.js';

type Db = NonNullable<Connection['db']>;

const { BSON } = mongoose.mongo;

/** As in every read of the package: see the ledger's store. */
const READ = { readConcern: { level: 'majority' }, readPreference: 'primary' } as const;
/** Some 500 kB. */
const EVENTS_AT_ONCE = 1000;
/** A document of the ledger can have 2 MB of leaves; signatures are checked between two batches, while nothing else runs. */
const ENTRIES_AT_ONCE = 100;

/** The driver's default for `fieldsAsRaw` is `{}`, whose inherited `constructor` it takes for "leave this array raw". */
const DECODE = {
  promoteBuffers: true,
  validation: { utf8: false },
  fieldsAsRaw: Object.create(null) as Record<string, boolean>,
} as const;

/** Creates the source. Its methods reject with AUDIT_UNAVAILABLE when the database does not answer. */
export function createEvidenceSource(db: Db, collection: string): EvidenceSource {
  const ledger = ledgerOf(collection);
  return {
    ledger: (from) => {
      const filter = from === undefined ? {} : { _id: { $gte: from } };
      return readBatches(db, { name: ledger, filter, size: ENTRIES_AT_ONCE }, readFoundEntry);
    },
    leaves: (numbers) => told(readLeaves(db, ledger, numbers)),
    events: () => readBatches<FoundEvent>(db, { name: collection, filter: {}, size: EVENTS_AT_ONCE }, readStoredLine),
    extent: async () => {
      const counts = [ledger, collection].map((name) => db.collection(name).estimatedDocumentCount());
      const [entries = 0, events = 0] = await told(Promise.all(counts));
      return { entries, events };
    },
  };
}

/** Reads a document of the ledger from its bytes; what the package would have stored in other bytes is a fault. */
export function readFoundEntry(raw: Uint8Array): FoundEntry {
  try {
    const document = BSON.deserialize(raw, DECODE) as FoundLedgerDocument;
    const isSame = Buffer.compare(BSON.serialize(document), raw) === 0;
    return isSame ? { document } : { document, fault: 'it is stored in other bytes than the package writes' };
  } catch {
    return { document: {}, fault: 'its bytes are no document' };
  }
}

interface Reading {
  readonly name: string;
  readonly filter: object;
  readonly size: number;
}

/** The next batch is asked for only when the one before was taken: verification relies on that while writers go on. */
async function* readBatches<Found>(
  db: Db,
  { name, filter, size }: Reading,
  read: (raw: Uint8Array) => Found,
): AsyncGenerator<Found[], void, undefined> {
  const options = { ...READ, raw: true, batchSize: size, sort: { _id: 1 } } as const;
  const cursor = db.collection(name).find(filter, options);
  try {
    while (await told(cursor.hasNext())) {
      yield cursor.readBufferedDocuments().map((raw) => read(raw as unknown as Uint8Array));
    }
  } finally {
    await cursor.close().catch(() => undefined);
  }
}

async function readLeaves(db: Db, ledger: string, numbers: readonly number[]): Promise<unknown[]> {
  const options = { ...READ, promoteBuffers: true, projection: { leaves: 1 } } as const;
  const found = await db
    .collection<{ _id: number; leaves?: unknown }>(ledger)
    .find({ _id: { $in: [...numbers] } }, options)
    .toArray();
  const leaves = new Map(found.map((document) => [document._id, document.leaves]));
  return numbers.map((n) => leaves.get(n));
}

async function told<Result>(reading: Promise<Result>): Promise<Result> {
  try {
    return await reading;
  } catch (error) {
    throw new AuditWriteError('AUDIT_UNAVAILABLE', `the trail cannot be read: ${describeError(error)}`);
  }
}

/** An anchor in another MongoDB: one document a checkpoint, inserted and never changed. It knows neither trail nor ledger. */
import type { Connection } from 'mongoose';
import { type Anchor, type AnchorOptions, throttle } from '../audit/anchors.js';
import { readNote } from '../evidence/note.js';
import { assertOptions } from '../errors.js';
import { isDuration, objectOf, optional } from '../settings.js';
import { type Link, openConnection, useConnection } from './connection.js';
import { findStorageConflict, isCollection, isConnection, isUri } from './options.js';

type Db = NonNullable<Connection['db']>;

/** Where checkpoints are kept: exactly one of `connection` and `uri`. */
export interface MongoAnchorOptions extends AnchorOptions {
  /** A mongoose connection of your own, to a server that the trail's admin has no power over; it stays open. */
  connection?: Connection | undefined;
  /** The same as a URI; it is connected to for each note, so that nothing stays open. */
  uri?: string | undefined;
  /** The collection. @defaultValue `'audit_anchors'` */
  collection?: string | undefined;
}

const DEFAULT_COLLECTION = 'audit_anchors';
const TIMEOUT_MS = 15_000;
/** Whoever may insert may insert what is no note: so many are looked through. */
const MAX_CANDIDATES = 100;

const checkMongoAnchor = objectOf<MongoAnchorOptions>({
  connection: optional(isConnection),
  uri: optional(isUri),
  collection: optional(isCollection),
  every: optional(isDuration),
});

/**
 * Keeps checkpoints as documents `{ size, note }` in another MongoDB, by a user who needs `find` and `insert` on the collection and nothing else.
 * It is worth something where whoever may change the trail may not change these.
 * @throws OPTIONS_INVALID
 */
export function mongoAnchor(options: MongoAnchorOptions): Anchor {
  assertOptions(checkMongoAnchor(options, 'mongoAnchor') ?? findStorageConflict(options, 'mongoAnchor'));
  const { connection, uri = '', collection = DEFAULT_COLLECTION } = options;
  const open = (): Link =>
    connection === undefined ? openConnection(() => Promise.resolve(uri)) : useConnection(connection);
  return {
    ...throttle(options, (note) => withDatabase(open(), (db) => insert(db, collection, note))),
    latest: () => withDatabase(open(), (db) => readLatest(db, collection)),
  };
}

async function withDatabase<T>(link: Link, work: (db: Db) => Promise<T>): Promise<T> {
  try {
    return await work(await link.database(TIMEOUT_MS));
  } finally {
    await link.close();
  }
}

async function insert(db: Db, collection: string, note: string): Promise<void> {
  const writeConcern = { w: 'majority', j: true, wtimeoutMS: TIMEOUT_MS } as const;
  await db.collection(collection).insertOne({ size: readNote(note)?.checkpoint.size ?? 0, note }, { writeConcern });
}

/** The largest one that is a note of the size that it is kept under. */
async function readLatest(db: Db, collection: string): Promise<string | null> {
  const options = { readConcern: { level: 'majority' }, readPreference: 'primary', maxTimeMS: TIMEOUT_MS } as const;
  const cursor = db.collection(collection).find({ size: { $type: 'number' } }, options);
  try {
    for await (const { size, note } of cursor.sort({ size: -1, _id: -1 }).limit(MAX_CANDIDATES)) {
      if (typeof note === 'string' && readNote(note)?.checkpoint.size === size) return note;
    }
    return null;
  } finally {
    await cursor.close();
  }
}

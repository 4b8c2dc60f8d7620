/** The sealing side's store on MongoDB: the ledger collection beside the trail. Reads are majority reads on the primary. */
import type { Connection } from 'mongoose';
import type { CoveringEntry, LedgerOutcome, LedgerStore } from '../audit/ledger-store.js';
import { eventId, readEventId } from '../evidence/entry.js';
import type { FoundLedgerDocument, LedgerDocument } from '../evidence/ledger-document.js';
import type { AuditEvent } from '../event.js';
import { AuditWriteError, StrongroomError } from '../errors.js';
import type { Link } from './connection.js';
import { ledgerOf } from './excess.js';
import { LEDGER_KEYS, nameOf } from './indexes.js';
import { readInsertError, readInsertReply } from './insert-outcome.js';
import { codeOf, describeError, SERVER_CODES } from './server-error.js';

type Db = NonNullable<Connection['db']>;

const TIMEOUT_MS = 15_000;

/** What a majority holds, from the primary. */
const READ = {
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  maxTimeMS: TIMEOUT_MS,
  // The driver's default is `{}`, whose inherited `constructor` it takes for "leave this array raw".
  fieldsAsRaw: Object.create(null) as Record<string, boolean>,
} as const;

const WITHOUT_LEAVES = { leaves: 0 } as const;
/** A foreign `_id` of another type sorts before or behind all numbers: it is none of the ledger's. */
const NUMBERED = { $type: 'number' } as const;

/** Creates the store; it connects at its first use. */
export function createLedgerStore({ link, collection }: { link: Link; collection: string }): LedgerStore {
  const parts = new Parts(link, collection);
  return {
    read: (from, limit) => parts.ledger((found) => found({ _id: { $gte: from } }, { sort: { _id: 1 }, limit })),
    newest: () => parts.first({ _id: NUMBERED }, { _id: -1 }),
    insert: (document) => parts.insert(document),
    openStreams: () => parts.openStreams(),
    lastOf: (stream) => parts.first({ stream }, { from: -1, _id: -1 }),
    covering: (stream, sequence) => parts.covering(stream, sequence),
    readEvents: (stream, from, limit) => parts.readEvents(rangeOf(stream, from), { sort: { _id: 1 }, limit }),
    nextStream: (after) => parts.nextStream(after),
    async lastEvent(stream) {
      const [event] = await parts.readEvents(rangeOf(stream, 0), { sort: { _id: -1 }, limit: 1 });
      return event ?? null;
    },
  };
}

/** Documents of a stream: `.` is followed by `/` in the order of characters. */
function rangeOf(stream: string, from: number): Filter {
  return { _id: { $gte: eventId(stream, from), $lt: `${stream}/` } };
}

type Filter = Record<string, unknown>;
type Order = Record<string, 1 | -1>;
type Find = (filter: Filter, options: { sort: Order; limit: number; leaves?: true }) => Promise<FoundLedgerDocument[]>;

class Parts {
  readonly #link: Link;
  readonly #collection: string;
  #hasIndexes = false;

  constructor(link: Link, collection: string) {
    this.#link = link;
    this.#collection = collection;
  }

  async insert(document: LedgerDocument): Promise<LedgerOutcome> {
    const attempt = new AbortController();
    const timer = setTimeout(() => attempt.abort(), TIMEOUT_MS);
    try {
      const db = await this.#link.database(TIMEOUT_MS);
      await this.#ensureIndexes(db);
      const command = { insert: ledgerOf(this.#collection), documents: [document], ordered: true };
      const writeConcern = { w: 'majority', j: true };
      const reply = await db.command({ ...command, writeConcern }, { signal: attempt.signal });
      return toOutcome(readInsertReply(reply, 1));
    } catch (error) {
      return toOutcome(readInsertError(error));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Reads documents of the ledger. */
  ledger<T>(query: (find: Find) => Promise<T>): Promise<T> {
    return this.#read((db) => {
      const source = db.collection<Stored>(ledgerOf(this.#collection));
      return query(async (filter, { sort, limit, leaves }) => {
        const projection = leaves === true ? {} : { projection: WITHOUT_LEAVES };
        return (await source.find(filter as object, { ...READ, ...projection, sort, limit }).toArray()).map(toFound);
      });
    });
  }

  async first(filter: Filter, sort: Order): Promise<FoundLedgerDocument | null> {
    return (await this.ledger((find) => find(filter, { sort, limit: 1 })))[0] ?? null;
  }

  openStreams(): Promise<string[]> {
    return this.#read(async (db) => {
      const source = db.collection<Stored>(ledgerOf(this.#collection));
      const [opened, closed] = await Promise.all(
        ['open', 'close'].map((kind) =>
          source
            .find({ kind }, { ...READ, projection: { _id: 0, stream: 1 }, hint: { kind: 1, stream: 1 } })
            .toArray()
            .catch((error: unknown) => {
              // Without the index, which this user may not build, the planner does what it can.
              if (codeOf(error) !== SERVER_CODES.badValue) throw error;
              return source.find({ kind }, { ...READ, projection: { _id: 0, stream: 1 } }).toArray();
            }),
        ),
      );
      const ended = new Set(closed?.map(({ stream }) => stream));
      const streams = (opened ?? []).map(({ stream }) => stream);
      return streams.filter((stream): stream is string => typeof stream === 'string' && !ended.has(stream));
    });
  }

  covering(stream: string, sequence: number): Promise<CoveringEntry | null> {
    return this.ledger(async (find) => {
      const filter = { stream, from: { $lte: sequence } };
      const [document] = await find(filter, { sort: { from: -1, _id: -1 }, limit: 1, leaves: true });
      if (document === undefined || typeof document._id !== 'number') return null;
      const [before] = await find({ _id: document._id - 1 }, { sort: { _id: 1 }, limit: 1 });
      return { document, before: before ?? null };
    });
  }

  readEvents(filter: Filter, options: { sort: Order; limit: number }): Promise<AuditEvent[]> {
    return this.#read((db) =>
      db
        .collection<AuditEvent>(this.#collection)
        .find(filter as object, { ...READ, ...options })
        .toArray(),
    );
  }

  /** A loose scan of the `_id` index: one look a stream. */
  async nextStream(after: string): Promise<string | null> {
    let behind = after === '' ? '' : `${after}/`;
    for (;;) {
      const [event] = await this.readEvents({ _id: { $gt: behind } }, { sort: { _id: 1 }, limit: 1 });
      if (event === undefined) return null;
      const place = readEventId(event._id);
      if (place !== undefined) return place.stream;
      // No `_id` of this package: verification names it.
      behind = event._id;
    }
  }

  async #read<T>(query: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await query(await this.#link.database(TIMEOUT_MS));
    } catch (error) {
      if (error instanceof StrongroomError) throw error;
      throw new AuditWriteError('AUDIT_UNAVAILABLE', `the trail's ledger cannot be read: ${describeError(error)}`);
    }
  }

  /** Built before the first entry, where this user may: an empty collection costs nothing. */
  async #ensureIndexes(db: Db): Promise<void> {
    if (this.#hasIndexes) return;
    this.#hasIndexes = true;
    const indexes = LEDGER_KEYS.map((key) => ({ key, name: nameOf(key) }));
    const command = { createIndexes: ledgerOf(this.#collection), indexes };
    await db.command(command).catch(() => undefined);
  }
}

/** A document as the driver gives it. */
type Stored = Omit<FoundLedgerDocument, '_id'> & { readonly _id: never };

function toFound(stored: Stored): FoundLedgerDocument {
  const leaves = stored.leaves === undefined ? {} : { leaves: toBytes(stored.leaves) };
  return { ...stored, peaks: toBytes(stored.peaks), ...leaves };
}

/** The driver's Binary, told by its form: there may be two copies of the driver. */
function toBytes(value: unknown): unknown {
  const { _bsontype, buffer, position } = (value ?? {}) as {
    _bsontype?: unknown;
    buffer?: unknown;
    position?: unknown;
  };
  if (_bsontype !== 'Binary' || !(buffer instanceof Uint8Array)) return value;
  return Buffer.from(buffer.buffer, buffer.byteOffset, typeof position === 'number' ? position : buffer.length);
}

function toOutcome(outcome: ReturnType<typeof readInsertReply>): LedgerOutcome {
  switch (outcome.kind) {
    case 'stored':
    case 'unknown':
    case 'refused':
      return outcome;
    case 'duplicate':
      return { kind: 'duplicate' };
    case 'poison':
      return { kind: 'refused', error: outcome.error };
  }
}

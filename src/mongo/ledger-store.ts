/** The sealing side's store on MongoDB: the ledger collection beside the trail. Reads are majority reads on the primary. */
import type { Connection } from 'mongoose';
import type { CoveringEntry, LedgerOutcome, LedgerStore } from '../audit/ledger-store.js';
import { type Entry, eventId, isSegmentEntry, readEventId, streamTime } from '../evidence/entry.js';
import { type FoundLedgerDocument, type LedgerDocument, readPlaced } from '../evidence/ledger-document.js';
import type { AuditEvent } from '../event.js';
import { AuditWriteError, StrongroomError } from '../errors.js';
import type { Link } from './connection.js';
import { ledgerOf } from './excess.js';
import { LEDGER_KEYS, nameOf } from './indexes.js';
import { readInsertError, readInsertReply } from './insert-outcome.js';
import { codeOf, describeError, SERVER_CODES } from './server-error.js';

type Db = NonNullable<Connection['db']>;

const TIMEOUT_MS = 15_000;

/** What a majority holds, from the primary; whatever the app chose for its connection. */
const READ = {
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  maxTimeMS: TIMEOUT_MS,
  raw: false,
  promoteValues: true,
  promoteLongs: true,
  promoteBuffers: true,
  useBigInt64: false,
  bsonRegExp: false,
  // The driver's default is `{}`, whose inherited `constructor` it takes for "leave this array raw".
  fieldsAsRaw: Object.create(null) as Record<string, boolean>,
} as const;

const WITHOUT_LEAVES = { leaves: 0 } as const;
/** A foreign `_id` of another type sorts before or behind all numbers: it is none of the ledger's. */
const NUMBERED = { $type: 'number' } as const;
/** Documents that say they are about a stream, and are looked through for one that is; with a validator there are no others. */
const MAX_CANDIDATES = 100;
const DAY_MS = 86_400_000;

/** Creates the store; it connects at its first use. */
export function createLedgerStore({ link, collection }: { link: Link; collection: string }): LedgerStore {
  const parts = new Parts(link, collection);
  return {
    read: (from, limit) => parts.ledger({ _id: { $gte: from } }, { sort: { _id: 1 }, limit }),
    newest: async () => (await parts.ledger({ _id: NUMBERED }, { sort: { _id: -1 }, limit: 1 }))[0] ?? null,
    insert: (document) => parts.insert(document),
    openStreams: (limit) => parts.openStreams(limit),
    lastOf: (stream) => parts.lastOf(stream),
    covering: (stream, sequence) => parts.covering(stream, sequence),
    readEvents: (stream, from, limit) => parts.events(rangeOf(stream, from), { sort: { _id: 1 }, limit }),
    nextStream: (after) => parts.nextStream(after),
    async lastEvent(stream) {
      const [event] = await parts.events(rangeOf(stream, 0), { sort: { _id: -1 }, limit: 1 });
      return event ?? null;
    },
  };
}

const STREAM = '[0-7][0-9A-HJKMNP-TV-Z]{25}';
const IS_STREAM = new RegExp(`^${STREAM}$`);
const IS_EVENT = new RegExp(`^${STREAM}\\.\\d{12}$`);

/** Events of a stream: `.` is followed by `/` in the order of characters. An `_id` of another form is none of this package's. */
function rangeOf(stream: string, from: number): Filter {
  return { _id: { $gte: eventId(stream, from), $lt: `${stream}/`, $regex: IS_EVENT } };
}

type Filter = Record<string, unknown>;
type Order = Record<string, 1 | -1>;
interface Selection {
  readonly sort: Order;
  readonly limit: number;
}

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

  /** Documents of the ledger, without their leaves. */
  ledger(filter: Filter, selection: Selection): Promise<FoundLedgerDocument[]> {
    return this.#read((db) =>
      firstBatch<FoundLedgerDocument>(db.collection(ledgerOf(this.#collection)), filter, {
        ...selection,
        projection: WITHOUT_LEAVES,
      }),
    );
  }

  events(filter: Filter, selection: Selection): Promise<AuditEvent[]> {
    return this.#read((db) => firstBatch<AuditEvent>(db.collection(this.#collection), filter, selection));
  }

  async lastOf(stream: string): Promise<Entry | null> {
    const found = await this.ledger({ stream }, { sort: { from: -1, _id: -1 }, limit: MAX_CANDIDATES });
    const entries = found.map(readPlaced).filter((entry) => entry !== undefined);
    return entries[0] ?? null;
  }

  async covering(stream: string, sequence: number): Promise<CoveringEntry | null> {
    const filter = { stream, from: { $lte: sequence } };
    const found = await this.ledger(filter, { sort: { from: -1, _id: -1 }, limit: MAX_CANDIDATES });
    const n = found.find((one) => covers(readPlaced(one), sequence))?._id;
    if (typeof n !== 'number') return null;
    return this.#read(async (db) => {
      const source = db.collection(ledgerOf(this.#collection));
      const selection = { sort: { _id: 1 }, limit: 1 } as const;
      const [document] = await firstBatch<FoundLedgerDocument>(source, { _id: n }, selection);
      const [before] = await this.ledger({ _id: n - 1 }, selection);
      return document === undefined ? null : { document, before: before ?? null };
    });
  }

  /** Opened and closed streams lie side by side in the order of the index: what is in one list only is open. */
  openStreams(limit: number): Promise<string[]> {
    return this.#read(async (db) => {
      const source = db.collection(ledgerOf(this.#collection));
      try {
        return await readOpen(source, limit, { hint: { kind: 1, stream: 1 } });
      } catch (error) {
        // Without the index, which this user may not build, the planner does what it can.
        if (codeOf(error) !== SERVER_CODES.badValue) throw error;
        return readOpen(source, limit, {});
      }
    });
  }

  /** A loose scan of the `_id` index: one look a stream. */
  async nextStream(after: string): Promise<string | null> {
    const behind = after === '' ? '' : `${after}/`;
    const filter = { _id: { $gt: behind, $regex: IS_EVENT } };
    const [event] = await this.events(filter, { sort: { _id: 1 }, limit: 1 });
    return readEventId(event?._id)?.stream ?? null;
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

type Source = ReturnType<Db['collection']>;

/** No more than one answer of the server, 16 MB: whoever may insert may insert the largest documents. */
async function firstBatch<Found>(
  source: Source,
  filter: Filter,
  { limit, ...options }: Selection & { projection?: object },
): Promise<Found[]> {
  const cursor = source.find(filter, { ...READ, ...options, limit, batchSize: limit });
  try {
    return (await cursor.hasNext()) ? (cursor.readBufferedDocuments() as Found[]) : [];
  } finally {
    await cursor.close();
  }
}

/** The youngest streams come first. */
async function readOpen(source: Source, limit: number, options: { hint?: Order }): Promise<string[]> {
  const list = (kind: string): Streams => {
    const sorted = { ...READ, ...options, sort: { stream: -1 }, projection: { _id: 0, stream: 1 } } as const;
    return source.find({ kind, stream: { $regex: IS_STREAM } }, sorted).map(({ stream }) => stream as string);
  };
  const [opened, closed] = [list('open'), list('close')];
  const latest = Date.now() + DAY_MS;
  const open: string[] = [];
  try {
    let ended = await closed.next();
    for await (const stream of opened) {
      while (ended !== null && ended > stream) ended = await closed.next();
      if (ended === stream || open.at(-1) === stream || streamTime(stream) > latest) continue;
      if (open.push(stream) === limit) break;
    }
  } finally {
    await Promise.all([opened.close(), closed.close()]);
  }
  return open;
}

type Streams = AsyncIterable<string> & { next(): Promise<string | null>; close(): Promise<void> };

function covers(entry: Entry | undefined, sequence: number): boolean {
  if (entry === undefined || !isSegmentEntry(entry)) return false;
  return sequence >= entry.from && sequence < entry.from + entry.count;
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

/** The audit side's store on MongoDB. Writes go through the `insert` command, in no session and no transaction of the app. */
import type { Connection } from 'mongoose';
import type { AuditGroup, AuditStore, GroupRequest, InsertOutcome, PageRequest, StoreFilter } from '../audit/store.js';
import { AuditWriteError, QueryError } from '../errors.js';
import type { AuditEvent } from '../event.js';
import { inTime, type Link } from './connection.js';
import { ensureIndexes } from './indexes.js';
import { type InsertReply, readInsertError, readInsertReply } from './insert-outcome.js';
import { readEnforcement } from './privileges.js';
import { countPipeline, groupPipeline, hintFor, matchPage, NEWEST_FIRST } from './reads.js';

type Db = NonNullable<Connection['db']>;
type Events = ReturnType<typeof eventsOf>;

/** After that long without a reply an attempt is unknown and made again: a frozen server must not hold the queue for ever. */
const ATTEMPT_TIMEOUT_MS = 15_000;
/** How long a reader's query may take on the server. */
const QUERY_TIMEOUT_MS = 30_000;
const MAX_TIME_EXPIRED = 50;
const AUTHENTICATION_FAILED = 18;
const BAD_VALUE = 2;
/** What a majority holds, from the primary: never an event that a failover takes back. */
const READ = { readConcern: { level: 'majority' }, readPreference: 'primary' } as const;

/** Where the trail is. */
export interface MongoStoreOptions {
  readonly link: Link;
  readonly collection: string;
  /** Whether the index for tenants is kept. */
  readonly tenant: boolean;
  /** How long an attempt waits for a reply. */
  readonly attemptTimeoutMs?: number;
}

/** Creates the store; it connects at its first use. */
export function createMongoStore(parts: MongoStoreOptions): AuditStore {
  const { link, collection, tenant, attemptTimeoutMs = ATTEMPT_TIMEOUT_MS } = parts;
  let indexesSeen = false;

  /** Builds missing indexes once, beside the first write: on a large old collection that takes longer than an event should wait. */
  function ensureIndexesOnce(db: Db): void {
    if (indexesSeen) return;
    indexesSeen = true;
    ensureIndexes(db, collection, tenant).catch(() => {
      indexesSeen = false;
    });
  }

  async function send(batch: readonly AuditEvent[]): Promise<InsertOutcome> {
    const db = await link.database(attemptTimeoutMs);
    ensureIndexesOnce(db);
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), attemptTimeoutMs);
    try {
      // `insert` must be the first key. Unlike insertMany the command is sent as it is, once, and its whole reply comes back.
      const command = { insert: collection, documents: batch, ordered: true, writeConcern: { w: 'majority', j: true } };
      const reply = await db.command(command, { signal: abort.signal });
      return readInsertReply(reply as InsertReply, batch.length);
    } catch (error) {
      if ((error as { code?: unknown }).code === AUTHENTICATION_FAILED) await link.logInAgain();
      return readInsertError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async function read<T>(query: (db: Db) => Promise<T>): Promise<T> {
    try {
      return await query(await link.database(QUERY_TIMEOUT_MS));
    } catch (error) {
      throw readError(error);
    }
  }

  const options = { ...READ, maxTimeMS: QUERY_TIMEOUT_MS };
  const events = (db: Db): Events => eventsOf(db, collection);

  /** Reads with the index named; where it is missing, since this user may not build it, the planner does what it can. */
  function readBy<T>(hint: object, query: (source: Events, named: object) => Promise<T>): Promise<T> {
    return read((db) =>
      query(events(db), { ...options, ...hint }).catch((error: unknown) => {
        if ((error as { code?: unknown }).code !== BAD_VALUE) throw error;
        return query(events(db), options);
      }),
    );
  }

  return {
    insert: (batch) => send(batch).catch((error: unknown) => ({ kind: 'unknown', error: error as Error })),
    readBack: (ids) =>
      read((db) =>
        events(db)
          .find({ _id: { $in: [...ids] } }, options)
          .toArray(),
      ),
    find: (page: PageRequest) =>
      readBy(hintFor(page, { tenant }), (source, named) =>
        source.find(matchPage(page), { ...named, sort: NEWEST_FIRST, limit: page.limit }).toArray(),
      ),
    count: (filter: StoreFilter) =>
      readBy(hintFor(filter, { tenant }), async (source, named) => {
        const [total] = await source.aggregate(countPipeline(filter), named).toArray();
        return (total?.['count'] as number | undefined) ?? 0;
      }),
    aggregate: (request: GroupRequest) =>
      readBy(hintFor(request, { tenant, by: request.by }), async (source, named) =>
        (await source.aggregate(groupPipeline(request), named).toArray()).map(toGroup),
      ),
    onAvailable: (listener) => link.onConnected(listener),
    async inspect(timeoutMs) {
      const look = async () => {
        const db = await link.database(timeoutMs);
        await db.command({ ping: 1 });
        const indexes = await ensureIndexes(db, collection, tenant);
        indexesSeen = true;
        return { indexes, enforcement: await readEnforcement(db, collection) };
      };
      try {
        return await inTime(look(), timeoutMs);
      } catch (error) {
        throw new AuditWriteError('AUDIT_UNAVAILABLE', `the trail's MongoDB cannot be reached: ${nameOf(error)}`);
      }
    },
    close: () => link.close(),
  };
}

function eventsOf(db: Db, collection: string) {
  return db.collection<AuditEvent>(collection);
}

function toGroup(group: object): AuditGroup {
  const { _id, count } = group as { _id: Record<string, string | null | Date>; count: number };
  const { from, ...key } = _id;
  return { key: key as Record<string, string | null>, count, ...(from instanceof Date && { from }) };
}

function readError(error: unknown): Error {
  const { code } = error as { code?: unknown };
  if (code === MAX_TIME_EXPIRED) {
    return new QueryError('QUERY_TIMEOUT', `the query took longer than ${QUERY_TIMEOUT_MS} ms`);
  }
  return new AuditWriteError('AUDIT_UNAVAILABLE', `the trail's MongoDB cannot be read: ${nameOf(error)}`);
}

/** The class and code: a driver's message may quote the URI or the document. */
function nameOf(error: unknown): string {
  const { name, code } = error as { name?: unknown; code?: unknown };
  return [name, code].filter((part) => part !== undefined).join(' ');
}

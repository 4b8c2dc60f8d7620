/** The audit side's store on MongoDB. Writes go through the `insert` command, in no session and no transaction of the app. */
import type { Connection } from 'mongoose';
import type { AuditStore, InsertOutcome, StoreInspection } from '../audit/store.js';
import { AuditWriteError } from '../errors.js';
import type { AuditEvent } from '../event.js';
import { inTime } from './connection.js';
import { ensureIndexes } from './indexes.js';
import { type InsertReply, readInsertError, readInsertReply } from './insert-outcome.js';
import { readEnforcement } from './privileges.js';
import { createQueries, type QueryParts } from './queries.js';
import { codeOf, describeError, SERVER_CODES } from './server-error.js';

type Db = NonNullable<Connection['db']>;

/** After that long without a reply an attempt is unknown and made again: a frozen server must not hold the queue for ever. */
const ATTEMPT_TIMEOUT_MS = 15_000;

/** Where the trail is. */
export interface MongoStoreOptions extends QueryParts {
  /** How long an attempt to insert waits for a reply. */
  readonly attemptTimeoutMs?: number;
}

/** Creates the store; it connects at its first use. */
export function createMongoStore(options: MongoStoreOptions): AuditStore {
  const { link, collection, tenant, attemptTimeoutMs = ATTEMPT_TIMEOUT_MS } = options;
  let indexesSeen = false;

  /** Builds missing indexes once, beside the first write: on a large old collection that takes longer than an event should wait. */
  function ensureIndexesOnce(db: Db): void {
    if (indexesSeen) return;
    indexesSeen = true;
    ensureIndexes(db, collection, tenant).catch(() => {
      indexesSeen = false;
    });
  }

  async function insert(batch: readonly AuditEvent[]): Promise<InsertOutcome> {
    try {
      const db = await link.database(attemptTimeoutMs);
      ensureIndexesOnce(db);
      const reply = await sendInsert(db, { collection, batch, timeoutMs: attemptTimeoutMs });
      return readInsertReply(reply, batch.length);
    } catch (error) {
      if (codeOf(error) === SERVER_CODES.authenticationFailed) await link.logInAgain().catch(() => undefined);
      return readInsertError(error);
    }
  }

  return {
    insert,
    ...createQueries(options),
    onAvailable: (listener) => link.onConnected(listener),
    inspect: (timeoutMs) =>
      inTime(look(options, timeoutMs), timeoutMs).catch((error: unknown) => {
        throw new AuditWriteError(
          'AUDIT_UNAVAILABLE',
          `the trail's MongoDB cannot be reached: ${describeError(error)}`,
        );
      }),
    close: () => link.close(),
  };
}

async function look({ link, collection, tenant }: QueryParts, timeoutMs: number): Promise<StoreInspection> {
  const db = await link.database(timeoutMs);
  await db.command({ ping: 1 });
  const indexes = await ensureIndexes(db, collection, tenant);
  return { indexes, enforcement: await readEnforcement(db, collection) };
}

async function sendInsert(
  db: Db,
  { collection, batch, timeoutMs }: { collection: string; batch: readonly AuditEvent[]; timeoutMs: number },
): Promise<InsertReply> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeoutMs);
  try {
    // `insert` must be the first key. Unlike insertMany the command is sent as it is, once, and its whole reply comes back.
    const command = { insert: collection, documents: batch, ordered: true, writeConcern: { w: 'majority', j: true } };
    return await db.command(command, { signal: abort.signal });
  } finally {
    clearTimeout(timer);
  }
}

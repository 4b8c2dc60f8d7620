/** The audit side's store on MongoDB. Writes go through the `insert` command, in no session and no transaction of the app. */
import type { Connection } from 'mongoose';
import type { AuditStore, InsertOutcome, StoreInspection } from '../audit/store.js';
import { AuditWriteError, StrongroomError } from '../errors.js';
import type { AuditEvent } from '../event.js';
import { inTime } from './connection.js';
import { assertEnforced, warnUnenforced } from './enforcement.js';
import { ensureIndexes } from './indexes.js';
import { readInsertError, readInsertReply } from './insert-outcome.js';
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
  /** In production: the server must refuse this user every change. Without it a look is refused, a write warns. */
  readonly mustBeEnforced?: boolean;
}

/** Creates the store; it connects at its first use. */
export function createMongoStore(options: MongoStoreOptions): AuditStore {
  const { link } = options;
  const inserts = new Inserts(options);

  return {
    insert: (batch) => inserts.send(batch),
    ...createQueries(options),
    onAvailable: (listener) => link.onConnected(listener),
    async inspect(timeoutMs) {
      try {
        const inspection = await inTime(look(options, timeoutMs), timeoutMs);
        inserts.leaveEnforcement();
        return inspection;
      } catch (error) {
        // It is not as it must be, or it was not MongoDB: the secret with the URI is missing, or the room is closed.
        if (error instanceof StrongroomError) throw error;
        throw new AuditWriteError(
          'AUDIT_UNAVAILABLE',
          `the trail's MongoDB cannot be reached: ${describeError(error)}`,
        );
      }
    },
    close() {
      // The recorder has given up what is still in flight; a frozen server must not hold the shut-down.
      inserts.abort();
      return link.close();
    },
  };
}

class Inserts {
  readonly #options: MongoStoreOptions;
  readonly #timeoutMs: number;
  /** The attempts in flight: one of the instance's own events, and one of what it took over from a dead process. */
  readonly #attempts = new Set<AbortController>();
  #indexesSeen = false;
  #enforcementSeen: boolean;

  constructor(options: MongoStoreOptions) {
    this.#options = options;
    this.#enforcementSeen = options.mustBeEnforced !== true;
    this.#timeoutMs = options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS;
  }

  abort(): void {
    for (const attempt of this.#attempts) attempt.abort();
  }

  /** It was looked at: no write needs to. */
  leaveEnforcement(): void {
    this.#enforcementSeen = true;
  }

  async send(batch: readonly AuditEvent[]): Promise<InsertOutcome> {
    const { link, collection } = this.#options;
    const attempt = new AbortController();
    this.#attempts.add(attempt);
    const timer = setTimeout(() => attempt.abort(), this.#timeoutMs);
    try {
      const db = await link.database(this.#timeoutMs);
      this.#ensureIndexesOnce(db);
      this.#checkEnforcementOnce(db);
      // `insert` must be the first key. Unlike insertMany the command is sent as it is, once, and its whole reply comes back.
      const command = { insert: collection, documents: batch, ordered: true, writeConcern: { w: 'majority', j: true } };
      return readInsertReply(await db.command(command, { signal: attempt.signal }), batch.length);
    } catch (error) {
      if (codeOf(error) === SERVER_CODES.authenticationFailed) await link.logInAgain().catch(() => undefined);
      return readInsertError(error);
    } finally {
      clearTimeout(timer);
      this.#attempts.delete(attempt);
    }
  }

  /** Builds missing indexes once, beside the first write: on a large old collection that takes longer than an event should wait. */
  #ensureIndexesOnce(db: Db): void {
    if (this.#indexesSeen) return;
    this.#indexesSeen = true;
    ensureIndexes(db, this.#options.collection, this.#options.tenant).catch(() => {
      this.#indexesSeen = false;
    });
  }

  /** Beside the first write, which neither waits for it nor depends on it. */
  #checkEnforcementOnce(db: Db): void {
    if (this.#enforcementSeen) return;
    this.#enforcementSeen = true;
    readEnforcement(db, this.#options.collection).then(warnUnenforced, () => {
      this.#enforcementSeen = false;
    });
  }
}

async function look(options: MongoStoreOptions, timeoutMs: number): Promise<StoreInspection> {
  const { link, collection, tenant } = options;
  const db = await link.database(timeoutMs);
  await db.command({ ping: 1 });
  const found = await readEnforcement(db, collection);
  // Before anything is built: a collection that is made on the way would have no validator.
  if (options.mustBeEnforced === true) assertEnforced(found);
  return { indexes: await ensureIndexes(db, collection, tenant), enforcement: found.enforcement };
}

/** Reads the roles of documents past mongoose: the same session, the same primary, no longer than a user write may be held up. It decides nothing. */
import type { ClientSession, Collection } from 'mongoose';
import { isRecord } from '../settings.js';
import { inTime } from './connection.js';
import { readRoles, type RolesByPath } from './role-changes-values.js';

/** A document as it was read. */
export interface SeenRoles {
  readonly id: unknown;
  readonly roles: RolesByPath;
}

/** What of a write's options decides which documents it hits. */
export interface Aim {
  readonly session?: ClientSession | undefined;
  readonly collation?: unknown;
  readonly hint?: unknown;
  readonly let?: unknown;
  readonly sort?: unknown;
  readonly limit?: number;
}

/** A server that does not answer by then loses the event, not the user's write. */
const READ_TIMEOUT_MS = 5000;

/** Documents of one read that are in memory at the same time. */
export const BATCH = 1000;

interface Cursor {
  next(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Reads roles from one collection. */
export class RoleReader {
  readonly #native: Collection;
  readonly #paths: readonly string[];
  readonly #projection: Readonly<Record<string, 1>>;

  constructor(native: Collection, paths: readonly string[]) {
    this.#native = native;
    this.#paths = paths;
    this.#projection = projectionOf(paths);
  }

  /** The roles in a document that is at hand. */
  in(document: unknown): SeenRoles {
    return { id: (document as { _id?: unknown })._id, roles: readRoles(document, this.#paths) };
  }

  /** The document with this id; undefined when there is none. */
  async one(id: unknown, session: ClientSession | undefined): Promise<SeenRoles | undefined> {
    const [seen] = await this.some({ _id: id }, { session, limit: 1 });
    return seen;
  }

  /** The documents with these ids. */
  byIds(ids: readonly unknown[], session: ClientSession | undefined): Promise<SeenRoles[]> {
    return this.some({ _id: { $in: ids } }, { session });
  }

  /** All that match, at once: for a bounded number. */
  async some(filter: unknown, aim: Aim): Promise<SeenRoles[]> {
    const found: SeenRoles[] = [];
    for await (const batch of this.all(filter, aim)) found.push(...batch);
    return found;
  }

  /** All that match, a batch at a time. Rejects when a batch takes too long. */
  async *all(filter: unknown, aim: Aim): AsyncGenerator<SeenRoles[], void, undefined> {
    const cursor = await this.#open(filter, aim);
    const inTime = isInTransaction(aim.session) ? <T>(work: Promise<T>): Promise<T> => work : inReadTime;
    try {
      for (;;) {
        const batch = await inTime(this.#take(cursor));
        if (batch.length > 0) yield batch;
        if (batch.length < BATCH) return;
      }
    } finally {
      // A cursor that was read to its end is closed; of another one nobody waits for the end.
      cursor.close().catch(() => undefined);
    }
  }

  async #take(cursor: Cursor): Promise<SeenRoles[]> {
    const batch: SeenRoles[] = [];
    while (batch.length < BATCH) {
      const document = await cursor.next();
      if (document === null) break;
      batch.push(this.in(document));
    }
    return batch;
  }

  /** mongoose 8 answers with a promise while it connects, and not for as long as it buffers. */
  async #open(filter: unknown, { session, ...aim }: Aim): Promise<Cursor> {
    const options = { projection: this.#projection, batchSize: BATCH, ...present(aim) };
    // A transaction brings its own concern and preference, and any other is an error that would end it.
    const more = isInTransaction(session)
      ? {}
      : { readPreference: 'primary', readConcern: { level: 'local' }, maxTimeMS: READ_TIMEOUT_MS };
    const find = this.#native.find.bind(this.#native) as unknown as (...args: unknown[]) => Promise<Cursor>;
    const opened = find(filter ?? {}, { ...options, ...more, ...(session && { session }) });
    return isInTransaction(session) ? opened : inReadTime(Promise.resolve(opened));
  }
}

/** Whether what is done in the session is part of a transaction that is under way. */
export function isInTransaction(session: ClientSession | undefined): session is ClientSession {
  return session?.inTransaction() === true;
}

/** The options of a write; `bulkWrite` has them one place earlier. */
export function optionsOf(method: string, args: readonly unknown[]): Aim & Readonly<Record<string, unknown>> {
  const options = args[method === 'bulkWrite' ? 1 : 2];
  return isRecord(options) ? options : {};
}

/** What of these options decides which documents a write hits. */
export function aimOf({ session, collation, hint, let: variables, sort }: Aim): Aim {
  return { session, collation, hint, let: variables, sort };
}

function present(aim: object): object {
  return Object.fromEntries(Object.entries(aim).filter(([, value]) => value !== undefined && value !== null));
}

/** A path and another within it would collide: the outer one brings both. */
function projectionOf(paths: readonly string[]): Readonly<Record<string, 1>> {
  const outer = paths.filter((path) => !paths.some((other) => path.startsWith(`${other}.`)));
  return Object.fromEntries(['_id', ...outer].map((path) => [path, 1 as const]));
}

function inReadTime<T>(work: Promise<T>): Promise<T> {
  return inTime(work, READ_TIMEOUT_MS);
}

/** What all contenders of the recording rows share: the acts, the collections, the figures. It knows no contender. */
import mongoose, { type Connection } from 'mongoose';
import type { AuditDraft, AuditEvent } from '../../dist/esm/index.js';

/** A collection of events, past mongoose. */
export type Events = ReturnType<Database['collection']>;
type Database = NonNullable<Connection['db']>;

/** The write concern that an event of an audit trail deserves, and that strongroom uses. */
export const DURABLE = { w: 'majority', j: true } as const;

/** The server side of a comparison: one database, a connection that no contender guards, fresh collections. */
export class Trail {
  readonly uri: string;
  readonly #connection: Connection;
  #made = 0;

  private constructor(uri: string, connection: Connection) {
    this.uri = uri;
    this.#connection = connection;
  }

  /** Connects to a database of its own on the server. */
  static async open(serverUri: string): Promise<Trail> {
    const uri = new URL('/bench', serverUri).href;
    return new Trail(uri, await mongoose.createConnection(uri).asPromise());
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** A collection that does not exist yet. */
  fresh(contender: string): Events {
    this.#made += 1;
    return this.#database.collection(`${contender}_${this.#made}`);
  }

  /** Gives a collection the indexes of another. */
  async copyIndexes(from: Events, to: Events): Promise<void> {
    const indexes = await from.listIndexes().toArray();
    await to.createIndexes(indexes.filter(({ name }) => name !== '_id_').map(({ key, name }) => ({ key, name })));
  }

  async close(): Promise<void> {
    await this.#connection.dropDatabase();
    await this.#connection.close();
  }

  get #database(): Database {
    if (this.#connection.db === undefined) throw new Error('not connected');
    return this.#connection.db;
  }
}

/** Fails unless everything was stored, then makes room for the next round. */
export async function expectStored(events: Events, count: number): Promise<void> {
  const stored = await events.countDocuments();
  if (stored !== count) throw new Error(`${events.collectionName} holds ${stored} events instead of ${count}`);
  await events.drop();
}

const USER_AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';

/** An act as an app records it: who, what, to whom, from where, and a little more. */
export function draft(index: number): AuditDraft {
  return {
    action: 'user.update',
    target: 'user',
    targetId: `65a1b2c3d4e5f60718293a${(index % 90) + 10}`,
    actorId: `u${index % 1000}`,
    actorRole: 'ADMIN',
    ipAddress: '203.0.113.7',
    userAgent: USER_AGENT,
    requestId: '0b6a3f2e-6f0e-4a52-9f6e-2f6e2a9d1c11',
    meta: { field: 'plan', from: 'free', to: 'pro' },
  };
}

/** What is stored of such acts when the work of preparing them is left out: the events of a trail under new numbers. */
export function renumbered(events: readonly AuditEvent[], run: number): AuditEvent[] {
  const stream = `01J${String(run).padStart(23, '0')}`;
  return events.map((event, index) => ({ ...event, _id: `${stream}.${String(index).padStart(12, '0')}` }));
}

/** Runs the work for every index up to a count, so many at a time. */
export async function atATime(
  outstanding: number,
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  async function caller(): Promise<void> {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  }
  await Promise.all(Array.from({ length: outstanding }, caller));
}

/** How many a second. */
export async function timed(count: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (count / (performance.now() - started)) * 1000;
}

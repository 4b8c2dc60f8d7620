/** Which users a transaction made or removed: to others they never changed a role. It looks only where a call gave a reason, and tells nothing. */
import type { ClientSession } from 'mongoose';
import { isRecord } from '../settings.js';
import { type Transaction, transactionOf } from './role-changes-commits.js';
import { IdList, idKey } from './role-changes-ids.js';
import { BATCH, isInTransaction, type RoleReader } from './role-changes-reads.js';

/** What calls gave reason to look for. */
interface Traces {
  readonly mayInsert: boolean;
  readonly mayDelete: boolean;
}

/** A method of the driver: where its options are, and what it may do. */
interface LifeCall {
  readonly optionsAt: number;
  readonly tracesOf: (first: unknown, options: Readonly<Record<string, unknown>>) => Traces;
}

const inserts: LifeCall = { optionsAt: 1, tracesOf: () => ({ mayInsert: true, mayDelete: false }) };
const deletes: LifeCall = { optionsAt: 1, tracesOf: () => ({ mayInsert: false, mayDelete: true }) };
const upserts: LifeCall = {
  optionsAt: 2,
  tracesOf: (_, { upsert }) => ({ mayInsert: Boolean(upsert), mayDelete: false }),
};
const bulk: LifeCall = { optionsAt: 1, tracesOf: bulkTraces };
/** What a builder will do is not known when it is started. */
const builds: LifeCall = { optionsAt: 0, tracesOf: () => ({ mayInsert: true, mayDelete: true }) };

const CALLS: Readonly<Record<string, LifeCall>> = {
  insertOne: inserts,
  insertMany: inserts,
  deleteOne: deletes,
  deleteMany: deletes,
  findOneAndDelete: deletes,
  updateOne: upserts,
  updateMany: upserts,
  replaceOne: upserts,
  findOneAndUpdate: upserts,
  findOneAndReplace: upserts,
  bulkWrite: bulk,
  initializeOrderedBulkOp: builds,
  initializeUnorderedBulkOp: builds,
};

/** The methods of the driver that may make or remove a user. */
export const LIFE_CALLS: readonly string[] = Object.keys(CALLS);

/** The users that come and go in the transactions of one collection. */
export class Lives {
  readonly #reader: RoleReader;
  readonly #traces = new WeakMap<Transaction, Traces>();

  constructor(reader: RoleReader) {
    this.#reader = reader;
  }

  /** Notes a call of one of {@link LIFE_CALLS} before it is made. */
  note(method: string, args: readonly unknown[]): void {
    const { optionsAt, tracesOf } = CALLS[method] ?? upserts;
    const options = args[optionsAt];
    if (!isRecord(options)) return;
    const session = options['session'] as ClientSession | undefined;
    if (!isInTransaction(session)) return;
    const transaction = transactionOf(session);
    const noted = this.#traces.get(transaction);
    const traces = tracesOf(args[0], options);
    this.#traces.set(transaction, {
      mayInsert: traces.mayInsert || noted?.mayInsert === true,
      mayDelete: traces.mayDelete || noted?.mayDelete === true,
    });
  }

  /**
   * Keys of those of these users that the open transaction made, or that it removed; undefined, and nothing is read, when none of its
   * calls could. Never rejects: who cannot be looked for is not among them.
   */
  strangers(session: ClientSession, ids: () => Iterable<unknown>): Promise<Set<string>> | undefined {
    const { mayInsert, mayDelete } = this.#traces.get(transactionOf(session)) ?? {};
    if (mayInsert !== true && mayDelete !== true) return undefined;
    const all = new IdList();
    for (const id of ids()) all.add(id);
    return this.#look(all, [
      // Others see none whom the transaction made, and itself none whom it removed.
      ...(mayInsert === true ? [undefined] : []),
      ...(mayDelete === true ? [session] : []),
    ]);
  }

  async #look(ids: IdList, views: readonly (ClientSession | undefined)[]): Promise<Set<string>> {
    const strangers = new Set<string>();
    const looks = views.map(async (view) => {
      for (const batch of ids.batches(BATCH)) {
        const there = new Set((await this.#reader.byIds(batch, view)).map(({ id }) => idKey(id)));
        for (const key of batch.map(idKey)) if (!there.has(key)) strangers.add(key);
      }
    });
    await Promise.allSettled(looks);
    return strangers;
  }
}

function bulkTraces(operations: unknown): Traces {
  const all: unknown[] = Array.isArray(operations) ? operations : [];
  const does = (name: string): boolean => all.some((operation) => isRecord(operation) && name in operation);
  const isUpsert = (change: unknown): boolean => isRecord(change) && Boolean(change['upsert']);
  const mayUpsert = all.some((operation) => isRecord(operation) && Object.values(operation).some(isUpsert));
  return { mayInsert: mayUpsert || does('insertOne'), mayDelete: does('deleteOne') || does('deleteMany') };
}

/** Deletes events, for pruning alone, with a connection that may. It must not know which, nor why. */
import { randomUUID } from 'node:crypto';
import type { Connection } from 'mongoose';
import { codeOf, SERVER_CODES } from './server-error.js';

type Db = NonNullable<Connection['db']>;

/** Deletes the events of these `_id`s, held by a majority; gives how many there were. Rejects with the server's error where this user may not. */
export async function removeEvents(db: Db, collection: string, ids: readonly string[]): Promise<number> {
  const events = db.collection<{ _id: string }>(collection);
  const { deletedCount } = await events.deleteMany(
    { _id: { $in: [...ids] } },
    { writeConcern: { w: 'majority', journal: true } },
  );
  return deletedCount;
}

/**
 * Whether this user may delete events, by deleting one of an `_id` that nobody has: asked before anything says that events will be gone.
 * Rejects when the server cannot tell.
 */
export async function mayRemoveEvents(db: Db, collection: string): Promise<boolean> {
  const nobody = { q: { _id: `probe:${randomUUID()}` }, limit: 1 };
  try {
    await db.command({ delete: collection, deletes: [nobody] });
    return true;
  } catch (error) {
    if (codeOf(error) === SERVER_CODES.unauthorized) return false;
    throw error;
  }
}

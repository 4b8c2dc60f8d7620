/** Deletes events, for pruning alone, with a connection that may. It must not know which, nor why. */
import type { Connection } from 'mongoose';

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

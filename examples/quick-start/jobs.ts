/** What changes users without a request: a nightly review, and a change of staff that fails. They record nothing themselves. */
import type { Model } from 'mongoose';
// In your own app: from 'express-strongroom'.
import type { Strongroom } from '../../src/index.js';
import type { StoredUser } from './app.js';

/** Takes the role of support back from everybody; gives how many had it. */
export async function reviewSupport(room: Strongroom, Users: Model<StoredUser>): Promise<number> {
  const answer = await room.audit.runAs({ id: 'nightly-review', role: 'job' }, () =>
    Users.updateMany({ role: 'support' }, { role: 'customer' }),
  );
  return answer.modifiedCount;
}

/** Makes everybody an admin, finds that this is too many, and takes it back: nothing of it ever happened. Gives why. */
export async function promoteAll(Users: Model<StoredUser>): Promise<string> {
  try {
    await Users.db.transaction(async (session) => {
      await Users.updateMany({}, { role: 'admin' }, { session });
      throw new Error('too many admins: rolled back');
    });
    return 'done';
  } catch (error) {
    return (error as Error).message;
  }
}

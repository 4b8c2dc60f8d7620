/** Finds out, without effect, whether the server itself refuses changes of the trail to this user. */
import { randomUUID } from 'node:crypto';
import type { Connection } from 'mongoose';
import { codeOf, SERVER_CODES } from './server-error.js';

type Db = NonNullable<Connection['db']>;

/**
 * Tries an update and a delete of an `_id` that nobody has, and the drop of an index that is not there: a user who may not is refused with
 * code 13, one who may changes nothing. `connectionStatus` cannot tell: with access control off it shows no privileges at all.
 */
export async function readEnforcement(db: Db, collection: string): Promise<'enforced' | 'unenforced' | 'unknown'> {
  const nobody = { _id: `probe:${randomUUID()}` };
  const probes = [
    { update: collection, updates: [{ q: nobody, u: { $set: { probe: 1 } } }] },
    { delete: collection, deletes: [{ q: nobody, limit: 1 }] },
    { dropIndexes: collection, index: `probe_${randomUUID()}` },
  ];
  const answers = await Promise.all(probes.map((probe) => mayRun(db, probe)));
  if (answers.includes(true)) return 'unenforced';
  return answers.includes(undefined) ? 'unknown' : 'enforced';
}

/** Whether the server lets this user run the command; undefined when it could not be told. */
async function mayRun(db: Db, command: Record<string, unknown>): Promise<boolean | undefined> {
  try {
    await db.command(command);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === SERVER_CODES.unauthorized) return false;
    return code === SERVER_CODES.indexNotFound || code === SERVER_CODES.namespaceNotFound ? true : undefined;
  }
}

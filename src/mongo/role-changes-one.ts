/** Writes to one document: `updateOne`, `replaceOne`, `findOneAnd...`, and so `save`. It finds out which document that is, and takes turns on it. */
import { isRecord } from '../settings.js';
import { type Aimed, runFind } from './role-changes-find.js';
import type { Ground, Write } from './role-changes-ground.js';
import { idKey, namesOne } from './role-changes-ids.js';
import { aimOf, isInTransaction, optionsOf } from './role-changes-reads.js';
import { RolesBefore } from './role-changes-sets.js';

/** How often a document is looked for that others change at the same moment. */
const MAX_ATTEMPTS = 3;

/** The write did not find the document that was found for it. */
const MISSED = Symbol('missed');

/** Runs a write to one document and tells what it changed. */
export async function writeOne(write: Write, ground: Ground): Promise<unknown> {
  const [filter] = write.args;
  const { session } = write;
  if (namesOne(filter, optionsOf(write.method, write.args).collation)) {
    const { _id: id } = filter;
    return takeTurn({ write, id }, ground, async () => {
      const before = await attempt(() => ground.reader.one(id, session));
      return runOn({ write, before }, ground);
    });
  }
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts += 1) {
    const found = await attempt(() =>
      ground.reader.some(filter, { ...aimOf(optionsOf(write.method, write.args)), limit: 2 }),
    );
    const [first, second] = found ?? [];
    if (first === undefined) return runOn({ write, before: undefined }, ground);
    const result = await takeTurn({ write, id: first.id }, ground, async (waited) => {
      const before = waited ? await attempt(() => ground.reader.one(first.id, session)) : first;
      // The server may take any of several that match: it is told to take the one that was read.
      return second === undefined ? runOn({ write, before }, ground) : runPinned({ write, before: first }, ground);
    });
    if (result !== MISSED) return result;
  }
  return runOn({ write, before: undefined }, ground);
}

/** In a transaction the server itself keeps others away, and waiting here for one that waits there would never end. */
function takeTurn(
  { write, id }: { write: Write; id: unknown },
  ground: Ground,
  work: (waited: boolean) => Promise<unknown>,
): Promise<unknown> {
  return isInTransaction(write.session) ? work(false) : ground.turns.take(idKey(id), work);
}

async function runPinned({ write, before }: Aimed, ground: Ground): Promise<unknown> {
  const [filter, update, options, ...rest] = write.args;
  const pinned = { $and: [filter, { _id: before?.id }] };
  // An upsert would insert the document that is missed.
  const args = [pinned, update, isRecord(options) ? { ...options, upsert: false } : options, ...rest];
  const result = await runOn({ write: { ...write, args }, before }, ground);
  return isMissed(result) ? MISSED : result;
}

function isMissed(result: unknown): boolean {
  if (!isRecord(result)) return result === null;
  if ('matchedCount' in result) return result['acknowledged'] !== false && result['matchedCount'] === 0;
  return 'lastErrorObject' in result && result['value'] === null;
}

function runOn(aimed: Aimed, ground: Ground): Promise<unknown> {
  const { write, before } = aimed;
  if (write.method.startsWith('findOneAnd')) return runFind(aimed, ground);
  return before === undefined ? ground.runUnseen(write) : ground.run(write, RolesBefore.of(before));
}

async function attempt<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch {
    // The user's write goes on; when it changes something, that is counted as lost.
    return undefined;
  }
}

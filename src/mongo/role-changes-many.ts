/** Writes to many documents: `updateMany` and `bulkWrite`. What was there is read before, all that may be hit, and looked at again after. */
import { isRecord } from '../settings.js';
import type { Ground, Write } from './role-changes-ground.js';
import { idKey, namesOne } from './role-changes-ids.js';
import { type Aim, aimOf, BATCH, isInTransaction, optionsOf } from './role-changes-reads.js';
import { RolesBefore } from './role-changes-sets.js';
import type { Touches } from './role-changes-touch.js';

/** Runs an `updateMany` and tells what it changed. */
export async function writeMany(write: Write, ground: Ground): Promise<unknown> {
  const before = new RolesBefore();
  try {
    for await (const batch of ground.reader.all(write.args[0], aimOf(optionsOf(write.method, write.args)))) {
      for (const seen of batch) before.add(seen);
    }
  } catch {
    return ground.runUnseen(write);
  }
  return before.isEmpty ? ground.runUnseen(write) : ground.run(write, before);
}

/** One change of a bulk write. */
interface Change {
  readonly filter: unknown;
  readonly aim: Aim;
  readonly touches: boolean;
}

/** Whether a bulk write has an operation that may change a watched path. */
export function bulkTouches(operations: unknown, touches: Touches): boolean {
  return changesOf(operations, touches).some((change) => change.touches);
}

/** Runs a `bulkWrite` and tells what it changed, each document from before the first operation to after the last. */
export async function writeBulk(write: Write, ground: Ground, touches: Touches): Promise<unknown> {
  const changes = changesOf(write.args[0], touches);
  let before: RolesBefore;
  try {
    before = await readBefore(relevantOf(changes), write, ground);
  } catch {
    return ground.runUnseen(write);
  }
  if (!before.isEmpty) return ground.run(write, before);
  // What it changes then are users that it made itself.
  return mayInsert(write.args[0]) ? write.call(...write.args) : ground.runUnseen(write);
}

function mayInsert(operations: unknown): boolean {
  const isUpsert = (change: unknown): boolean => isRecord(change) && change['upsert'] === true;
  return Array.from(operations as unknown[]).some(
    (operation) => isRecord(operation) && ('insertOne' in operation || Object.values(operation).some(isUpsert)),
  );
}

const CHANGES = ['updateOne', 'updateMany', 'replaceOne'];

function changesOf(operations: unknown, touches: Touches): Change[] {
  if (!Array.isArray(operations)) return [];
  return operations.flatMap((operation: unknown) => {
    const name = isRecord(operation) ? CHANGES.find((one) => one in operation) : undefined;
    const change = name === undefined ? undefined : (operation as Readonly<Record<string, unknown>>)[name];
    if (!isRecord(change)) return [];
    const update = name === 'replaceOne' ? change['replacement'] : change['update'];
    const aim = { ...aimOf(change), sort: undefined };
    return [{ filter: change['filter'], aim, touches: name === 'replaceOne' || touches(update) }];
  });
}

/**
 * The changes whose documents must be read: those that touch a watched path, and, where one of these is found by more than its id, all that
 * come before it: only what they changed can match it then and not now.
 */
function relevantOf(changes: readonly Change[]): readonly Change[] {
  const last = changes.findLastIndex((change) => change.touches && !isById(change));
  return changes.filter((change, index) => change.touches || index < last);
}

function isById({ filter, aim }: Change): boolean {
  return namesOne(filter, aim.collation);
}

async function readBefore(changes: readonly Change[], write: Write, ground: Ground): Promise<RolesBefore> {
  const before = new RolesBefore();
  const seen = new Set<string>();
  for await (const found of readAll(changes, write, ground)) {
    for (const one of found) {
      const key = idKey(one.id);
      if (!seen.has(key)) before.add(one);
      seen.add(key);
    }
  }
  return before;
}

async function* readAll(
  changes: readonly Change[],
  { session }: Write,
  { reader }: Ground,
): ReturnType<Ground['reader']['all']> {
  const ids = changes.filter(isById).map(({ filter }) => (filter as { _id: unknown })._id);
  for (let from = 0; from < ids.length; from += BATCH) yield await reader.byIds(ids.slice(from, from + BATCH), session);
  const others = changes.filter((change) => !isById(change));
  // One read for many filters; in a transaction an error would end it, so there each is read as it will be written.
  const canJoin = !isInTransaction(session) && others.every(({ aim }) => isPlain(aim));
  if (!canJoin) {
    for (const { filter, aim } of others) yield* reader.all(filter, { ...aim, session });
    return;
  }
  for (let from = 0; from < others.length; from += FILTERS) {
    const filters = others.slice(from, from + FILTERS).map(({ filter }) => filter ?? {});
    yield* reader.all(filters.length === 1 ? filters[0] : { $or: filters }, { session });
  }
}

/** Filters that are read together. */
const FILTERS = 100;

function isPlain(aim: Aim): boolean {
  return Object.values(aim).every((value) => value === undefined);
}

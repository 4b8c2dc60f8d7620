/** Writes to one document: `updateOne`, `replaceOne`, `findOneAnd...`, and so `save`. It finds out which document that is, and takes turns on it. */
import { isRecord } from '../settings.js';
import { type Aimed, runFind } from './role-changes-find.js';
import type { Ground, Write } from './role-changes-ground.js';
import { idKey, namesOne } from './role-changes-ids.js';
import { aimOf, isInTransaction, optionsOf } from './role-changes-reads.js';
import { RolesBefore } from './role-changes-sets.js';

/** The longest that a write looks for a document that others take at the same moment, their turns included. */
const MAX_SEARCH_MS = 5000;

/** The turn of all whose document was taken; the key of an id begins with its type. */
const TAKEN = '*';

/** The write did not find the document that was found for it. */
const MISSED = Symbol('missed');

/** A write, and until when it may be held up. */
interface Search {
  readonly write: Write;
  readonly untilMs: number;
}

/** Runs a write to one document and tells what it changed. */
export async function writeOne(write: Write, ground: Ground): Promise<unknown> {
  const [filter] = write.args;
  const search = { write, untilMs: performance.now() + MAX_SEARCH_MS };
  if (namesOne(filter, optionsOf(write.method, write.args).collation)) {
    const { _id: id } = filter;
    return takeTurn({ ...search, key: idKey(id) }, ground, async () => {
      const before = await attempt(() => ground.reader.one(id, write.session));
      return runOn({ write, before }, ground);
    });
  }
  const result = await writeFound(search, ground);
  // Who wants the first of many that match finds the same one as all others who do: from now on one looks after the other.
  return result === MISSED ? takeTurn({ ...search, key: TAKEN }, ground, () => writeAny(search, ground)) : result;
}

/** Looks for a document until the write hits the one that was found. */
async function writeAny(search: Search, ground: Ground): Promise<unknown> {
  const { write, untilMs } = search;
  while (performance.now() < untilMs) {
    const result = await writeFound(search, ground);
    if (result !== MISSED) return result;
  }
  return runOn({ write, before: undefined }, ground);
}

/** Finds the document that the write is meant for, and writes to this one. */
async function writeFound(search: Search, ground: Ground): Promise<unknown> {
  const { write } = search;
  const { method, args } = write;
  const [filter] = args;
  const aim = { ...aimOf(optionsOf(method, args)), limit: 1 };
  const found = isRecord(filter) ? await attempt(() => ground.reader.some(filter, aim)) : undefined;
  const [first] = found ?? [];
  if (first === undefined) return runOn({ write, before: undefined }, ground);
  const pinned = { $and: [filter, { _id: first.id }] };
  return takeTurn({ ...search, key: idKey(first.id) }, ground, async (waited) => {
    const still = waited ? await attempt(() => ground.reader.some(pinned, aim)) : found;
    const [before] = still ?? [];
    // Without an answer nobody would learn that the write missed, and it would be gone.
    if (still === undefined || !ground.isAnswered(write)) return runOn({ write, before }, ground);
    return before === undefined ? MISSED : runPinned({ write, before }, pinned, ground);
  });
}

/** In a transaction the server itself keeps others away, and waiting here for one that waits there would never end. */
function takeTurn(
  { write, untilMs, key }: Search & { readonly key: string },
  ground: Ground,
  work: (waited: boolean) => Promise<unknown>,
): Promise<unknown> {
  if (isInTransaction(write.session)) return work(false);
  return ground.turns.take(key, work, untilMs - performance.now());
}

/** The server may take any that matches, and another may match by now: it is told to take the one that was read. */
async function runPinned({ write, before }: Aimed, pinned: unknown, ground: Ground): Promise<unknown> {
  const [, update, options, ...rest] = write.args;
  // An upsert would insert the document that is missed.
  const args = [pinned, update, isRecord(options) ? { ...options, upsert: false } : options, ...rest];
  const result = await runOn({ write: { ...write, args }, before }, ground);
  return isMissed(result) ? MISSED : result;
}

function isMissed(result: unknown): boolean {
  if (!isRecord(result)) return result === null;
  if ('matchedCount' in result) return result['matchedCount'] === 0;
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

/** Takes over history that was written before sealing was switched on, as it is found. It knows no timer. */
import { type EntryDraft, readEventId } from '../evidence/entry.js';
import { rootOf } from '../evidence/tree.js';
import type { Appendix, Ledger } from './ledger.js';
import type { LedgerStore } from './ledger-store.js';
import { readRun } from './stored-run.js';

/** What adopting works with. */
export interface AdoptionParts {
  readonly ledger: Ledger;
  readonly store: LedgerStore;
  /** The stream in whose name it is done. */
  readonly by: string;
  /** Only streams whose newest event is older; ms since 1970. */
  readonly before: number;
}

/** One stream that was taken over. */
export interface Adopted {
  readonly stream: string;
  /** How many events. */
  readonly count: number;
}

/** Covers every event of every stream that the ledger does not know. */
export async function adoptHistory(parts: AdoptionParts): Promise<Adopted[]> {
  const counts = new Map<string, number>();
  for await (const { stream, count } of adoptStepwise(parts)) {
    if (count > 0) counts.set(stream, (counts.get(stream) ?? 0) + count);
  }
  return [...counts].map(([stream, count]) => ({ stream, count }));
}

/** The same in steps of one entry at the most, so that whoever seals beside it can go on between two of them. */
export async function* adoptStepwise(parts: AdoptionParts): AsyncGenerator<Adopted, void, undefined> {
  for await (const { stream, from } of findHistory(parts)) {
    yield { stream, count: 0 };
    if (from !== undefined) yield* adoptStream(parts, stream, from);
  }
}

/** Streams in the trail that the ledger does not know and that nobody writes any more. */
export async function findUnknown(parts: Omit<AdoptionParts, 'ledger'>): Promise<string[]> {
  const unknown: string[] = [];
  for await (const { stream, from } of findHistory(parts)) if (from !== undefined) unknown.push(stream);
  return unknown;
}

/** Every stream, and the first number to be adopted; undefined: none. */
async function* findHistory({
  store,
  by,
  before,
}: Omit<AdoptionParts, 'ledger'>): AsyncGenerator<{ stream: string; from: number | undefined }, void, undefined> {
  for (let stream = await store.nextStream(''); stream !== null; stream = await store.nextStream(stream)) {
    const from = stream === by ? undefined : await findStart(store, stream);
    const newest = from === undefined ? null : await store.lastEvent(stream);
    const last = readEventId(newest?._id)?.sequence ?? -1;
    const isOver = newest?.at instanceof Date && newest.at.getTime() < before;
    yield { stream, from: from !== undefined && isOver && last >= from ? from : undefined };
  }
}

/** A stream that was adopted in part, before something came between, is adopted further. */
async function findStart(store: LedgerStore, stream: string): Promise<number | undefined> {
  const last = await store.lastOf(stream);
  if (last === null) return 0;
  return last.kind === 'adopt' ? last.from + last.count : undefined;
}

async function* adoptStream(
  parts: AdoptionParts,
  stream: string,
  start: number,
): AsyncGenerator<Adopted, void, undefined> {
  const { store, by, before } = parts;
  let end = start;
  for (let from: number | null = start; from !== null; from = await findNext(store, stream, from)) {
    const { count, leaves, newestAt } = await readRun(store, { stream, from, now: before });
    if (count > 0) {
      const draft: EntryDraft = { kind: 'adopt', by, stream, from, count, root: rootOf(leaves).toString('base64') };
      if (!(await appendOnce(parts, { draft, leaves, newestAt, stream, end }))) return;
      end = from + count;
    }
    yield { stream, count };
    // What is no event of this package is left out, as what is missing is: verification names it.
    from += Math.max(count, 1);
  }
}

/** False when someone else goes on with the stream: the same command twice, or an attempt of before that got no answer. */
async function appendOnce(
  { ledger, store }: AdoptionParts,
  { stream, end, ...appendix }: Appendix & { stream: string; end: number },
): Promise<boolean> {
  for (;;) {
    await ledger.follow();
    const { size } = ledger;
    if ((await findStart(store, stream)) !== end) return false;
    if ((await ledger.append(() => (ledger.size === size ? appendix : null))) !== null) return true;
  }
}

/** The next number that is there. Events that were deleted before anyone sealed them are no reason to leave out the others. */
async function findNext(store: LedgerStore, stream: string, from: number): Promise<number | null> {
  const [event] = await store.readEvents(stream, from, 1);
  return readEventId(event?._id)?.sequence ?? null;
}

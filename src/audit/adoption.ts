/** Takes over history that was written before sealing was switched on, as it is found. It knows no timer. */
import type { EntryDraft } from '../evidence/entry.js';
import { rootOf } from '../evidence/tree.js';
import type { Ledger } from './ledger.js';
import type { LedgerStore } from './ledger-store.js';
import { readRun } from './recovery.js';

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
  const adopted: Adopted[] = [];
  for (const stream of await findUnknown(parts)) {
    const count = await adoptStream(parts, stream);
    if (count > 0) adopted.push({ stream, count });
  }
  return adopted;
}

/** Streams in the trail that the ledger does not know and that nobody writes any more. */
export async function findUnknown({ store, by, before }: Omit<AdoptionParts, 'ledger'>): Promise<string[]> {
  const unknown: string[] = [];
  for (let stream = await store.nextStream(''); stream !== null; stream = await store.nextStream(stream)) {
    if (stream === by || (await store.lastOf(stream)) !== null) continue;
    const newest = await store.lastEvent(stream);
    if (newest?.at instanceof Date && newest.at.getTime() < before) unknown.push(stream);
  }
  return unknown;
}

async function adoptStream({ ledger, store, by }: AdoptionParts, stream: string): Promise<number> {
  let from = 0;
  for (;;) {
    const { count, leaves, newestAt } = await readRun(store, stream, from);
    if (count === 0) return from;
    const draft: EntryDraft = { kind: 'adopt', by, stream, from, count, root: rootOf(leaves).toString('base64') };
    await ledger.append(() => ({ draft, leaves, newestAt }));
    from += count;
  }
}

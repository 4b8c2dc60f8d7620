/** Seals what a dead process stored and did not seal: weaker evidence than its own seal, and told as such. It knows no timer. */
import { type EntryDraft, MAX_SEGMENT_EVENTS } from '../evidence/entry.js';
import { rootOf } from '../evidence/tree.js';
import type { RaiseAlarm } from './alarm.js';
import type { Ledger } from './ledger.js';
import type { LedgerStore } from './ledger-store.js';
import type { OtherStreams } from './other-streams.js';
import { readRun } from './stored-run.js';

/** What recovering works with. */
export interface RecoveryParts {
  readonly ledger: Ledger;
  readonly store: LedgerStore;
  /** Gives the stream in whose name it is done, opened; asked only when there is something to cover. */
  readonly begin: () => Promise<string>;
  readonly raise: RaiseAlarm;
  readonly others: OtherStreams;
}

/** Looks for events behind the last entry of a stream, if that is old enough, and covers them. */
export async function recoverStream(parts: RecoveryParts, stream: string, now: number): Promise<void> {
  const { ledger, store, others, begin, raise } = parts;
  if (others.nextOf(stream) === undefined) await lookUp(parts, stream);
  // Its last entry may be young after all, or its end.
  if (!others.isDue(stream, now)) return;
  others.looked(stream, now);
  for (;;) {
    const from = others.nextOf(stream);
    if (from === undefined) return;
    const { count, leaves, newestAt, damagedId } = await readRun(store, { stream, from, now });
    if (damagedId !== undefined && count === 0) {
      const detail = 'an event of a dead process is no canonical event: it cannot be sealed';
      raise({ kind: 'event-malformed', where: damagedId, detail });
    }
    if (count === 0) return;
    const root = rootOf(leaves).toString('base64');
    const draft: EntryDraft = { kind: 'recover', by: await begin(), stream, from, count, root };
    // Another process may do the same: who comes second finds nothing left to cover.
    await ledger.append(() => (others.nextOf(stream) === from ? { draft, leaves, newestAt } : null));
    if (count < MAX_SEGMENT_EVENTS) return;
  }
}

/** A stream that was open before this process looked: its last entry says how far it is sealed. */
async function lookUp({ store, others }: RecoveryParts, stream: string): Promise<void> {
  const entry = await store.lastOf(stream);
  if (entry !== null) others.see(entry);
  if (others.nextOf(stream) === undefined) others.forget(stream);
}

/** Which events may go, and letting them go: by segment, the entry first, the events after it. It knows no timer and no database. @see EVIDENCE, "Keys, proofs, retention, erasure" */
import { type Entry, eventId, isSegmentEntry, readEntry, type SegmentEntry } from '../evidence/entry.js';
import type { FoundLedgerDocument } from '../evidence/ledger-document.js';
import { readNote } from '../evidence/note.js';
import { CompactRange, leafHash } from '../evidence/tree.js';
import { LedgerAlarmError } from './alarm.js';
import type { Ledger } from './ledger.js';
import type { LedgerStore } from './ledger-store.js';
import { assertUntouched, readSegment } from './segment-check.js';

/** What pruning works with. */
export interface PruningParts {
  /** At its head. */
  readonly ledger: Ledger;
  readonly store: LedgerStore;
  /** The stream in whose name it is done. */
  readonly by: string;
  /** Deletes the events of these `_id`s, durably; gives how many there were. */
  readonly remove: (ids: readonly string[]) => Promise<number>;
  /** Told after each batch how many `_id`s it had. */
  readonly onProgress?: ((count: number) => void) | undefined;
}

/** What may go. */
export interface PrunePlan {
  /** The last entry that it reaches; -1: nothing may go. */
  readonly through: number;
  /** Whether an earlier prune said so already. */
  readonly isEntered: boolean;
  /** How many events these entries cover; some may be gone already. */
  readonly covered: number;
}

const PAGE = 1000;

/**
 * Finds the last entry up to which all segments hold only events before a time. All entries are read and must lead to the signed head: those
 * in the middle say what is deleted. So must the events: what shows that somebody changed them is not to go with them.
 * @throws {@link LedgerAlarmError} when they do not, or when an event that would go is not what was sealed
 */
export async function planPrune(parts: PruningParts, before: Date): Promise<PrunePlan> {
  const prunedThrough = await readPruned(parts);
  let [through, covered] = [-1, 0];
  for await (const entry of readEntries(parts.store, parts.ledger.size)) {
    if (!isSegmentEntry(entry) || entry.count === 0) continue;
    const isPruned = entry.n <= prunedThrough;
    if (!(await isBefore(parts.store, entry, before))) break;
    await assertUntouched(parts.store, { entry, isPruned });
    [through, covered] = [entry.n, covered + entry.count];
  }
  return { through, isEntered: through <= prunedThrough, covered };
}

/** Appends the entry, where none says so yet, then deletes. After a crash the same again deletes what is left. Gives how many events were deleted. */
export async function prune(parts: PruningParts, { through, isEntered }: PrunePlan): Promise<number> {
  const { ledger, store, by } = parts;
  if (through < 0) return 0;
  if (!isEntered) await ledger.append(() => ({ draft: { kind: 'prune', by, through } }));
  let removed = 0;
  for await (const entry of readEntries(store, through + 1)) {
    if (isSegmentEntry(entry)) removed += await removeSegment(parts, entry);
  }
  return removed;
}

async function removeSegment({ remove, onProgress }: PruningParts, entry: SegmentEntry): Promise<number> {
  let removed = 0;
  for (let start = 0; start < entry.count; start += PAGE) {
    const end = Math.min(start + PAGE, entry.count);
    removed += await remove(idsOf(entry, start, end));
    onProgress?.(end - start);
  }
  return removed;
}

/** By `_id`, one by one: between two of a segment's there may be one that no segment covers. */
function idsOf({ stream, from }: SegmentEntry, start: number, end: number): string[] {
  return Array.from({ length: end - start }, (_, index) => eventId(stream, from + start + index));
}

/** The last entry that an earlier prune reaches, after making sure that the entries are those that were signed. */
async function readPruned({ ledger, store }: PruningParts): Promise<number> {
  const range = new CompactRange();
  let prunedThrough = -1;
  for await (const entry of readEntries(store, ledger.size, (text) => range.append(leafHash(text)))) {
    if (entry.kind === 'prune') prunedThrough = Math.max(prunedThrough, entry.through);
  }
  const head = ledger.note === null ? undefined : readNote(ledger.note)?.checkpoint;
  if (head !== undefined && !head.root.equals(range.root())) {
    throw alarm('ledger-root-mismatch', ledger.size - 1, 'the entries before it are not those that were signed');
  }
  return prunedThrough;
}

async function* readEntries(
  store: LedgerStore,
  size: number,
  onText: (text: string) => void = () => undefined,
): AsyncGenerator<Entry, void, undefined> {
  for (let from = 0; from < size; from += PAGE) {
    const found = await store.read(from, Math.min(PAGE, size - from));
    for (let index = 0; index < Math.min(PAGE, size - from); index += 1) {
      yield readFound(found[index], from + index, onText);
    }
  }
}

function readFound(found: FoundLedgerDocument | undefined, n: number, onText: (text: string) => void): Entry {
  if (found?._id !== n) throw alarm('ledger-gap', n, 'an entry of the ledger is missing');
  const entry = typeof found.entry === 'string' ? readEntry(found.entry) : undefined;
  if (entry?.n !== n) throw alarm('ledger-entry-malformed', n, 'it is no entry of the ledger');
  onText(found.entry as string);
  return entry;
}

/**
 * Whether all events of a segment are older. An entry is never earlier than its events, so that mostly its own time says it. Adopted history
 * is far older than its entry: then the events say it. That they are still those that were sealed is asked afterwards.
 */
async function isBefore(store: LedgerStore, entry: SegmentEntry, before: Date): Promise<boolean> {
  if (Date.parse(entry.at) < before.getTime()) return true;
  for await (const events of readSegment(store, entry)) {
    if (events.some(({ event: { at } }) => !(at instanceof Date) || at >= before)) return false;
  }
  return true;
}

function alarm(kind: string, n: number, detail: string): LedgerAlarmError {
  return new LedgerAlarmError({ kind, where: `ledger#${n}`, detail });
}

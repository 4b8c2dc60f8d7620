/** Reads documents of the ledger strictly: whoever may insert may have written them. Pure; what is not in order is an alarm. */
import { type Entry, readEntry } from '../evidence/entry.js';
import { copiesOf, type FoundLedgerDocument, hasItsCopies, type LedgerDocument } from '../evidence/ledger-document.js';
import { type Note, readNote } from '../evidence/note.js';
import type { ViolationKind } from '../evidence/report.js';
import { type CompactRange, peakCount, splitHashes } from '../evidence/tree.js';
import { LedgerAlarmError } from './alarm.js';

/** A document whose parts could all be read. */
export interface Whole {
  readonly document: LedgerDocument;
  readonly entry: Entry;
  readonly note: Note;
  readonly peaks: Buffer[];
}

/** The parts of a document, which must stand at the expected number where one is given. @throws {@link LedgerAlarmError} when any is not in its form */
export function readWhole(found: FoundLedgerDocument, expected?: number): Whole {
  const { _id: n, entry: text, note: noteText } = found;
  if (typeof n !== 'number' || (expected !== undefined && n !== expected)) {
    throw ledgerAlarm('ledger-gap', expected ?? 0, 'an entry of the ledger is missing, or its number is none');
  }
  const entry = typeof text === 'string' ? readEntry(text) : undefined;
  if (entry === undefined) throw ledgerAlarm('ledger-entry-malformed', n, 'someone else wrote what is no entry');
  if (entry.n !== n || !hasItsCopies(found, entry)) {
    throw ledgerAlarm('ledger-index-field', n, 'the copies for queries are not what the entry says');
  }
  const note = typeof noteText === 'string' ? readNote(noteText) : undefined;
  if (note === undefined) throw ledgerAlarm('ledger-note-malformed', n, 'someone else wrote what is no signed note');
  const bytes = readBytes(found.peaks);
  const peaks = splitHashes(bytes);
  if (peaks?.length !== peakCount(n + 1)) throw ledgerAlarm('ledger-peaks', n, 'the peaks do not fit the number');
  const texts = { entry: text as string, note: noteText as string };
  return { document: { _id: n, ...copiesOf(entry), ...texts, peaks: bytes }, entry, note, peaks };
}

/** What is signed must be the root of the ledger up to the document. @throws {@link LedgerAlarmError} */
export function assertHead(range: CompactRange, { document, note }: Whole): void {
  if (note.checkpoint.size !== range.size || !note.checkpoint.root.equals(range.root())) {
    throw ledgerAlarm('ledger-root-mismatch', document._id, 'what is signed is not the root of the ledger');
  }
  if (!Buffer.concat(range.peaks).equals(document.peaks)) {
    throw ledgerAlarm('ledger-peaks', document._id, 'the peaks are not those of the ledger');
  }
}

/** Whether a document is to the byte another one. */
export function isSameDocument(found: FoundLedgerDocument, { entry, note, peaks }: LedgerDocument): boolean {
  return found.entry === entry && found.note === note && peaks.equals(readBytes(found.peaks));
}

/** An alarm about an entry. */
export function ledgerAlarm(kind: ViolationKind, n: number, detail: string): LedgerAlarmError {
  return new LedgerAlarmError({ kind, where: `ledger#${n}`, detail });
}

function readBytes(value: unknown): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

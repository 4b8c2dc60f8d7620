/** Checkpoints that someone kept elsewhere: reading the texts that hold them, and what the ledger must still show of them. Pure. */
import { readAnchorNotes } from './anchor-text.js';
import type { Findings } from './findings.js';
import type { VerifierKey } from './keys.js';
import { judgeNote, type Note, readNote } from './note.js';
import type { ViolationKind, WarningKind } from './report.js';
import { EMPTY_ROOT } from './tree.js';

/** A head of the ledger that is believed. */
export interface Anchored {
  /** Entries of the ledger. */
  readonly size: number;
  /** Root over them. */
  readonly root: Buffer;
  /** Name of the log; null for that of an empty one. */
  readonly origin: string | null;
  /** Where it was kept, for a person. */
  readonly place: string;
}

/** What the ledger shows of itself. */
export interface ShownLedger {
  /** How many entries were found. */
  readonly size: number;
  /** Its name; null when it is empty. */
  readonly origin: string | null;
  /** Root over its first entries; undefined where an entry is lost. */
  rootAt(size: number): Buffer | undefined;
}

/** The anchors in some texts, each with any number of notes. What cannot be used is a warning. */
export function readAnchors(
  texts: readonly string[],
  keys: readonly VerifierKey[],
  warnings: Findings<WarningKind>,
): Anchored[] {
  return texts.flatMap((text, index) => {
    const place = `anchor#${index + 1}`;
    const notes = readAnchorNotes(text);
    if (notes.length === 0) warnings.add('anchor-unusable', place, 'there is no note in it');
    return notes.flatMap((note) => {
      const read = readNote(note);
      const problem = findProblem(read, keys);
      if (problem !== undefined) warnings.add('anchor-unusable', place, problem);
      return problem === undefined && read !== undefined ? [{ ...read.checkpoint, place }] : [];
    });
  });
}

/** Compares the ledger with what is believed of it: a violation for the largest anchor that it does not reach, and the first that it contradicts. */
export function judgeAnchors(
  anchors: readonly Anchored[],
  ledger: ShownLedger,
  report: { violations: Findings<ViolationKind>; warnings: Findings<WarningKind> },
): void {
  const usable = anchors.filter((anchor) => {
    const isOurs = anchor.origin === null || ledger.origin === null || anchor.origin === ledger.origin;
    if (!isOurs) report.warnings.add('anchor-unusable', anchor.place, 'it is of a log with another name');
    return isOurs;
  });
  usable.sort((a, b) => a.size - b.size);
  const largest = usable.at(-1);
  if (largest !== undefined && largest.size > ledger.size) {
    const detail = `${largest.place} shows that there were ${largest.size} entries`;
    report.violations.add('ledger-truncated', `ledger#${ledger.size}`, detail);
  }
  const forked = usable.find(({ size, root }) => ledger.rootAt(size)?.equals(root) === false);
  if (forked === undefined) return;
  const where = `ledger#${Math.max(0, forked.size - 1)}`;
  report.violations.add('ledger-forked', where, `the entries up to here are not those that ${forked.place} shows`);
}

function findProblem(note: Note | undefined, keys: readonly VerifierKey[]): string | undefined {
  if (note === undefined) return 'it is no signed note of a checkpoint';
  const trust = judgeNote(note, keys);
  if (trust !== 'trusted') return PROBLEMS[trust];
  const { size, root } = note.checkpoint;
  if (!isSignedByOrigin(note, keys)) return 'the key that signed it has another name than its log';
  return size === 0 && !root.equals(EMPTY_ROOT) ? 'it is of an empty log with entries' : undefined;
}

const PROBLEMS = {
  retired: 'the key that signed it was retired before',
  'bad-signature': 'its signature is wrong',
  unknown: 'no trusted key signed it',
} as const;

/** Whether a trusted key of the log's own name is among those that signed. */
export function isSignedByOrigin({ checkpoint, signatures }: Note, keys: readonly VerifierKey[]): boolean {
  return signatures.some(
    ({ name, id }) => name === checkpoint.origin && keys.some((key) => key.name === name && key.id === id),
  );
}

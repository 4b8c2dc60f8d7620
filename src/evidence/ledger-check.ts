/** Checks the ledger, one document after the other: numbers, entries, roots, notes, peaks and query copies. Pure; it sees no event. */
import { createHash, type Hash } from 'node:crypto';
import { isSignedByOrigin, type ShownLedger } from './anchors.js';
import { type Entry, isSegmentEntry, readEntry } from './entry.js';
import type { VerifierKey } from './keys.js';
import { copiesOf, type FoundLedgerDocument } from './ledger-document.js';
import { judgeNote, type Note, readNote, type Trust } from './note.js';
import type { ViolationKind } from './report.js';
import type { FoundEntry } from './source.js';
import { type Report, Streams } from './streams.js';
import { CompactRange, EMPTY_ROOT, leafHash, peakCount, splitHashes } from './tree.js';

/** What the check works with. */
export interface LedgerCheckParts {
  /** The keys that are trusted. */
  readonly keys: readonly VerifierKey[];
  /** Where findings go. */
  readonly report: Report;
  /** Sizes whose root will be asked for. */
  readonly watched: ReadonlySet<number>;
  /** Signatures of entries below this place were checked before; that must be confirmed, or {@link LedgerCheck.judgeAgain} called. */
  readonly checkedBelow: number;
}

/** The newest entry whose note is good. */
export interface LedgerHead {
  /** Entries up to and with it. */
  readonly size: number;
  /** Root over them. */
  readonly root: Buffer;
  /** Name of the log; null when it is empty. */
  readonly origin: string | null;
  /** Its signed note; null when the ledger is empty. */
  readonly note: string | null;
}

const MEMBERS = ['_id', 'kind', 'stream', 'from', 'entry', 'note', 'peaks', 'leaves'];

/** Documents apart from the others that are remembered. */
const MAX_APART = 10_000;

/** How the root that was computed fits the note. */
type Fit = 'same' | 'resumed' | 'replaced' | 'wrong';

/** A ledger while it is read. */
export class LedgerCheck implements ShownLedger {
  /** What the entries say of each stream. */
  readonly streams: Streams;
  readonly #parts: LedgerCheckParts;
  /** Lost with a missing entry, until the peaks of a later one stand in. */
  #range: CompactRange | undefined = new CompactRange();
  #size = 0;
  #count = 0;
  #origin: string | null;
  #head: LedgerHead = { size: 0, root: EMPTY_ROOT, origin: null, note: null };
  readonly #roots = new Map<number, Buffer>([[0, EMPTY_ROOT]]);
  readonly #notes: Hash = createHash('sha256');
  readonly #noteDigests = new Map<number, string>();
  #areSignaturesGood = true;
  readonly #apart = new Set<string>();

  constructor(parts: LedgerCheckParts) {
    this.#parts = parts;
    this.streams = new Streams(parts.report);
    const names = new Set(parts.keys.map(({ name }) => name));
    this.#origin = names.size === 1 ? ([...names][0] as string) : null;
  }

  /** One past the last number that was found. */
  get size(): number {
    return this.#size;
  }

  /** Documents that were looked at. */
  get count(): number {
    return this.#count;
  }

  /** Name of the log; null while it is not known. */
  get origin(): string | null {
    return this.#origin;
  }

  /** The newest entry whose note is good. */
  get head(): LedgerHead {
    return this.#head;
  }

  /** SHA-256 over all notes, base64; null unless every signature is good, up to the last. */
  get notes(): string | null {
    const isWhole = this.#areSignaturesGood && this.#head.size === this.#size;
    return isWhole ? this.#notes.copy().digest('base64') : null;
  }

  /** Root over the first entries, of a watched size; undefined where it is not known. */
  rootAt(size: number): Buffer | undefined {
    return this.#roots.get(size);
  }

  /** SHA-256 over the notes of the first entries, of a watched size; base64. */
  notesAt(size: number): string | undefined {
    return this.#noteDigests.get(size);
  }

  /** Takes the next document. */
  take({ document, fault }: FoundEntry): void {
    this.#count += 1;
    const n = document._id;
    if (!isPlace(n)) {
      this.#setApart(textOf(n), () =>
        this.#accuse('ledger-entry-malformed', textOf(n), 'its _id is no number of the ledger'),
      );
    } else if (n < this.#size) {
      this.#accuse('ledger-gap', n, 'it stands twice, or behind a later one');
    } else if (n === this.#size || this.#follows(n, document)) {
      this.#reach(n);
      this.#check(n, document, fault);
      this.#watch();
    }
  }

  /** Checks the signature of a document that stands below `checkedBelow`. */
  judgeAgain({ document: { _id: n, note } }: FoundEntry): void {
    const read = typeof note === 'string' ? readNote(note) : undefined;
    if (read !== undefined && typeof n === 'number') this.#judgeSignature(n, read);
  }

  /** Whether entries before a document are missing; else it is junk, by which the next number is not judged. */
  #follows(n: number, { entry, note }: FoundLedgerDocument): boolean {
    const isEntry = typeof entry === 'string' && readEntry(entry) !== undefined;
    const read = typeof note === 'string' ? readNote(note) : undefined;
    const isOfItsSize = read?.checkpoint.size === n + 1;
    if (isEntry && isOfItsSize && (n < this.#parts.checkedBelow || this.#trust(read) === 'trusted')) return true;
    this.#setApart(String(n), () => {
      if (!isEntry) this.#accuse('ledger-entry-malformed', n, 'its entry is not in its one form, and it stands apart');
      else if (read === undefined)
        this.#accuse('ledger-note-malformed', n, 'its note is no signed note of a checkpoint');
      else if (this.#judgeSignature(n, read)) this.#accuse('ledger-root-mismatch', n, 'its note is of another place');
    });
    return false;
  }

  /** What stands apart is read again whenever the ledger is read on: one accusation is enough. */
  #setApart(place: string, accuse: () => void): void {
    if (this.#apart.has(place)) {
      this.#count -= 1;
      return;
    }
    if (this.#apart.size < MAX_APART) this.#apart.add(place);
    accuse();
  }

  #reach(n: number): void {
    const lost = n - this.#size;
    if (lost > 0) {
      const detail = lost === 1 ? 'it is missing' : `${lost} entries are missing from here on`;
      this.#accuse('ledger-gap', this.#size, `${detail}; the peaks of ledger#${n} are taken on trust`);
      this.streams.lose(lost);
      this.#range = undefined;
    }
    this.#size = n + 1;
  }

  #check(n: number, document: FoundLedgerDocument, fault: string | undefined): void {
    const { entry: text, note } = document;
    this.#notes.update(`${typeof note === 'string' ? note : ''}\0`);
    const entry = typeof text === 'string' ? readEntry(text) : undefined;
    if (entry === undefined) this.#accuse('ledger-entry-malformed', n, 'its entry is not in its one form');
    const isAppended = typeof text === 'string';
    if (isAppended) this.#range?.append(leafHash(text));
    else this.#range = undefined;
    const fit = this.#compare(n, document, entry !== undefined);
    if (entry === undefined || fit === 'replaced' || entry.n !== n) this.streams.lose(1);
    if (entry === undefined) return;
    this.#compareCopies(entry, document, fault);
    if (fit !== 'replaced' && entry.n === n) this.streams.apply(entry);
  }

  /** Compares what was computed with the note and the peaks. */
  #compare(n: number, document: FoundLedgerDocument, isReadable: boolean): Fit {
    const note = typeof document.note === 'string' ? readNote(document.note) : undefined;
    // What has no entry at all is junk: one accusation says so.
    if (note === undefined && typeof document.entry === 'string') {
      this.#accuse('ledger-note-malformed', n, 'its note is no signed note of a checkpoint');
    }
    const isGood = note !== undefined && this.#judge(n, note);
    const wasKnown = this.#range !== undefined;
    const fit = this.#fit(n, document, isGood ? note : undefined);
    // An entry that cannot be read was accused: that its leaf is another one than was signed says nothing more.
    if (isGood && isReadable && (fit === 'wrong' || fit === 'replaced')) {
      const detail = 'the entries up to here are not those that were signed';
      if (wasKnown) this.#accuse('ledger-root-mismatch', n, detail);
      else this.#accuse('ledger-peaks', n, 'they do not lead to the signed root, and entries before it are missing');
    }
    if (fit !== 'wrong') this.#comparePeaks(n, document);
    if (isGood && fit !== 'wrong') this.#advance(document.note as string, note);
    return fit;
  }

  #comparePeaks(n: number, { peaks }: FoundLedgerDocument): void {
    const right = Buffer.concat(this.#range?.peaks ?? []);
    if (peaks instanceof Uint8Array && right.equals(peaks)) return;
    this.#accuse('ledger-peaks', n, 'its peaks are not those of the entries up to here');
  }

  /** When the signed root is another one, the peaks decide: those that lead to it stand in, so that one bad entry is one finding. */
  #fit(n: number, { peaks }: FoundLedgerDocument, note: Note | undefined): Fit {
    const { size, root } = note?.checkpoint ?? {};
    const known = this.#range;
    if (note === undefined) return known === undefined ? 'wrong' : 'same';
    if (size === n + 1 && known?.root().equals(root as Buffer) === true) return 'same';
    const hashes = peaks instanceof Uint8Array ? splitHashes(Buffer.from(peaks)) : undefined;
    if (size !== n + 1 || hashes?.length !== peakCount(n + 1)) return 'wrong';
    const told = new CompactRange(n + 1, hashes);
    if (!told.root().equals(root as Buffer)) return 'wrong';
    this.#range = told;
    return known === undefined ? 'resumed' : 'replaced';
  }

  /** Whether the note may be believed. */
  #judge(n: number, note: Note): boolean {
    if (n >= this.#parts.checkedBelow && !this.#judgeSignature(n, note)) return false;
    const { origin } = note.checkpoint;
    this.#origin ??= origin;
    if (origin === this.#origin && isSignedByOrigin(note, this.#parts.keys)) return true;
    this.#accuse('ledger-origin', n, `its note is of another log than ${this.#origin}, or signed in another name`);
    return false;
  }

  #trust(note: Note): Trust {
    return judgeNote(note, this.#parts.keys);
  }

  #judgeSignature(n: number, note: Note): boolean {
    const trust = this.#trust(note);
    if (trust === 'trusted') return true;
    this.#areSignaturesGood = false;
    const [kind, detail] = TRUST_FAULTS[trust];
    this.#accuse(kind, n, detail);
    return false;
  }

  #compareCopies(entry: Entry, document: FoundLedgerDocument, fault: string | undefined): void {
    const n = document._id as number;
    const wrong = Object.entries(copiesOf(entry)).flatMap(([name, value]) =>
      document[name as keyof FoundLedgerDocument] === value ? [] : [`${name} is another one than in its entry`],
    );
    const strange = Object.keys(document).some((name) => !MEMBERS.includes(name)) ? ['it has a member too many'] : [];
    const place = entry.n === n ? [] : [`its entry says that it is number ${entry.n}`];
    const faults = [...wrong, ...strange, ...place, ...(fault === undefined ? [] : [fault])];
    if (faults.length > 0) this.#accuse('ledger-index-field', n, faults.join('; '));
    const isEmpty = !isSegmentEntry(entry) || entry.count === 0;
    if (isEmpty && document.leaves !== undefined)
      this.#accuse('leaves-damaged', n, 'it covers no event and has leaves');
  }

  #advance(note: string, { checkpoint: { size, root, origin } }: Note): void {
    this.#head = { size, root, origin, note };
  }

  #watch(): void {
    if (!this.#parts.watched.has(this.#size)) return;
    this.#noteDigests.set(this.#size, this.#notes.copy().digest('base64'));
    if (this.#range !== undefined) this.#roots.set(this.#size, this.#range.root());
  }

  #accuse(kind: ViolationKind, n: number | string, detail: string): void {
    this.#parts.report.violations.add(kind, `ledger#${n}`, detail);
  }
}

const TRUST_FAULTS = {
  'bad-signature': ['ledger-bad-signature', 'the signature of its note is wrong'],
  unknown: ['ledger-no-known-signature', 'no trusted key signed its note'],
  retired: ['ledger-retired-key', 'the key that signed its note was retired before'],
} as const satisfies Record<string, readonly [ViolationKind, string]>;

function isPlace(n: unknown): n is number {
  return Number.isSafeInteger(n) && (n as number) >= 0;
}

/** A foreign `_id` as text. */
function textOf(id: unknown): string {
  const text =
    typeof id === 'object' && id !== null && Object.hasOwn(id, '_bsontype') ? JSON.stringify(id) : String(id);
  return text.slice(0, 64);
}

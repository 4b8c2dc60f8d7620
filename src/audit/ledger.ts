/** Appends to the ledger beside any number of other processes, and notices when it is not as it was left. It knows neither stream nor timer. */
import { copiesOf, type FoundLedgerDocument, type LedgerDocument } from '../evidence/ledger-document.js';
import { type Entry, type EntryDraft, placeEntry, readEntry, writeEntry } from '../evidence/entry.js';
import type { Signer, VerifierKey } from '../evidence/keys.js';
import { judgeNote, type Note, readNote, signCheckpoint } from '../evidence/note.js';
import type { ViolationKind } from '../evidence/report.js';
import { CompactRange, leafHash, peakCount, splitHashes } from '../evidence/tree.js';
import { AuditWriteError, warnOnce } from '../errors.js';
import { LedgerAlarmError } from './alarm.js';
import type { LedgerStore } from './ledger-store.js';

/** What the ledger works with. */
export interface LedgerParts {
  readonly store: LedgerStore;
  readonly signer: Signer;
  /** Keys of all writers, one's own among them. */
  readonly keys: readonly VerifierKey[];
  /** Name of the log. */
  readonly origin: string;
  /** The clock, ms since 1970. */
  readonly now: () => number;
  /** Told of every entry, one's own and others', in order, once. */
  readonly onEntry: (entry: Entry) => void;
}

/** What is to be appended. */
export interface Appendix {
  readonly draft: EntryDraft;
  /** Leaves of its segment. */
  readonly leaves?: Buffer | undefined;
  /** Time of the newest event that it covers. */
  readonly newestAt?: Date | undefined;
}

/** Asked anew before each attempt, since others may have appended meanwhile; null: there is nothing to append any more. */
export type BuildAppendix = () => Appendix | null;

const PAGE = 1000;
/** With this many others in the way something else is wrong. */
const MAX_ATTEMPTS = 50;
const JITTER_MS = 20;

/** One writer's view of the ledger. Its methods are called one at a time. @see EVIDENCE, "Append to the ledger" */
export class Ledger {
  readonly #parts: LedgerParts;
  #range = new CompactRange();
  #last: LedgerDocument | null = null;
  #isOpen = false;
  /** Sent, and never heard of again. */
  #unsure: LedgerDocument | null = null;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** How many entries it has, as far as is known here. */
  get size(): number {
    return this.#range.size;
  }

  /** The newest signed note; null while the ledger is empty. */
  get note(): string | null {
    return this.#last?.note ?? null;
  }

  /** Takes over what others appended. @throws {@link LedgerAlarmError} when it is not as it was left */
  async follow(): Promise<void> {
    if (!this.#isOpen) await this.#open();
    for (;;) {
      const from = Math.max(this.size - 1, 0);
      const found = await this.#parts.store.read(from, PAGE);
      const news = this.#last === null ? found : await this.#afterOurs(found);
      const taken = this.#readAll(news);
      // One signature vouches for all before it.
      const newest = taken.at(-1);
      if (newest !== undefined) this.#judge(newest);
      for (const one of taken) this.#take(one);
      if (found.length < PAGE) return;
    }
  }

  /**
   * Appends an entry behind all others; null when `build` gave nothing.
   * @throws {@link LedgerAlarmError}; AUDIT_UNAVAILABLE when the database gave no answer: the next call settles what became of it.
   */
  async append(build: BuildAppendix): Promise<LedgerDocument | null> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      await this.follow();
      const unsure = this.#settleUnsure();
      const appendix = unsure === null ? build() : null;
      if (unsure === null && appendix === null) return null;
      const document = unsure ?? (await this.#sign(appendix as Appendix));
      const outcome = await this.#parts.store.insert(document);
      if (outcome.kind === 'stored') {
        this.#unsure = null;
        this.#takeOurs(document);
        if (unsure === null) return document;
      } else if (outcome.kind === 'refused') {
        this.#unsure = null;
        warnOnce(
          'LEDGER_REFUSED',
          `MongoDB refuses entries of the audit ledger, nothing is sealed: ${outcome.error.message}`,
        );
        throw unavailable(`MongoDB refuses entries of the ledger: ${outcome.error.message}`);
      } else {
        // Taken may mean by ourselves, before a reply got lost: the next look decides.
        this.#unsure = document;
        if (outcome.kind === 'unknown') throw unavailable(`the ledger gave no answer: ${outcome.error.message}`);
        await jitter(attempt);
      }
    }
    throw unavailable('too many others append to the ledger');
  }

  /** Loads the head: its note must verify and its peaks must fold to the root that it signs. */
  async #open(): Promise<void> {
    const found = await this.#parts.store.newest();
    if (found !== null) {
      const whole = readWhole(found);
      const range = new CompactRange(whole.document._id + 1, whole.peaks);
      assertHead(range, whole);
      this.#judge(whole);
      this.#take({ ...whole, range });
    }
    this.#isOpen = true;
  }

  /** The documents behind our last one, which must still stand there, byte for byte. */
  async #afterOurs([first, ...rest]: FoundLedgerDocument[]): Promise<FoundLedgerDocument[]> {
    const last = this.#last as LedgerDocument;
    if (first?._id !== last._id) {
      const newest = await this.#parts.store.newest();
      const size = typeof newest?._id === 'number' ? newest._id + 1 : 0;
      const detail = `the ledger had ${this.size} entries and has no entry ${last._id} any more: someone rolled it back`;
      throw alarm('ledger-truncated', Math.min(size, last._id), detail);
    }
    const isSame = first.entry === last.entry && first.note === last.note && last.peaks.equals(asBytes(first.peaks));
    if (!isSame) throw alarm('ledger-forked', last._id, 'the entry is not the one that this process saw before');
    return rest;
  }

  #readAll(news: readonly FoundLedgerDocument[]): Taken[] {
    let range = this.#range;
    return news.map((found) => {
      const whole = readWhole(found, range.size);
      range = range.copy();
      range.append(leafHash(whole.document.entry));
      assertHead(range, whole);
      return { ...whole, range };
    });
  }

  #judge({ document, note }: Whole): void {
    const { keys, origin } = this.#parts;
    if (note.checkpoint.origin !== origin) {
      throw alarm('ledger-origin', document._id, `the ledger is of another log than "${origin}"`);
    }
    const trust = judgeNote(note, keys);
    if (trust === 'bad-signature') throw alarm('ledger-bad-signature', document._id, 'the signature is wrong');
    if (trust === 'trusted') return;
    // Keys are rolled out one process at a time: the other's key may be known here only later.
    const text =
      'an entry of the audit ledger is signed by a key that is not in audit.evidence.keys, or that was retired';
    warnOnce('LEDGER_KEY_UNKNOWN', text);
  }

  #takeOurs(document: LedgerDocument): void {
    const range = this.#range.copy();
    range.append(leafHash(document.entry));
    this.#take({ document, entry: readEntry(document.entry) as Entry, range });
  }

  #take({ document, entry, range }: Pick<Taken, 'document' | 'entry' | 'range'>): void {
    this.#range = range;
    this.#last = document;
    this.#parts.onEntry(entry);
  }

  /** What became of the entry that was sent without an answer: the same bytes are sent again unless its number has gone to anyone. */
  #settleUnsure(): LedgerDocument | null {
    if (this.#unsure !== null && this.size > this.#unsure._id) this.#unsure = null;
    return this.#unsure;
  }

  async #sign({ draft, leaves, newestAt }: Appendix): Promise<LedgerDocument> {
    const { now, origin, signer } = this.#parts;
    const n = this.size;
    const previousAt = this.#last === null ? 0 : Date.parse((readEntry(this.#last.entry) as Entry).at);
    // Clocks step back and differ: time in the ledger does not.
    const at = new Date(Math.max(now(), previousAt, newestAt?.getTime() ?? 0));
    const entry = placeEntry(draft, n, at);
    const text = writeEntry(entry);
    const range = this.#range.copy();
    range.append(leafHash(text));
    const note = await signCheckpoint({ origin, size: range.size, root: range.root() }, signer);
    const document = { _id: n, ...copiesOf(entry), entry: text, note, peaks: Buffer.concat(range.peaks) };
    return leaves === undefined || leaves.length === 0 ? document : { ...document, leaves };
  }
}

/** A document whose parts could all be read. */
interface Whole {
  readonly document: LedgerDocument;
  readonly entry: Entry;
  readonly note: Note;
  readonly peaks: Buffer[];
}

/** One that also follows from those before it. */
interface Taken extends Whole {
  readonly range: CompactRange;
}

/** @throws {@link LedgerAlarmError} when any part is not in its form: whoever may insert may have written it. */
function readWhole(found: FoundLedgerDocument, expected?: number): Whole {
  const { _id: n, entry: text, note: noteText } = found;
  if (typeof n !== 'number' || (expected !== undefined && n !== expected)) {
    throw alarm('ledger-gap', expected ?? 0, 'an entry of the ledger is missing, or its number is none');
  }
  const entry = typeof text === 'string' ? readEntry(text) : undefined;
  if (entry === undefined) throw alarm('ledger-entry-malformed', n, 'someone else wrote what is no entry');
  const copies = copiesOf(entry);
  const isCopied = entry.n === n && Object.entries(copies).every(([key, copy]) => copy === valueOf(found, key));
  if (!isCopied) throw alarm('ledger-index-field', n, 'the copies for queries are not what the entry says');
  const note = typeof noteText === 'string' ? readNote(noteText) : undefined;
  if (note === undefined) throw alarm('ledger-note-malformed', n, 'someone else wrote what is no signed note');
  const peaks = splitHashes(asBytes(found.peaks));
  if (peaks?.length !== peakCount(n + 1)) throw alarm('ledger-peaks', n, 'the peaks do not fit the number');
  const document = { _id: n, ...copies, entry: text as string, note: noteText as string, peaks: asBytes(found.peaks) };
  return { document, entry, note, peaks };
}

function assertHead(range: CompactRange, { document, note }: Whole): void {
  if (note.checkpoint.size !== range.size || !note.checkpoint.root.equals(range.root())) {
    throw alarm('ledger-root-mismatch', document._id, 'what is signed is not the root of the ledger');
  }
  if (!Buffer.concat(range.peaks).equals(document.peaks)) {
    throw alarm('ledger-peaks', document._id, 'the peaks are not those of the ledger');
  }
}

function valueOf(found: FoundLedgerDocument, key: string): unknown {
  return (found as Record<string, unknown>)[key] ?? null;
}

function asBytes(value: unknown): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

function alarm(kind: ViolationKind, n: number, detail: string): LedgerAlarmError {
  return new LedgerAlarmError({ kind, where: `ledger#${n}`, detail });
}

function unavailable(message: string): AuditWriteError {
  return new AuditWriteError('AUDIT_UNAVAILABLE', message);
}

/** Processes that met at one number must not meet at the next. */
function jitter(attempt: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * JITTER_MS * Math.min(attempt + 1, 10)));
}

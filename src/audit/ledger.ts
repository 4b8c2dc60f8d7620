/** Appends to the ledger beside any number of other processes, and notices when it is not as it was left. It knows neither stream nor timer. */
import { type Entry, type EntryDraft, placeEntry, readEntry, writeEntry } from '../evidence/entry.js';
import type { Signer, VerifierKey } from '../evidence/keys.js';
import { copiesOf, type FoundLedgerDocument, type LedgerDocument } from '../evidence/ledger-document.js';
import { judgeNote, signCheckpoint } from '../evidence/note.js';
import { CompactRange, leafHash } from '../evidence/tree.js';
import { AuditWriteError, warnOnce } from '../errors.js';
import { assertHead, isSameDocument, ledgerAlarm, readWhole, type Whole } from './found-entry.js';
import type { LedgerOutcome, LedgerStore } from './ledger-store.js';

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
  /** Told of every entry, one's own and others', in order, once; and whether a trusted key signed the ledger up to it. */
  readonly onEntry: (entry: Entry, isTrusted: boolean) => void;
  /**
   * Told of entries that a killed server took back, the newest first: those that still stand are told again. `isAll`: nothing of the ledger is known any more.
   * @defaultValue nobody is told
   */
  readonly onLost?: (entries: readonly Entry[], isAll: boolean) => void;
  /** Streams that this process alone speaks for. */
  readonly isOwn?: (stream: string) => boolean;
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
const LONGEST_JITTER_MS = 2000;
/**
 * A server without a replica set shows what is not in its journal yet, and takes it back when it is killed. The journal is flushed every 100 ms, every
 * 500 at the least: what is still there so much later stays.
 */
const SETTLED_MS = 1000;
/** An entry by an unknown key that is so far ahead of this clock is no entry: all later ones would have to follow it there. */
const MAX_FUTURE_MS = 3_600_000;

/** The ledger up to an entry. */
interface View {
  readonly range: CompactRange;
  readonly last: LedgerDocument;
  readonly entry: Entry;
  /** When it was first seen, on the monotonic clock. */
  readonly seenMs: number;
}

/** One writer's view of the ledger. Its methods are called one at a time. @see EVIDENCE, "Append to the ledger" */
export class Ledger {
  readonly #parts: LedgerParts;
  #range = new CompactRange();
  #last: LedgerDocument | null = null;
  /** The newest entry that stays, whatever becomes of the server; null: none is known. */
  #certain: View | null = null;
  /** Entries behind it: they were only read. */
  #uncertain: View[] = [];
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

  /** The newest signed note that no crash of a server takes back, for what outlives the server; null: none is known. */
  get certainNote(): string | null {
    return this.#certain?.last.note ?? null;
  }

  /** Takes over what others appended. @throws {@link LedgerAlarmError} when it is not as it was left */
  async follow(): Promise<void> {
    for (;;) {
      if (!this.#isOpen) await this.#open();
      const askedMs = performance.now();
      const found = await this.#parts.store.read(Math.max(this.size - 1, 0), PAGE);
      const news = this.#last === null ? found : await this.#afterOurs(found, askedMs);
      if (news === null) continue;
      for (const document of news) {
        const whole = readWhole(document, this.size);
        const range = this.#range.copy();
        range.append(leafHash(whole.document.entry));
        assertHead(range, whole);
        this.#take(whole, range, this.#judge(whole));
      }
      if (found.length < PAGE) return;
    }
  }

  /**
   * Appends an entry behind all others; null when `build` gave nothing.
   * @throws {@link LedgerAlarmError}; AUDIT_UNAVAILABLE when the database gave no answer: the next call settles what became of it; AUDIT_WRITE_FAILED
   * when the server refuses it.
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
      } else {
        this.#remember(document, outcome);
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
      this.#take(whole, range, this.#judge(whole));
    }
    this.#isOpen = true;
  }

  /** The documents behind our last one, which must still stand there, byte for byte; null: what is known begins further in front now. */
  async #afterOurs([first, ...rest]: FoundLedgerDocument[], askedMs: number): Promise<FoundLedgerDocument[] | null> {
    const last = this.#last as LedgerDocument;
    if (first?._id === last._id && isSameDocument(first, last)) {
      this.#settle(askedMs - SETTLED_MS);
      return rest;
    }
    if (this.#rewind()) return null;
    if (first?._id !== last._id) {
      const newest = await this.#parts.store.newest();
      const size = typeof newest?._id === 'number' ? newest._id + 1 : 0;
      const detail = `the ledger had ${this.size} entries and has no entry ${last._id} any more: someone rolled it back`;
      throw ledgerAlarm('ledger-truncated', Math.min(size, last._id), detail);
    }
    throw ledgerAlarm('ledger-forked', last._id, 'the entry is not the one that this process saw before');
  }

  /** What was seen by then is certain, and what is far behind the head: each was appended by someone who had the one before acknowledged. */
  #settle(seenByMs: number): void {
    const isSettled = ({ seenMs }: View, index: number): boolean =>
      seenMs <= seenByMs || index < this.#uncertain.length - PAGE;
    const index = this.#uncertain.findLastIndex(isSettled);
    this.#certain = this.#uncertain[index] ?? this.#certain;
    this.#uncertain.splice(0, index + 1);
  }

  /** Forgets what is not certain; false where everything is. */
  #rewind(): boolean {
    const lost = this.#uncertain.map(({ entry }) => entry).reverse();
    if (lost.length === 0) return false;
    this.#uncertain = [];
    this.#range = this.#certain?.range ?? new CompactRange();
    this.#last = this.#certain?.last ?? null;
    this.#isOpen = this.#certain !== null;
    // What was built on it went with it: the same server had both, and its journal has an order.
    if (this.#unsure !== null && this.#unsure._id > this.size) this.#unsure = null;
    this.#parts.onLost?.(lost, this.#certain === null);
    return true;
  }

  /** Whether a trusted key signed it. @throws {@link LedgerAlarmError} when it is worse than signed by a key that is not known here */
  #judge(whole: Whole): boolean {
    const { document, entry, note } = whole;
    const { keys, origin } = this.#parts;
    if (note.checkpoint.origin !== origin) {
      throw ledgerAlarm('ledger-origin', document._id, `the ledger is of another log than "${origin}"`);
    }
    const trust = judgeNote(note, keys);
    if (trust === 'bad-signature') throw ledgerAlarm('ledger-bad-signature', document._id, 'the signature is wrong');
    this.#assertNotForged(whole, trust === 'trusted');
    if (trust === 'trusted') return true;
    if (Date.parse(entry.at) > this.#parts.now() + MAX_FUTURE_MS) {
      throw ledgerAlarm('ledger-no-known-signature', document._id, 'its key is not known, and it is from the future');
    }
    // Keys are rolled out one process at a time: the other's key may be known here only later.
    const text =
      'an entry of the audit ledger is signed by a key that is not in audit.evidence.keys, or that was retired';
    warnOnce('LEDGER_KEY_UNKNOWN', text);
    return false;
  }

  /** Nobody else seals, closes or adopts a stream of ours; who takes it for dead may recover it, with a key that is trusted. */
  #assertNotForged({ document, entry }: Whole, isTrusted: boolean): void {
    if (!('stream' in entry) || this.#parts.isOwn?.(entry.stream) !== true) return;
    if (document.entry === this.#unsure?.entry || (isTrusted && entry.kind === 'recover')) return;
    const detail = `someone else wrote an entry about stream ${entry.stream}, which is written by this process`;
    throw ledgerAlarm(isTrusted ? 'segment-root' : 'ledger-no-known-signature', document._id, detail);
  }

  /** What was not stored for sure. */
  #remember(document: LedgerDocument, outcome: Exclude<LedgerOutcome, { kind: 'stored' }>): void {
    if (outcome.kind === 'refused') {
      // One that was sent before without an answer may still be there: it stays unsure.
      const { message } = outcome.error;
      warnOnce('LEDGER_REFUSED', `MongoDB refuses entries of the audit ledger, nothing is sealed: ${message}`);
      throw new AuditWriteError('AUDIT_WRITE_FAILED', `MongoDB refuses entries of the ledger: ${message}`);
    }
    // Taken may mean by ourselves, before a reply got lost: the next look decides.
    this.#unsure = document;
    if (outcome.kind === 'unknown') throw unavailable(`the ledger gave no answer: ${outcome.error.message}`);
  }

  #takeOurs(document: LedgerDocument): void {
    const range = this.#range.copy();
    range.append(leafHash(document.entry));
    this.#take({ document, entry: readEntry(document.entry) as Entry }, range, true);
    // It is journaled, and with it all that came before.
    this.#settle(Number.POSITIVE_INFINITY);
  }

  #take({ document, entry }: Pick<Whole, 'document' | 'entry'>, range: CompactRange, isTrusted: boolean): void {
    this.#range = range;
    this.#last = document;
    this.#uncertain.push({ range, last: document, entry, seenMs: performance.now() });
    this.#parts.onEntry(entry, isTrusted);
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

function unavailable(message: string): AuditWriteError {
  return new AuditWriteError('AUDIT_UNAVAILABLE', message);
}

/** Processes that met at one number must not meet at the next, and a hundred that start together must leave each other room to append at all. */
function jitter(attempt: number): Promise<void> {
  const longestMs = Math.min(JITTER_MS * 2 ** attempt, LONGEST_JITTER_MS);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longestMs));
}

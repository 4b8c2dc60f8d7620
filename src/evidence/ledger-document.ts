/** One document of the ledger: an entry's text, the signed note over the ledger up to it, and what is derived from both. Pure. */
import { decodeBase64 } from './base64.js';
import { type Entry, readEntry } from './entry.js';
import { canonicalText } from './line.js';

/** A document of the ledger, bytes as Buffer. */
export interface LedgerDocument {
  /** Place in the ledger. */
  readonly _id: number;
  /** Copy of the entry's kind, for queries. */
  readonly kind: string;
  /** Copy of the entry's stream; null where the kind has none. */
  readonly stream: string | null;
  /** Copy of the entry's `from`; null where the kind has none. */
  readonly from: number | null;
  /** The entry: RFC 8785 text; its UTF-8 is what the ledger's leaf hashes. */
  readonly entry: string;
  /** C2SP signed note: the checkpoint of the ledger up to and with this entry. */
  readonly note: string;
  /** Compact range of the ledger up to and with this entry: roots of the whole subtrees, largest first, one behind the other. */
  readonly peaks: Buffer;
  /** Leaf hashes of the segment's events, one behind the other; absent when it has none. */
  readonly leaves?: Buffer | undefined;
}

/** The query copies of an entry. */
export function copiesOf(entry: Entry): Pick<LedgerDocument, 'kind' | 'stream' | 'from'> {
  return {
    kind: entry.kind,
    stream: 'stream' in entry ? entry.stream : null,
    from: 'from' in entry ? entry.from : null,
  };
}

/** The line of a document in `ledger.ndjson`: RFC 8785, bytes as base64. No line feed at its end. */
export function writeLedgerLine(document: LedgerDocument): string {
  const { peaks, leaves, ...rest } = document;
  const bytes = { peaks: peaks.toString('base64'), ...(leaves && { leaves: leaves.toString('base64') }) };
  return canonicalText({ ...rest, ...bytes });
}

/** What a document, from a database or a line, holds: members are not yet believed to be what they should be. */
export type FoundLedgerDocument = { readonly [Key in keyof LedgerDocument]?: unknown };

/**
 * The entry of a document that stands at the number and under the query copies that its entry says; undefined for any other. Who may insert may
 * put documents between the numbers: no entry of the ledger is among them.
 */
export function readPlaced(found: FoundLedgerDocument): Entry | undefined {
  const entry = typeof found.entry === 'string' ? readEntry(found.entry) : undefined;
  return entry !== undefined && entry.n === found._id && hasItsCopies(found, entry) ? entry : undefined;
}

/** Whether the query copies of a document are what its entry says. */
export function hasItsCopies(found: FoundLedgerDocument, entry: Entry): boolean {
  const { kind, stream, from } = copiesOf(entry);
  return found.kind === kind && (found.stream ?? null) === stream && (found.from ?? null) === from;
}

/** Reads a line of `ledger.ndjson`; undefined when it is no JSON object or its bytes are no base64. */
export function readLedgerLine(line: string): FoundLedgerDocument | undefined {
  try {
    const value = JSON.parse(line) as FoundLedgerDocument | null;
    if (typeof value !== 'object' || value === null) return undefined;
    const leaves = value.leaves === undefined ? {} : { leaves: readBytes(value.leaves) };
    return { ...value, peaks: readBytes(value.peaks), ...leaves };
  } catch {
    return undefined;
  }
}

function readBytes(value: unknown): Buffer | undefined {
  return typeof value === 'string' ? decodeBase64(value) : undefined;
}

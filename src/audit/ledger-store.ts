/** What the sealing side needs from a database: the ledger, and events by their number. Nothing of any one database. */
import type { Entry } from '../evidence/entry.js';
import type { FoundLedgerDocument, LedgerDocument } from '../evidence/ledger-document.js';
import type { AuditEvent } from '../event.js';

/** What became of an entry. A store MUST answer with one of these and MUST NOT throw. */
export type LedgerOutcome =
  /** Durable: acknowledged by a majority, journaled. */
  | { readonly kind: 'stored' }
  /** Its number is taken. */
  | { readonly kind: 'duplicate' }
  /** No reply that can be relied on: it may be stored or not. */
  | { readonly kind: 'unknown'; readonly error: Error }
  /** Refused, such as for a missing right. */
  | { readonly kind: 'refused'; readonly error: Error };

/** An entry that covers an event, with the leaves of its segment. */
export interface CoveringEntry {
  /** The document. */
  readonly document: FoundLedgerDocument;
  /** The document before it, whose peaks prove its place; null for the first. */
  readonly before: FoundLedgerDocument | null;
}

/**
 * Where the ledger is kept. Every read MUST give what a majority holds, from the primary: a local read could show an entry that a failover takes
 * back. Reads reject when the database cannot say. Documents are given as they are found: anyone who may insert may have written them, of any
 * size, so that a read of many MUST stop where they fill the memory; it then gives fewer, and never none where there is one.
 */
export interface LedgerStore {
  /** Documents from a number on, in order, without their leaves. */
  read(from: number, limit: number): Promise<FoundLedgerDocument[]>;
  /** The document with the largest number, without its leaves. */
  newest(): Promise<FoundLedgerDocument | null>;
  /** Appends one document. */
  insert(document: LedgerDocument): Promise<LedgerOutcome>;
  /** Streams that were opened and not closed, the youngest first; none that says it is from the future. */
  openStreams(limit: number): Promise<string[]>;
  /** The newest entry about a stream. What stands at no number of the ledger is none. */
  lastOf(stream: string): Promise<Entry | null>;
  /** The entry whose segment covers a number, with leaves; null when there is none yet. */
  covering(stream: string, sequence: number): Promise<CoveringEntry | null>;
  /** Events of a stream from a number on, in order. */
  readEvents(stream: string, from: number, limit: number): Promise<AuditEvent[]>;
  /** The first stream of the trail behind the given one, in the order of their ids; '' for the very first. Null behind the last. */
  nextStream(after: string): Promise<string | null>;
  /** The newest event of a stream, by its number. */
  lastEvent(stream: string): Promise<AuditEvent | null>;
}

/** What verification reads: the contract of a database or an exported folder. Types only; it knows not how the bytes are fetched. */
import type { FoundLedgerDocument } from './ledger-document.js';

/** One event as it was found. */
export interface FoundEvent {
  /** Its `_id`; one that is no string as text. */
  readonly id: string;
  /** The byte 0x00 and then the event's LINE: what its leaf hashes. Need not be good any more once the next batch was asked for. */
  readonly preimage: Buffer | string;
  /**
   * `event-malformed`: no line can be made of what is stored. `event-type`: one can, but the package would have stored other bytes.
   * `unreadable`: what stands there has no `_id` either; `id` says where it stands.
   */
  readonly fault?: 'event-malformed' | 'event-type' | 'unreadable' | undefined;
  /** What is wrong, in a few words; never a value of the event. */
  readonly detail?: string | undefined;
}

/** One document of the ledger as it was found. */
export interface FoundEntry {
  /** Its members, of whatever types. */
  readonly document: FoundLedgerDocument;
  /** What is wrong with its bytes, in a few words: a key twice, a number of another type. */
  readonly fault?: string | undefined;
}

/** How much there is, as far as it can be known cheaply. */
export interface Extent {
  /** Documents of the ledger. */
  readonly entries: number;
  /** Events. */
  readonly events: number;
}

/**
 * Where a trail and its ledger are read from. Every method MUST reject when it cannot read, and MUST NOT leave out or repair anything: what
 * looks wrong is handed on as it is. Events and entries MAY be added while a verification reads.
 */
export interface EvidenceSource {
  /** Documents of the ledger in order of `_id`, in batches: all of them, whatever their `_id`, or those whose `_id` is a number of at least `from`. */
  ledger(from?: number): AsyncIterable<readonly FoundEntry[]>;
  /** The member `leaves` of these documents, in the same order; undefined where there is none. It is asked for a few hundred at most. */
  leaves(numbers: readonly number[]): Promise<readonly unknown[]>;
  /** All events in order of `_id`, in batches; each MUST be read after it was asked for. What was durable before the first batch was asked for MUST be among them, unless it is deleted meanwhile. */
  events(): AsyncIterable<readonly FoundEvent[]>;
  /** For the display of progress; MAY be wrong. */
  extent(): Promise<Extent>;
}

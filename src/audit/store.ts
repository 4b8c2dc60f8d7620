/** What the audit side needs from a database: this contract, and nothing of any one database. */
import type { AuditEvent, AuditStatus, Json } from '../event.js';

/** An event on its way to its number: `_id` is given when its batch is built. */
export type UnnumberedEvent = { -readonly [Key in keyof AuditEvent]: AuditEvent[Key] };

/** What became of a batch. A store MUST answer with one of these and MUST NOT throw. */
export type InsertOutcome =
  /** Every event is durable. */
  | { readonly kind: 'stored' }
  /** No reply, or none that can be relied on: any prefix of the batch may be stored. Keep it, back off, send it again. */
  | { readonly kind: 'unknown'; readonly error: Error }
  /** Refused for a reason that lies in the configuration, such as a missing right. Nothing more was stored; keep it, back off, tell. */
  | { readonly kind: 'refused'; readonly error: Error }
  /** The event at `index` can never be stored; those before it are durable. `index` null: one of them is, and none is durable. */
  | { readonly kind: 'poison'; readonly index: number | null; readonly error: Error }
  /** The `_id` at `index` is taken; those before it are durable. */
  | { readonly kind: 'duplicate'; readonly index: number };

/** A checked filter: equalities and a half-open range of time. */
export interface StoreFilter {
  /** Field to value; a list means any of them. */
  readonly equals: Readonly<Record<string, string | null | readonly string[]>>;
  /** Inclusive. */
  readonly from?: Date | undefined;
  /** Exclusive. */
  readonly to?: Date | undefined;
}

/** A place in the order of time, newest first. */
export interface Position {
  /** Time of the event after which the page begins. */
  readonly at: Date;
  /** Its `_id`. */
  readonly id: string;
}

/** One page, newest first. */
export interface PageRequest extends StoreFilter {
  /** How many events at the most. */
  readonly limit: number;
  /** Begin after this one. */
  readonly after?: Position | undefined;
}

/** A checked grouping. */
export interface GroupRequest extends StoreFilter {
  /** Fields that make a group. */
  readonly by: readonly string[];
  /** Also by this interval, in UTC. */
  readonly interval?: 'hour' | 'day' | undefined;
}

/** One group of events. */
export interface AuditGroup {
  /** The fields of `by` and their values. */
  key: Record<string, string | null>;
  /** How many events. */
  count: number;
  /** Start of the interval, when one was asked for. */
  from?: Date;
}

/** What a look at the database showed. */
export interface StoreInspection {
  /** Whether the server itself refuses changes of the trail to this user; unknown when it could not be told. */
  readonly enforcement: 'enforced' | 'unenforced' | 'unknown';
  /** Whether the indexes are there; unknown when this user may not look. */
  readonly indexes: 'ok' | 'created' | 'missing' | 'unknown';
}

/**
 * Where events are kept. `insert` is called by one caller at a time for each stream, the rest by many; after `close` the store answers `unknown` or rejects.
 */
export interface AuditStore {
  /** Stores a batch, ordered: what is stored MUST be a prefix of it. Durable MUST mean: acknowledged by a majority, journaled. */
  insert(batch: readonly AuditEvent[]): Promise<InsertOutcome>;
  /** Events by `_id` that a majority holds; absent ones are left out. Rejects when the database cannot say. */
  readBack(ids: readonly string[]): Promise<readonly AuditEvent[]>;
  /** One page of events, newest first. */
  find(page: PageRequest): Promise<AuditEvent[]>;
  /** How many events; exact. Rejects with QUERY_TIMEOUT when that takes too long. */
  count(filter: StoreFilter): Promise<number>;
  /** Counts by group, largest first. */
  aggregate(request: GroupRequest): Promise<AuditGroup[]>;
  /** Calls back each time the database becomes reachable again, so that waiting can be cut short. */
  onAvailable(listener: () => void): void;
  /** Reaches the database, builds missing indexes where this user may, and says what it saw. Rejects when it cannot be reached. */
  inspect(timeoutMs: number): Promise<StoreInspection>;
  /** Ends what the store opened itself. */
  close(): Promise<void>;
}

/** Values of a status, for checks. */
export const STATUSES: readonly AuditStatus[] = ['success', 'failure', 'error'];

/** Meta of an event, while it is still being built. */
export type Meta = Record<string, Json>;

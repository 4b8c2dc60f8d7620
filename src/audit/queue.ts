/** What the recorder puts accepted events into, and what it waits for. A contract; it knows neither database nor disk. */
import { AuditWriteError } from '../errors.js';
import type { Entry, Outbox } from './outbox.js';

/** Accepted events until they are stored. */
export interface Queue {
  /** The end that the writer takes from. */
  readonly outbox: Outbox;
  /** Events that wait. */
  readonly size: number;
  /** Bytes of memory that they take, those of events in preparation included. */
  readonly bytes: number;
  /** Events that wait on disk. */
  readonly spooled: number;
  /** Bytes that they take there. */
  readonly spoolBytes: number;
  /** When the oldest waiting event was accepted, on the monotonic clock. */
  readonly oldestMs: number | undefined;
  /** Why `reserve` refuses. */
  readonly bound: Bound;
  /** Takes room for an event; false when there is none. `isNameless`: a failure that names no actor, for which a quarter of it has to do. */
  reserve(bytes: number, isNameless?: boolean): boolean;
  /** Gives back room that was reserved and not used. */
  release(bytes: number): void;
  /** Adds an entry whose room is reserved. */
  push(entry: Entry): void;
  /** Resolves when everything that waits now is stored. */
  drained(): Promise<void>;
  /** Resolves when everything that waits now is durable, and stored as long as the store takes anything. */
  durable(): Promise<void>;
  /** Lets go who waits. */
  wake(): void;
  /** Lets go also who waits in `durable` for what is on disk, whatever the store does: the time is up. */
  acceptSpooled(): void;
  /** Resolves when what waits now is on disk, or cannot be. */
  keep(): Promise<void>;
  /** Takes out what is nowhere but in memory: the end has come. */
  abandon(): Entry[];
}

/** A bound that is reached. */
export interface Bound {
  /** Why an event was lost, as `audit:lost` and `audit.gap` say it. */
  readonly reason: string;
  /** The same for people. */
  readonly text: string;
}

/** Says that a bound is reached. */
export function noRoom({ text }: Bound): AuditWriteError {
  return new AuditWriteError('AUDIT_UNAVAILABLE', `${text}: no room for more`);
}

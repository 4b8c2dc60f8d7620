/** What the writer takes events from, wherever they wait: in memory alone, or in the spool too. A contract; it knows no database and no disk. */
import type { AuditEvent } from '../event.js';
import type { Settle } from './expectation.js';
import type { HookBus } from '../hooks.js';
import type { UnnumberedEvent } from './store.js';

/** One waiting event and the promise that hangs on it. */
export interface Entry {
  /** The event; its `_id` is empty until its batch is built. */
  event: UnnumberedEvent;
  /** Weight against the memory bound. */
  readonly bytes: number;
  /** When `record()` was called, on the monotonic clock. */
  readonly acceptedMs: number;
  /** Whether `audit:failed` was told for it. */
  told: boolean;
  /** Whether it is a failure that names no actor, which share a part of the room. @defaultValue false */
  readonly isNameless?: boolean;
  /** For how many acts it stands. @defaultValue 1 */
  readonly acts?: number;
  /** Whether it is on disk. */
  spooled?: boolean;
  /** Whether its caller and the listeners were told that it is durable. */
  isDurable?: boolean;
  /** Keeps the promise. */
  resolve: (event: AuditEvent) => void;
  /** Breaks the promise; the event may stay queued. */
  reject: (error: Error) => void;
}

/** Events on their way to the store, in order. Entries stay in place until `settle`, so that a batch can be sent again as it was. */
export interface Outbox {
  /** The stream of the event that is sent next. */
  readonly stream: string;
  /** The numbered entries at the front, all of one stream, bounded by number and bytes; at least one when any waits. They stay. */
  peek(maxCount: number, maxBytes: number): Entry[];
  /** Takes the first `count` entries out: their fate is known. `wake` when their callers were told. */
  settle(count: number): Entry[];
  /** Lets go who waits for what is settled by now. */
  wake(): void;
  /** Adds an entry beyond the bound: the few that say what was lost. */
  pushAnyway(entry: Entry): void;
  /** The store takes nothing for now. */
  holdUp(): void;
  /** Gives all from this entry on, which is the first, the numbers of a new stream: someone else writes under its own. */
  leaveStream(rest: readonly Entry[]): Promise<void>;
  /** Puts an event in the place of one that can never be stored, under the same number. MUST NOT reject. */
  replace(entry: Entry, event: UnnumberedEvent, reason: string): Promise<void>;
}

/** An entry that somebody waits for. Member by member: objects that are spread together are slow to make, and slow to read ever after. */
export function createWaitingEntry(
  { event, bytes }: Pick<Entry, 'event' | 'bytes'>,
  { resolve, reject }: Settle,
  { acceptedMs, isNameless }: { acceptedMs: number; isNameless: boolean },
): Entry {
  return { event, bytes, acceptedMs, told: false, isNameless, spooled: false, isDurable: false, resolve, reject };
}

/** An entry that nobody waits for. */
export function createEntry(event: UnnumberedEvent, bytes: number, spooled: boolean = false): Entry {
  const acceptedMs = performance.now();
  return { event, bytes, acceptedMs, told: true, spooled, isDurable: spooled, resolve: ignore, reject: ignore };
}

/** Tells the caller and all listeners that the event is durable. */
export function tellDurable(entry: Entry, hooks: HookBus): void {
  // They share it: what one does to it must not deceive another.
  freeze(entry.event);
  entry.resolve(entry.event);
  forgetCaller(entry);
  hooks.emit('audit:recorded', { event: entry.event });
}

/** The caller has its answer: an event that waits on must not keep what the caller holds. */
export function forgetCaller(entry: Entry): void {
  entry.resolve = ignore;
  entry.reject = ignore;
}

/** Whether somebody may still hear of it. */
export function isAwaited(entry: Entry): boolean {
  return entry.resolve !== ignore;
}

function ignore(): void {}

function freeze(value: object): void {
  Object.freeze(value);
  // Of a plain object's own members; no list of them is made, since this runs for every event.
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (typeof member === 'object' && member !== null && !(member instanceof Date)) freeze(member);
  }
}

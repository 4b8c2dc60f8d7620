/** Failures that name no actor on their way into the queue: one by one, or summed until their second is over. It knows no database. */
import { AuditWriteError } from '../errors.js';
import type { AuditEvent } from '../event.js';
import type { Composed } from './compose.js';
import type { Settle } from './expectation.js';
import { FailureLimit, isNameless, type ResolvedFailureLimit, SECOND_MS } from './failure-limit.js';
import { FailureSum } from './failure-sum.js';
import type { Entry } from './outbox.js';
import type { Queue } from './queue.js';
import type { UnnumberedEvent } from './store.js';
import type { IsStrict } from './strict-actions.js';

/** How many callers may wait for sums at the same time: they cost memory too, and anybody can cause them. */
const MAX_WAITING = 10_000;

/** What sums are made with. */
export interface FailuresParts {
  /** False: nothing is summed. */
  readonly limit: ResolvedFailureLimit | false;
  /** Actions that are never summed, since somebody waits for each; null: none. */
  readonly isStrict?: IsStrict | null;
  readonly pending: Pick<Queue, 'reserve' | 'push'>;
  /** Called when sums were put into the queue. */
  readonly onReleased: () => void;
  /** Counts a failure for which there is no room. */
  readonly overflow: () => AuditWriteError;
  /** A clock in milliseconds that never steps back. @defaultValue `performance.now` */
  readonly now?: () => number;
}

/** A sum that waits for the end of its second; its room is reserved. */
interface OpenSum {
  readonly sum: FailureSum;
  readonly bytes: number;
  readonly acceptedMs: number;
  readonly callers: Settle[];
}

/** The failures of one instance. */
export class Failures {
  readonly #parts: FailuresParts;
  readonly #limit: FailureLimit | null;
  readonly #now: () => number;
  /** By action. */
  readonly #open = new Map<string, OpenSum>();
  #second = 0;
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: FailuresParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
    this.#limit = parts.limit === false ? null : new FailureLimit(parts.limit, this.#now);
  }

  /** How many sums wait for the end of their second. */
  get sums(): number {
    return this.#open.size;
  }

  /** Whether such an event shares a part of the room, also where nothing is summed: what anybody can cause must not crowd out the rest. */
  limits(event: UnnumberedEvent): boolean {
    return isNameless(event);
  }

  /** Takes a failure that is one too many: it is summed, or counted as lost. False: it is an event of its own. */
  sum(composed: Composed, acceptedMs: number, settle: Settle): boolean {
    const { event } = composed;
    if (this.#limit === null || !isNameless(event)) return false;
    if (this.#parts.isStrict?.(event.action) === true || this.#limit.admits(event)) return false;
    const second = Math.floor(this.#now() / SECOND_MS);
    if (second !== this.#second) this.release();
    this.#second = second;
    const open = this.#open.get(event.action);
    if (open !== undefined) {
      open.sum.add(event);
      this.#await(open, settle);
    } else if (this.#parts.pending.reserve(composed.bytes, true)) {
      this.#begin(composed, acceptedMs, settle);
    } else {
      settle.reject(this.#parts.overflow());
    }
    return true;
  }

  /** Puts the sums into the queue as they are: their second is over, or somebody waits for them. */
  release(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#open.size === 0) return;
    const released = [...this.#open.values()];
    this.#open.clear();
    for (const open of released) this.#parts.pending.push(this.#toEntry(open));
    this.#parts.onReleased();
  }

  #begin({ event, bytes }: Composed, acceptedMs: number, settle: Settle): void {
    const open = { sum: new FailureSum(event), bytes, acceptedMs, callers: [] };
    this.#open.set(event.action, open);
    this.#await(open, settle);
    // It keeps the process alive: what was counted must not go with a process that ends by itself within this second.
    this.#timer ??= setTimeout(() => this.release(), SECOND_MS - (this.#now() % SECOND_MS));
  }

  #await({ callers }: OpenSum, settle: Settle): void {
    if (this.#waiting >= MAX_WAITING) {
      const message =
        'too many failures that name no actor: this one is counted in a summed event that nobody can wait for';
      settle.reject(new AuditWriteError('AUDIT_UNAVAILABLE', message));
      return;
    }
    this.#waiting += 1;
    callers.push(settle);
  }

  #toEntry({ sum, bytes, acceptedMs, callers }: OpenSum): Entry {
    const leave = (): Settle[] => {
      this.#waiting -= callers.length;
      return callers.splice(0);
    };
    return {
      event: sum.toEvent(),
      bytes,
      acceptedMs,
      told: false,
      isNameless: true,
      acts: sum.count,
      resolve: (event: AuditEvent) => leave().forEach((caller) => caller.resolve(event)),
      reject: (error: Error) => leave().forEach((caller) => caller.reject(error)),
    };
  }
}

/** How many failures that name no actor are events of their own: a burst, a rate, and the first of each second. It knows no queue and no timer. */
import { clientOf } from './address.js';
import type { UnnumberedEvent } from './store.js';

/** Limits of the failures that name no actor. */
export interface FailureLimitOptions {
  /** How many may come at once, each an event of its own; a whole number from 0 to 1,000,000. @defaultValue `1000` */
  burst?: number | undefined;
  /** How many a second may follow; a whole number from 0 to 1,000,000. @defaultValue `100` */
  perSecond?: number | undefined;
}

/** The limits with their defaults. */
export interface ResolvedFailureLimit {
  readonly burst: number;
  readonly perSecond: number;
}

/** Length of the spaces of time that are told apart, in milliseconds. */
export const SECOND_MS = 1000;

/** Bounds the table of one second, and with it what any number of addresses can bring in. */
const MAX_FIRSTS = 1000;

/** Whether it is a failure that names no actor. What the package itself says of the trail is none. */
export function isNameless({ status, actorId, source }: UnnumberedEvent): boolean {
  return status !== 'success' && actorId === null && source !== 'system';
}

/** The limit of one instance: a token bucket, and beside it a table of who was told in this second. */
export class FailureLimit {
  readonly #limit: ResolvedFailureLimit;
  readonly #now: () => number;
  readonly #firsts = new Set<string>();
  #tokens: number;
  #refilledMs: number;
  #second = Number.NaN;

  /** `now` is a clock in milliseconds that never steps back. */
  constructor(limit: ResolvedFailureLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
    this.#tokens = limit.burst;
    this.#refilledMs = now();
  }

  /** Whether this failure is an event of its own; else it is to be summed. */
  admits(event: UnnumberedEvent): boolean {
    const nowMs = this.#now();
    const { burst, perSecond } = this.#limit;
    // Without a burst one at a time must fit, or the rate would let nothing through.
    const room = Math.max(burst, Math.min(1, perSecond));
    this.#tokens = Math.min(room, this.#tokens + ((nowMs - this.#refilledMs) * perSecond) / SECOND_MS);
    this.#refilledMs = nowMs;
    if (this.#tokens < 1) return this.#isFirst(event, Math.floor(nowMs / SECOND_MS));
    this.#tokens -= 1;
    return true;
  }

  /** Who fails once in a while is seen even while others flood; who floods is seen once a second. */
  #isFirst({ action, target, ipAddress }: UnnumberedEvent, second: number): boolean {
    if (second !== this.#second) this.#firsts.clear();
    this.#second = second;
    if (this.#firsts.size >= MAX_FIRSTS) return false;
    const before = this.#firsts.size;
    this.#firsts.add(`${action}\n${target}\n${ipAddress === null ? '' : clientOf(ipAddress)}`);
    return this.#firsts.size > before;
  }
}

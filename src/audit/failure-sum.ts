/** Failures of one action and second as one event: how many, and what all of them had in common. It knows no clock and no queue. */
import type { UnnumberedEvent } from './store.js';

/** Members that a sum keeps while all failures agree, and what stands there when they do not. */
const WITHOUT_AGREEMENT = {
  tenantId: null,
  actorRole: 'USER',
  onBehalfOf: null,
  target: 'various',
  targetId: null,
  status: 'failure',
  reason: null,
  ipAddress: null,
  userAgent: null,
  requestId: null,
  source: 'system',
} as const satisfies Partial<UnnumberedEvent>;

type Member = keyof typeof WITHOUT_AGREEMENT;
const MEMBERS = Object.keys(WITHOUT_AGREEMENT) as Member[];

/** A sum that still grows. A single failure stays the event that it was. */
export class FailureSum {
  readonly #common: UnnumberedEvent;
  #from: Date;
  #to: Date;
  #count = 1;

  constructor(first: UnnumberedEvent) {
    this.#common = { ...first };
    this.#from = first.at;
    this.#to = first.at;
  }

  /** How many failures it stands for. */
  get count(): number {
    return this.#count;
  }

  /** Counts one more. */
  add(event: UnnumberedEvent): void {
    this.#count += 1;
    if (event.at < this.#from) this.#from = event.at;
    if (event.at > this.#to) this.#to = event.at;
    const common = this.#common;
    for (const member of MEMBERS) {
      if (common[member] !== event[member]) Object.assign(common, { [member]: WITHOUT_AGREEMENT[member] });
    }
    if (!isSameHttp(common.http, event.http)) common.http = null;
  }

  /** The event that is stored. */
  toEvent(): UnnumberedEvent {
    if (this.#count === 1) return this.#common;
    return { ...this.#common, at: this.#from, meta: { count: this.#count, lastAt: this.#to.toISOString() } };
  }
}

function isSameHttp(one: UnnumberedEvent['http'], other: UnnumberedEvent['http']): boolean {
  return one?.method === other?.method && one?.route === other?.route && one?.status === other?.status;
}

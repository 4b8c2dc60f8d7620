/** One request of a room with strict actions: when its answer is held back, and when that may leave. It decides nothing about events. */
import type { OutgoingHttpHeaders } from 'node:http';
import type { IsStrict } from '../audit/strict-actions.js';
import type { HttpContext, StrictWatch } from './context.js';
import { Hold } from './hold.js';
import type { FindMatches, Match } from './match.js';
import { askWhen } from './when.js';

/** What all strict requests of a room share. */
export interface StrictParts {
  /** Which actions are strict. */
  readonly isStrict: IsStrict;
  /** The compiled rules. */
  readonly findMatches: FindMatches;
  /** Hands over what is to be recorded of a request whose answer is known. What of it is strict comes back by `recorded`. */
  readonly conclude: (context: HttpContext) => void;
  /** Calls `overdue` some time after the handler began to answer, unless it is taken out before. */
  readonly begun: Timing;
  /** Calls `expired` when events are not durable in time. */
  readonly waiting: Timing;
}

/** Where a request waits for its time. */
interface Timing {
  add(request: StrictRequest): void;
  delete(request: StrictRequest): boolean;
}

/** Holds the answer of one request while something strict may come of it. */
export class StrictRequest implements StrictWatch {
  readonly #context: HttpContext;
  readonly #parts: StrictParts;
  readonly #headersBefore: OutgoingHttpHeaders;
  readonly #method: string;
  #hold: Hold | null = null;
  /** Something strict was seen or recorded; rules aside. */
  #hasActed = false;
  /** Events that are not durable yet. */
  #undurable = 0;
  #hasFailed = false;
  #isDecided = false;

  constructor(context: HttpContext, parts: StrictParts) {
    this.#context = context;
    this.#parts = parts;
    this.#headersBefore = context.res.getHeaders();
    this.#method = context.method;
    this.#holdIfMatched();
  }

  routed(): void {
    // `method-override` makes another request of it.
    if (this.#context.method !== this.#method) this.#holdIfMatched();
  }

  acted(action: string | null): void {
    if (action !== null && !this.#parts.isStrict(action)) return;
    this.#hasActed = true;
    this.#holdBack();
  }

  recorded(durable: Promise<unknown>): void {
    this.#hasActed = true;
    this.#holdBack();
    this.#undurable += 1;
    durable.then(
      () => this.#landed(true),
      () => this.#landed(false),
    );
  }

  closed(): void {
    this.#parts.begun.delete(this);
    // The handler had said everything; what broke off counts for nothing.
    if (this.#context.res.writableEnded) this.#hold?.decide();
  }

  /** The handler has begun to answer and does not end: what it said so far counts, so that streams without an end can begin. */
  overdue(): void {
    this.#hold?.decide();
  }

  /** It took too long: the answer is refused. */
  expired(): void {
    this.#hasFailed = true;
    this.#settle();
  }

  #holdIfMatched(): void {
    const { method, url } = this.#context;
    if (this.#parts.findMatches(method, url).some((match) => this.#mayRecord(match))) this.#holdBack();
  }

  #holdBack(): void {
    const { res } = this.#context;
    if (this.#hold?.isHolding === true || res.writableEnded) return;
    this.#isDecided = false;
    this.#hold = new Hold(res, {
      isNeeded: () => this.#isNeeded(),
      onBegun: () => this.#parts.begun.add(this),
      onDecided: () => this.#decided(),
    });
  }

  /** The status is known. A rule is asked again at the end; a denial is one now or never. */
  #isNeeded(): boolean {
    if (this.#hasActed) return true;
    const { method, url } = this.#context;
    for (const [index, match] of this.#parts.findMatches(method, url).entries()) {
      const isDenial = match.rule.action === 'access.denied';
      const isOut = isDenial && (index > 0 || askWhen(match.rule, this.#context) === false);
      if (!isOut && this.#mayRecord(match)) return true;
      // The first rule that needs not be asked wins.
      if (match.rule.when === undefined) return false;
    }
    return false;
  }

  /** A rule that describes may name another action at the end. */
  #mayRecord({ rule }: Match): boolean {
    return rule.describe !== undefined || this.#parts.isStrict(rule.action);
  }

  #decided(): void {
    this.#parts.begun.delete(this);
    this.#parts.conclude(this.#context);
    // The trail says that nobody answered: a success now would contradict it.
    if (this.#context.isAbandoned) this.#hasFailed = true;
    this.#isDecided = true;
    if (this.#hasFailed || this.#undurable === 0) this.#settle();
    else this.#parts.waiting.add(this);
  }

  #landed(isDurable: boolean): void {
    this.#undurable -= 1;
    if (!isDurable) this.#hasFailed = true;
    if (this.#isDecided && (this.#hasFailed || this.#undurable === 0)) this.#settle();
  }

  /** Nobody is there who could catch: what Node or middleware in front says against the answer ends the connection. */
  #settle(): void {
    this.#parts.waiting.delete(this);
    try {
      if (this.#hasFailed) this.#hold?.refuse(this.#headersBefore);
      else this.#hold?.release();
    } catch {
      this.#context.res.destroy();
    }
  }
}

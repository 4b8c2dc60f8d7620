/** Notices how each request ends and hands over what is to be recorded of it. It decides when; rules and testimony decide what. */
import type { AuditDraft } from '../event.js';
import { className, type RecordDraft } from '../audit/recording.js';
import type { Sighting } from '../audit/sightings.js';
import type { IsStrict } from '../audit/strict-actions.js';
import { warnOnce } from '../errors.js';
import { attempt } from './attempt.js';
import type { HttpContext } from './context.js';
import { type Deadlines, createDeadlines } from './deadlines.js';
import type { FindMatches, Match } from './match.js';
import type { Ending } from './outcome.js';
import type { CaptureRule } from './rules.js';
import { readDescription } from './said.js';
import { sentStatus } from './sent-status.js';
import { type StrictParts, StrictRequest } from './strict-request.js';
import { type ClosedRequest, testify } from './testimony.js';
import { askWhen, warnOfWhen, type WhenFailure } from './when.js';
import type { WitnessedAct } from './witnessed.js';

/** What capturing works with. */
export interface CaptureParts {
  /** Takes what is to be recorded. */
  readonly record: RecordDraft;
  /** The compiled rules. */
  readonly findMatches: FindMatches;
  /** Whether the data layer tells by itself when this action really happened. */
  readonly isSeenInData: (action: string) => boolean;
  /** How long a handler may take to begin its answer. */
  readonly abandonAfterMs: number;
  /** How long a request is held after an abort, for a handler that completes the act. */
  readonly holdMs: number;
  /** Actions whose answer waits, and for how long; null: none. */
  readonly strict: StrictCapture | null;
  /** Tells that something of the app failed, as hooks are told. */
  readonly hookFailed: (hook: string, error: unknown) => void;
}

/** Strict actions of a room. */
export interface StrictCapture {
  readonly isStrict: IsStrict;
  /** How long an answer waits for its events. */
  readonly timeoutMs: number;
}

/** After this time a handler that has begun to answer and does not end is taken by what it said: it may be a stream without an end. */
const BEGUN_MS = 1000;

/** How long `settle()` waits for a socket that does not take what was sent. */
const SETTLE_MS = 1000;

/** Captures the requests of one room. */
export class Capture {
  readonly #parts: CaptureParts;
  /** Requests that are not over; each may wait for its handler. */
  readonly #open: Deadlines<HttpContext>;
  /** Aborted requests whose handler may still complete the act. */
  readonly #held: Deadlines<HttpContext>;
  readonly #settling = new Map<HttpContext, (() => void)[]>();
  readonly #strict: StrictParts | null;

  constructor(parts: CaptureParts) {
    this.#parts = parts;
    this.#open = createDeadlines(parts.abandonAfterMs, (context) => this.#abandon(context));
    this.#held = createDeadlines(parts.holdMs, (context) => this.#conclude(context, 'aborted'));
    this.#strict = parts.strict && this.#createStrict(parts.strict);
  }

  /** Follows a request until it is over. */
  follow(context: HttpContext): void {
    const { res } = context;
    if (res.writableFinished) return;
    this.#open.add(context);
    if (this.#strict !== null) context.strict = new StrictRequest(context, this.#strict);
    res.on('finish', () => this.#end(context, hasLostSocket(context) ? 'aborted' : 'answered'));
    // A response that was finished is closed too: by then it is not open any more.
    res.on('close', () => {
      context.strict?.closed();
      this.#end(context, 'aborted');
    });
    // The client went while middleware before this one worked: nothing will tell it again.
    if (res.destroyed) this.#end(context, 'aborted');
  }

  /** Resolves when responses that have been sent are recorded: at once, or when their sockets took them, for a second at most. */
  async settle(): Promise<void> {
    const sent = [...this.#open.values()].filter(({ res }) => res.writableEnded);
    if (sent.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, SETTLE_MS);
    });
    await Promise.race([late, Promise.all(sent.map((context) => this.#over(context)))]);
    clearTimeout(timer);
  }

  /** Records what is held, and stops waiting for anything. Requests that still run are recorded when they end. */
  async close(): Promise<void> {
    await this.settle();
    this.#open.stop();
    this.#held.stop();
    for (const context of [...this.#held.values()]) {
      // Its handler may just have ended it.
      context.strict?.closed();
      if (this.#held.delete(context)) this.#conclude(context, 'aborted');
    }
  }

  #createStrict({ isStrict, timeoutMs }: StrictCapture): StrictParts {
    const { findMatches } = this.#parts;
    return {
      isStrict,
      findMatches,
      conclude: (context) => this.#decide(context),
      begun: createDeadlines(BEGUN_MS, (request: StrictRequest) => request.overdue()),
      waiting: createDeadlines(timeoutMs, (request: StrictRequest) => request.expired()),
    };
  }

  /** The answer to a strict request is known, and nothing of it has left. Whether the client is still there makes no difference to what was decided. */
  #decide(context: HttpContext): void {
    if (this.#held.delete(context)) this.#answered(context);
    else this.#end(context, 'answered');
  }

  #end(context: HttpContext, ending: Ending): void {
    if (!this.#open.delete(context)) return;
    if (ending === 'answered') this.#answered(context);
    else this.#aborted(context);
    for (const resolve of this.#settling.get(context) ?? []) resolve();
    this.#settling.delete(context);
  }

  #over(context: HttpContext): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.set(context, [...(this.#settling.get(context) ?? []), resolve]);
    });
  }

  #answered(context: HttpContext): void {
    context.finalStatus = sentStatus(context.res);
    this.#conclude(context, 'answered');
  }

  #aborted(context: HttpContext): void {
    context.abort(new Date());
    // A handler that has sent its whole answer has nothing left to complete.
    const mayBeCompleted = context.mayLogIn || this.#mayBeRecorded(context);
    if (context.res.writableEnded || this.#held.isStopped || !mayBeCompleted) this.#conclude(context, 'aborted');
    else this.#held.add(context);
  }

  /** The handler has not begun to answer in time. One that is streaming has, and a request that no rule records is none of ours: both wait on. */
  #abandon(context: HttpContext): void {
    const isWaiting = !context.res.headersSent && this.#mayBeRecorded(context);
    if (isWaiting) {
      context.isAbandoned = true;
      this.#conclude(context, 'abandoned');
    }
    // An upgraded connection tells no end: what has lost its socket is forgotten.
    else if (!hasLostSocket(context)) this.#open.add(context);
  }

  #mayBeRecorded(context: HttpContext): boolean {
    return this.#parts.findMatches(context.method, context.url).some(({ rule }) => rule.action !== 'access.denied');
  }

  #conclude(context: HttpContext, ending: Ending): void {
    try {
      this.#addTestimony(context, ending);
    } catch (error) {
      // A throw in a listener or a timer would end the process.
      warnOnce('CAPTURE_FAILED', `a request could not be recorded by itself: ${className(error)}`);
    }
    context.isConcluded = true;
    const sightings = context.sightings.settle();
    for (const { source, draft } of sightings.toSorted(routeFirst)) {
      if (context.isSkipped && !this.#isStrict(draft)) continue;
      if (source === 'route' && this.#isRefuted(draft, context)) continue;
      warnOfNobody(draft, context);
      // Its rejection is told by the recorder; here nobody waits.
      void this.#parts.record(draft, { source, request: context });
    }
  }

  #isStrict({ action }: Pick<AuditDraft, 'action'>): boolean {
    return this.#strict?.isStrict(action) ?? false;
  }

  /** The route answered as if it were done, and the data layer saw nothing happen: the value was the same, or nobody matched. */
  #isRefuted({ action, status }: AuditDraft, { said }: HttpContext): boolean {
    return status === 'success' && said.status === undefined && this.#parts.isSeenInData(action);
  }

  #addTestimony(context: HttpContext, ending: Ending): void {
    const match = isNoRoute(context, ending) ? undefined : this.#pick(context, ending);
    const { req, res, presence, said, finalStatus, hasSpokenAfterAbort: wasSaidAfterAbort } = context;
    const at = (ending === 'answered' ? null : context.abortedAt) ?? new Date();
    const statusCode = finalStatus ?? res.statusCode;
    const closed = { req, res, presence, said, wasSaidAfterAbort, ending, statusCode, at };
    const acts = context.acts({ isLogin: match?.rule.action === 'auth.login', ending, statusCode: finalStatus });
    for (const act of acts) {
      if (act.verdict !== null) context.sightings.add({ source: act.source, draft: testifyFor(act, closed, match) });
    }
    if (match === undefined || acts.some((act) => knowsBetter(act, match))) return;
    context.sightings.add({ source: 'route', draft: testify(closed, match) });
  }

  /** The first rule whose `when` agrees. `access.denied` is for what no rule before it matches by path and method. */
  #pick(context: HttpContext, ending: Ending): Match | undefined {
    const matches = this.#parts.findMatches(context.method, context.url);
    return matches.find(({ rule }, index) => {
      const isDenial = rule.action === 'access.denied';
      if (isDenial && (ending !== 'answered' || index > 0)) return false;
      const answer = askWhen(rule, context);
      return typeof answer === 'boolean' ? answer : this.#isAgreed(rule, answer, context);
    });
  }

  /** Nobody knows whether the rule agrees: a strict act must not be left out for that, whatever else it would be told as. */
  #isAgreed(rule: CaptureRule, failure: WhenFailure, { req, res }: HttpContext): boolean {
    const described = rule.describe && readDescription(attempt(() => rule.describe?.(req, res)));
    const isAgreed = this.#isStrict(rule) || this.#isStrict({ action: described?.action ?? rule.action });
    warnOfWhen(rule, failure, isAgreed);
    this.#parts.hookFailed('rule.when', failure.error);
    return isAgreed;
  }
}

/** Node tells `finish` also when the socket broke before it took the answer, and calls such a response finished (20.20). */
function hasLostSocket({ req }: HttpContext): boolean {
  // Environments without sockets (serverless adapters, injection in tests) may have none.
  return (req.socket as { destroyed?: boolean } | undefined)?.destroyed === true;
}

/** A 404 of the router itself: nothing was there that could have been tried. */
function isNoRoute({ finalStatus, isRouted, hasSpoken }: HttpContext, ending: Ending): boolean {
  return ending === 'answered' && finalStatus === 404 && !isRouted && !hasSpoken;
}

/** What others saw, in the words of the rule where it speaks of the same act. */
function testifyFor(act: WitnessedAct, closed: ClosedRequest, match: Match | undefined): AuditDraft {
  if (match !== undefined && match.rule.action === act.action) return testify(closed, match, act);
  const rule = { method: '*', path: /^/, action: act.action, target: 'user' };
  // What `outcome()` says is about the act of the rule; without one, about what there is.
  const isAnothers = match !== undefined && match.rule.action !== 'access.denied';
  return testify(isAnothers ? { ...closed, said: {}, wasSaidAfterAbort: false } : closed, { rule, id: null }, act);
}

/** Whether a witness saw what the rule only infers. A refused login is that, and no denied access too. */
function knowsBetter({ action, verdict }: WitnessedAct, { rule }: Match): boolean {
  return action === rule.action || (rule.action === 'access.denied' && verdict?.status === 'failure');
}

/** What only the rule saw led to the rest: a registration comes before the login that it brought. */
function routeFirst(one: Sighting, other: Sighting): number {
  return Number(other.source === 'route') - Number(one.source === 'route');
}

function warnOfNobody(draft: AuditDraft, context: HttpContext): void {
  if (draft.action !== 'auth.login' || draft.status !== 'success' || draft.actorId !== null) return;
  const { method, route } = context.http();
  warnOnce(
    'LOGIN_WITHOUT_ACTOR',
    `${method} ${route ?? '(no route)'} logged in, but nobody knows whom: call req.audit.outcome({ actor }) with the user, or status 'failure' when it was none`,
  );
}

/** One request as one room sees it: its labels, its actor, what the app says of it. It opens and settles nothing. */
import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import { readAddress } from '../audit/address.js';
import type { RequestContext, Scope } from '../audit/context.js';
import { readId } from '../audit/identity.js';
import { createSightings, type Sightings } from '../audit/sightings.js';
import type { Actor, AuditHttp } from '../event.js';
import { type ActorResolver, nameActor } from './actor.js';
import { attempt, readMember } from './attempt.js';
import { type Observed, observe, type Watcher } from './observed.js';
import { actionOf, PassportWitness } from './passport-acts.js';
import type { PassportWord } from './passport-request.js';
import { Presence } from './presence.js';
import { type RedactText, routePattern } from './route.js';
import { type Outcome, readOutcome, type Said } from './said.js';
import type { Closing, ReadActs, WitnessedAct } from './witnessed.js';

/** How an app tells what a request belongs to. */
export interface ContextOptions {
  /** Who acts; null: the usual places are looked at. */
  readonly actor: ActorResolver | undefined;
  /** The request's label. */
  readonly requestId: ((req: Request) => string | undefined) | undefined;
  /** The tenant. */
  readonly tenant: ((req: Request) => string | null) | undefined;
  /** The app's passport instance: what its strategies say is heard. */
  readonly passport: object | undefined;
  /** Redacts the texts of a route. */
  readonly redact: RedactText;
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const MAX_LABEL_LENGTH = 128;
const MAX_USER_AGENT_LENGTH = 255;

/** Who is told when something strict may come of a request: its answer must not leave before that is durable. MUST NOT throw. */
export interface StrictWatch {
  /** An act was seen that will be recorded; null: it is not known yet as what. */
  acted(action: string | null): void;
  /** Something strict is being recorded in this request; the promise says when it is durable. */
  recorded(durable: Promise<unknown>): void;
  /** A route was taken. */
  routed(): void;
  /** The connection is gone, or the answer is through. */
  closed(): void;
}

/** The context of one request in one room. What is seldom needed is read when it is asked for. */
export class HttpContext implements RequestContext, Watcher {
  /** The request. */
  readonly req: Request;
  /** Its response. */
  readonly res: Response;
  /** The URL as the client sent it, whatever routers cut off later. */
  readonly url: string;
  /** What AsyncLocalStorage carries for this request. */
  readonly scope: Scope;
  /** Who was there, came and went. */
  readonly presence: Presence;
  /** What was seen so far. */
  readonly sightings: Sightings = createSightings((action) => this.strict?.acted(action));
  /** What `outcome()` said. */
  readonly said: Said = {};
  /** Whether `outcome()` was called at all. */
  hasSpoken = false;
  /** Whether `outcome()` was called after the client had gone. */
  hasSpokenAfterAbort = false;
  /** Whether `skip()` was called. */
  isSkipped = false;
  /** When the client went before the response was finished. */
  abortedAt: Date | null = null;
  /** Status of the finished response. */
  finalStatus: number | null = null;
  /** Whether what is to be recorded of it was handed over. */
  isConcluded = false;
  /** Whether it was recorded as never answered. */
  isAbandoned = false;
  /** Holds its answer back where that is needed; null: no action is strict. */
  strict: StrictWatch | null = null;

  readonly #observed: Observed;
  readonly #options: ContextOptions;
  readonly #method: string;
  readonly #ip: string | undefined;
  readonly #userAgent: string | undefined;
  readonly #sentId: string | string[] | undefined;
  #requestId: string | undefined;
  #passport: PassportWitness | null = null;
  #integrations: ReadActs[] | null = null;

  constructor(req: Request, res: Response, options: ContextOptions) {
    this.req = req;
    this.res = res;
    this.#options = options;
    this.url = req.originalUrl;
    this.#method = req.method;
    // Now, since the address of a socket is gone with the socket; what a client put there is checked where it is used.
    this.#ip = readMember(req, 'ip') as string | undefined;
    this.#userAgent = req.headers['user-agent'];
    this.#sentId = req.headers['x-request-id'];
    this.#observed = observe(req);
    this.#observed.watchers.push(this);
    this.presence = new Presence(req, options.actor);
    this.scope = { request: this, actor: null };
  }

  get requestId(): string {
    this.#requestId ??= this.#readRequestId();
    return this.#requestId;
  }

  get ipAddress(): string | null {
    // Node remembers the address of a socket that was asked for it once, also after its end.
    return readAddress(this.#ip) ?? readAddress(readMember(this.req.socket, 'remoteAddress'));
  }

  get userAgent(): string | null {
    return this.#userAgent?.slice(0, MAX_USER_AGENT_LENGTH) ?? null;
  }

  /** The method that was routed; before that, the one that was sent. */
  get method(): string {
    return this.#observed.taken?.method ?? this.#method;
  }

  /** Whether any route took the request. */
  get isRouted(): boolean {
    return this.#observed.taken !== null;
  }

  http(): AuditHttp {
    const route = routePattern(this.#observed, this.#options.redact);
    return { method: this.method, route, status: this.finalStatus };
  }

  actor(): Actor | null {
    return this.presence.now() ?? this.presence.before();
  }

  actorBefore(): Actor | null {
    return this.said.actor ?? this.presence.before() ?? this.presence.now();
  }

  tenantId(): string | null {
    const { tenant } = this.#options;
    return (tenant && readId(attempt(() => tenant(this.req)))) ?? null;
  }

  assigned(): void {
    this.presence.assigned();
  }

  routed(): void {
    this.presence.routed();
    this.strict?.routed();
  }

  isSomebodyKnown(): boolean {
    return this.actor() !== null;
  }

  hasSomebodyLeft(): boolean {
    return this.said.status === 'success' || this.presence.went();
  }

  passportSaid(word: PassportWord): void {
    if ('passport' in word && word.passport !== this.#options.passport) return;
    this.#passport ??= new PassportWitness();
    this.#passport.hear(word, this.#actorOf(word));
    const action = actionOf(word);
    if (action !== null) this.strict?.acted(action);
  }

  /** Whether somebody may still be logged in or out here, although no rule says so. */
  get mayLogIn(): boolean {
    return this.#observed._sessionManager !== undefined || this.#integrations !== null;
  }

  /** Takes what an integration will have seen by the end. */
  witness(read: ReadActs): void {
    this.#integrations ??= [];
    this.#integrations.push(read);
    this.strict?.acted(null);
  }

  /** What was seen by others than the route. */
  acts(closing: Closing): WitnessedAct[] {
    const acts = this.#passport?.acts(closing) ?? [];
    for (const read of this.#integrations ?? []) acts.push(...read(closing));
    return acts;
  }

  /** Takes what the app says of the act; of what is said twice the later counts. */
  say(outcome: Outcome): void {
    const { meta, ...said } = readOutcome(outcome);
    // A reason belongs to its status.
    if (said.status !== undefined) delete this.said.reason;
    Object.assign(this.said, said);
    if (meta !== undefined) this.said.meta = { ...this.said.meta, ...meta };
    this.hasSpoken = true;
    if (this.abortedAt !== null) this.hasSpokenAfterAbort = true;
  }

  /** The client is gone; the handler may go on. */
  abort(at: Date): void {
    this.abortedAt = at;
    this.presence.aborted();
  }

  /** Whom a word is about, by the app's resolver, else by the user that passport was given. */
  #actorOf(word: PassportWord): Actor | null {
    if (!('user' in word)) return null;
    if (word.said === 'logged-in') return nameActor(word.user, this.req, this.#options.actor);
    // A user who is only proved is not in its place yet, so the resolver would see another.
    return word.said === 'proved' ? nameActor(word.user) : (this.presence.before() ?? nameActor(word.user));
  }

  #readRequestId(): string {
    const { requestId } = this.#options;
    const own = readId(requestId && attempt(() => requestId(this.req))) ?? readId(readMember(this.req, 'id'));
    if (own !== undefined) return own.slice(0, MAX_LABEL_LENGTH);
    const header = this.#sentId;
    return typeof header === 'string' && REQUEST_ID.test(header) ? header : randomUUID();
  }
}

/** Notices what the app assigns to a request: its user, its route, its path parameters, passport. It knows no rule and decides nothing. */
import type { Request } from 'express';
import { attempt } from './attempt.js';
import { defineAll, listProperties } from './define.js';
import { createPassportListener, type PassportWord } from './passport-request.js';

/** One room's side of a request: told of assignments, asked by rules. MUST NOT throw. */
export interface Watcher {
  /** `req.user` or `req.auth` has another value. */
  assigned(): void;
  /** `req.route` was assigned. Express does so twice for each route: before its parameters are known, and when its handlers begin. */
  routed(): void;
  /** Passport did or said something. */
  passportSaid(word: PassportWord): void;
  /** Whether an actor is known, now or before the act. */
  isSomebodyKnown(): boolean;
  /** Whether the actor who was there before the act is gone, or the app said so. */
  hasSomebodyLeft(): boolean;
}

/** A route as it was when the request took it; at the end of the request `baseUrl` and `params` may be gone. */
export interface TakenRoute {
  /** Path, pattern or list of them, as the app registered it. */
  readonly path: unknown;
  /** Where its router is mounted, as the client wrote it. */
  readonly baseUrl: string;
  /** The method by then: `method-override` may have changed it. */
  readonly method: string;
}

/** Bounds what is kept of path parameters; no URL that Node accepts needs as many. */
const MAX_PARAM_VALUES = 100;

/** Shared by all rooms of a process, of the ESM and the CommonJS build alike, so that two of them on one request do not hide from each other. */
const OBSERVED = Symbol.for('express-strongroom.observed');

/** What was noticed of one request. */
export class Observed {
  /** Values that stand behind the accessors. */
  user: unknown;
  /** As `user`. */
  auth: unknown;
  /** As `user`. */
  route: unknown;
  /** As `user`. */
  params: unknown;
  /** As `user`; passport assigns it whenever it handles the request, right after its methods. */
  _sessionManager: unknown;
  /** The last route taken. */
  taken: TakenRoute | null = null;
  /** Every path parameter so far, those of outer routers included. */
  readonly paramValues: string[] = [];
  /** One for each room that handles this request. */
  readonly watchers: Watcher[] = [];
}

/** What is noticed of this request; undefined when no room has seen it. */
export function observedOf(req: object): Observed | undefined {
  return (req as { [OBSERVED]?: Observed })[OBSERVED];
}

/** Begins to notice; a request is prepared once, however many rooms it passes. */
export function observe(req: Request): Observed {
  const known = observedOf(req);
  if (known !== undefined) return known;
  const observed = new Observed();
  ANCHOR.value = observed;
  observed.params = req.params;
  if ('user' in req || 'auth' in req || 'route' in req || '_sessionManager' in req) observeCarefully(req, observed);
  else observeQuickly(req);
  ANCHOR.value = undefined;
  return observed;
}

/** Passes a word of passport to the rooms that handle the request. */
export function tellPassportWord(req: object, word: PassportWord): void {
  for (const watcher of observedOf(req)?.watchers ?? []) watcher.passportSaid(word);
}

const listenToPassport = createPassportListener(tellPassportWord);

interface Observable {
  [OBSERVED]: Observed;
  baseUrl: string;
  method: string;
}

/** Stands here only while it is defined: building descriptors costs more than defining them, so all requests share theirs. */
const ANCHOR: PropertyDescriptor = { value: undefined, configurable: true };

/** `user` and `auth` are listed among a request's keys once they have a value, as without the middleware. */
function userAccessor(name: 'user' | 'auth'): PropertyDescriptor {
  const accessor: PropertyDescriptor & ThisType<Observable> = {
    configurable: true,
    enumerable: false,
    get() {
      return this[OBSERVED][name];
    },
    set(value: unknown) {
      const observed = this[OBSERVED];
      observed[name] = value;
      if (isHidden(this, name)) Object.defineProperty(this, name, { enumerable: true });
      for (const watcher of observed.watchers) watcher.assigned();
    },
  };
  return accessor;
}

function isHidden(req: object, name: string): boolean {
  return Object.hasOwn(req, name) && !Object.prototype.propertyIsEnumerable.call(req, name);
}

const ROUTE: PropertyDescriptor & ThisType<Observable> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[OBSERVED].route;
  },
  set(value: unknown) {
    const observed = this[OBSERVED];
    observed.route = value;
    takeRoute(observed, this);
    for (const watcher of observed.watchers) watcher.routed();
  },
};

const PARAMS: PropertyDescriptor & ThisType<Observable> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[OBSERVED].params;
  },
  set(value: unknown) {
    const observed = this[OBSERVED];
    observed.params = value;
    noteParams(observed, value);
  },
};

const PASSPORT: PropertyDescriptor & ThisType<Observable> = {
  configurable: true,
  enumerable: false,
  get() {
    return this[OBSERVED]._sessionManager;
  },
  set(value: unknown) {
    this[OBSERVED]._sessionManager = value;
    if (isHidden(this, '_sessionManager')) Object.defineProperty(this, '_sessionManager', { enumerable: true });
    listenToPassport(this);
  },
};

const ACCESSORS = {
  user: userAccessor('user'),
  auth: userAccessor('auth'),
  route: ROUTE,
  params: PARAMS,
  _sessionManager: PASSPORT,
};

const PROPERTIES = listProperties({ [OBSERVED]: ANCHOR, ...ACCESSORS });

/**
 * Without `delete` the change of a plain `params` into an accessor costs as much as all the rest. With it, V8 keeps the request as a table from here
 * on, where the many assignments of Express cost less: hello world gains more than it loses here (Node 20, Express 4 and 5).
 */
function observeQuickly(req: Request): void {
  delete (req as { params?: unknown }).params;
  defineAll(req, PROPERTIES);
}

/** Something is there already, from the app or from Express: plain values move behind the accessors, accessors of the app stay. */
function observeCarefully(req: Request, observed: Observed): void {
  Object.defineProperty(req, OBSERVED, ANCHOR);
  for (const name of Object.keys(ACCESSORS) as (keyof typeof ACCESSORS)[]) {
    const own = Object.getOwnPropertyDescriptor(req, name);
    if (own === undefined ? name in req : !('value' in own) || own.configurable !== true) continue;
    const enumerable = own?.enumerable ?? ACCESSORS[name].enumerable ?? false;
    attempt(() => Object.defineProperty(req, name, { ...ACCESSORS[name], enumerable }));
    if (own?.value !== undefined) observed[name] = own.value;
  }
  if (req.route !== undefined) takeRoute(observed, req as unknown as Observable);
  if (observed._sessionManager !== undefined) listenToPassport(req);
}

function takeRoute(observed: Observed, req: Observable): void {
  const path = attempt(() => (observed.route as { path?: unknown } | undefined)?.path);
  observed.taken = { path, baseUrl: req.baseUrl, method: req.method };
}

function noteParams(observed: Observed, params: unknown): void {
  for (const name in params as object) {
    if (observed.paramValues.length >= MAX_PARAM_VALUES) return;
    const value = (params as Record<string, unknown>)[name];
    // Express 5 gives the segments of a wildcard as a list, Express 4 as one text with slashes.
    for (const part of Array.isArray(value) ? value : [value]) {
      if (typeof part === 'string') observed.paramValues.push(...part.split('/'));
    }
  }
}

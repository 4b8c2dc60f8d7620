/** The options of auto-logging: which requests, who acts in them, how long they may take. It knows no database. */
import type { Request } from 'express';
import { type Duration, type Shape, durationBetween, isFunction, optional, readDuration } from '../settings.js';
import { isStrictOption, type StrictOption } from '../audit/strict-actions.js';
import type { ActorResolver } from './actor.js';
import { isPassport } from './passport.js';
import { type CaptureRules, isRulesOption } from './rules.js';

/** How requests are recorded by themselves. */
export interface CaptureOptions {
  /** The tenant of a request, stored with its events unless they name one; null: none. Must not be async. A throw counts as none. @defaultValue none */
  tenant?: ((req: Request) => string | null) | undefined;
  /** Rules in the place of the default ones, or a function that makes them from the default ones. @defaultValue the table in the README */
  rules?: CaptureRules | undefined;
  /**
   * Who acts. Asked when the middleware runs, when a user or a route is assigned, and at the end: it must be quick and must not be async.
   * null, and a throw: the usual places are looked at.
   * @defaultValue `req.user`, `req.auth`, `req.session.user`, `req.oidc.user`, `req.session.userId`
   */
  actor?: ActorResolver | undefined;
  /** The label of a request; undefined: the default. Must not be async. @defaultValue `req.id`, else a well-formed `x-request-id`, else a new UUID */
  requestId?: ((req: Request) => string | undefined) | undefined;
  /** How long a handler may take to begin its answer until the request is recorded as error / no_response; at least 1 ms. @defaultValue `'5m'` */
  abandonAfter?: Duration | undefined;
  /**
   * The app's passport instance: the outcome of its `authenticate` is recorded, whatever the response shows. `req.logIn` and `req.logOut` are seen without it.
   * @defaultValue none
   */
  passport?: object | undefined;
  /**
   * Actions whose response waits until their event is durable: status, headers and body are held back, whatever they are. If the event is not durable within
   * `audit.timeout`, the client gets 503 with the code `ERR_STRONGROOM_AUDIT_UNAVAILABLE` and nothing of the answer. `true`: all actions.
   * Each name must be registered, or stand in `audit.actions` or in a rule. `skip()` and a refusing `audit:draft` filter are void for them.
   * @defaultValue `false`
   */
  strict?: StrictOption | undefined;
}

/** The options with their defaults; rules are resolved where they are compiled. */
export interface ResolvedCaptureOptions {
  readonly tenant: CaptureOptions['tenant'];
  readonly rules: CaptureOptions['rules'];
  readonly actor: CaptureOptions['actor'];
  readonly requestId: CaptureOptions['requestId'];
  readonly abandonAfterMs: number;
  readonly passport: CaptureOptions['passport'];
  readonly strict: StrictOption;
}

const DEFAULT_ABANDON_AFTER_MS = 300_000;

/** One check per option. */
export const captureShape: Shape<CaptureOptions> = {
  tenant: optional(isFunction),
  rules: optional(isRulesOption),
  actor: optional(isFunction),
  requestId: optional(isFunction),
  abandonAfter: optional(durationBetween(1)),
  passport: optional(isPassport),
  strict: optional(isStrictOption),
};

/** Fills the defaults of checked options. */
export function resolveCaptureOptions(options: CaptureOptions): ResolvedCaptureOptions {
  const { tenant, rules, actor, requestId, abandonAfter, passport, strict = false } = options;
  const abandonAfterMs = readDuration(abandonAfter) ?? DEFAULT_ABANDON_AFTER_MS;
  return { tenant, rules, actor, requestId, abandonAfterMs, passport, strict };
}

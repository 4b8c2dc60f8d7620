/** Which requests are recorded by themselves: the default rules as data, and the check of an app's own. It knows no request in flight. */
import { METHODS } from 'node:http';
import type { Request, Response } from 'express';
import { isActionName } from '../audit/vocabulary.js';
import { assertOptions } from '../errors.js';
import type { AuditDraft } from '../event.js';
import {
  type Check,
  arrayOf,
  isFunction,
  isText,
  kindOf,
  matches,
  nearestName,
  objectOf,
  optional,
} from '../settings.js';
import { observedOf } from './observed.js';
import { sentStatus } from './sent-status.js';

/** One kind of request that is recorded by itself. The first rule whose method and path match, and whose `when` agrees, wins. */
export interface CaptureRule {
  /** One or more HTTP methods, or `*` for any. GET includes HEAD, which runs GET handlers. OPTIONS is never recorded. */
  method: string | readonly string[];
  /**
   * A string with a leading `/` is the whole path, without it the last segments. `:id` is any one segment and becomes `targetId`, decoded once;
   * other names (`:org`) are any one segment. Compared without case and without a slash at the end. A RegExp is tested on the pathname, without its
   * flags `g` and `y`; its named group `id` becomes `targetId`. Both the path as sent and as a browser normalises it are tried.
   */
  path: string | RegExp;
  /** What is recorded, e.g. `'order.refund'`. */
  action: string;
  /** Type of the resource. @defaultValue `'system'` */
  target?: string | undefined;
  /**
   * Asked at the end of the response; false: the next rules are tried. Must not be async. A throw, and what is neither true nor false, is warned about
   * once and told as `hook:failed`; then a rule with a strict action agrees, since its act must not be left out, and any other does not.
   * @defaultValue always
   */
  when?: ((req: Request, res: Response) => boolean) | undefined;
  /** Members of the event that the request shows, asked at the end of the response. Must not be async. What it throws, and members of a wrong type, are ignored. */
  describe?: ((req: Request, res: Response) => Partial<AuditDraft>) | undefined;
}

/** Rules in the place of the default ones, or made from them. */
export type CaptureRules = readonly CaptureRule[] | ((defaults: readonly CaptureRule[]) => readonly CaptureRule[]);

/** One row of the table of default rules. */
export interface DefaultRow {
  /** What is recorded. */
  readonly action: string;
  /** Type of the resource. */
  readonly target: string;
  /** Methods; `*` is any. */
  readonly methods: readonly string[];
  /** Last segments. `(a) `: only as the whole path, or after one of `ACCOUNT_WORDS`. `*` is any path. */
  readonly paths: readonly string[];
  /** What else must be so. */
  readonly when?: CaptureRule['when'];
}

/** The segments after which `(a)` paths count, as patterns: `/auth/register` is a registration, `/devices/register` is none. */
export const ACCOUNT_WORDS: readonly string[] = ['auth', 'api', 'v\\d+', 'accounts?', 'users?', 'identity', 'admin'];

const LEAVING = ['logout', 'signout', 'sign-out'];

/** A GET logs out only whom it really logged out: links to it are prefetched, crawled, and pages of single-page apps. */
function isDeparture(req: Request): boolean {
  return observedOf(req)?.watchers.some((watcher) => watcher.hasSomebodyLeft()) ?? false;
}

/** Somebody known was refused; the refusals of strangers are the noise of the internet. */
function isDenial(req: Request, res: Response): boolean {
  return sentStatus(res) === 403 && (observedOf(req)?.watchers.some((watcher) => watcher.isSomebodyKnown()) ?? false);
}

/** The default rules as the README shows them; the first that matches wins. */
export const DEFAULT_TABLE: readonly DefaultRow[] = [
  {
    action: 'auth.login',
    target: 'user',
    methods: ['POST'],
    paths: ['login', 'signin', 'sign-in', 'sign-in/email', '(a) session', '(a) sessions'],
  },
  { action: 'auth.logout', target: 'user', methods: ['POST', 'DELETE'], paths: LEAVING },
  {
    action: 'auth.logout',
    target: 'user',
    methods: ['DELETE'],
    paths: ['(a) session', '(a) sessions', '(a) sessions/:id'],
  },
  { action: 'auth.logout', target: 'user', methods: ['GET'], paths: LEAVING, when: isDeparture },
  {
    action: 'auth.register',
    target: 'user',
    methods: ['POST'],
    paths: ['(a) register', '(a) signup', '(a) sign-up', 'sign-up/email'],
  },
  {
    action: 'auth.password_change',
    target: 'user',
    methods: ['POST', 'PUT', 'PATCH'],
    paths: ['change-password', 'password/change', 'users/:id/password', 'me/password'],
  },
  {
    action: 'auth.password_reset_request',
    target: 'user',
    methods: ['POST'],
    paths: ['forgot-password', 'password/forgot'],
  },
  { action: 'auth.password_reset', target: 'user', methods: ['POST'], paths: ['reset-password', 'password/reset'] },
  {
    action: 'auth.mfa_enable',
    target: 'user',
    methods: ['POST', 'PUT'],
    paths: ['mfa/enable', '2fa/enable', 'totp/enable', 'two-factor/enable'],
  },
  {
    action: 'auth.mfa_disable',
    target: 'user',
    methods: ['POST', 'PUT', 'DELETE'],
    paths: ['mfa/disable', '2fa/disable', 'totp/disable', 'two-factor/disable'],
  },
  {
    action: 'auth.mfa_verify',
    target: 'user',
    methods: ['POST'],
    paths: ['mfa/verify', '2fa/verify', 'totp/verify', 'two-factor/verify'],
  },
  {
    action: 'user.role_change',
    target: 'user',
    methods: ['PUT', 'PATCH', 'POST'],
    paths: ['users/:id/role', 'users/:id/roles'],
  },
  { action: 'user.create', target: 'user', methods: ['POST'], paths: ['(a) users'] },
  { action: 'user.delete', target: 'user', methods: ['DELETE'], paths: ['users/:id'] },
  { action: 'access.denied', target: 'route', methods: ['*'], paths: ['*'], when: isDenial },
];

/** The default rules, one for each path of the table. */
export const DEFAULT_RULES: readonly CaptureRule[] = DEFAULT_TABLE.flatMap(({ methods, paths, ...row }) =>
  paths.map((path) => Object.freeze({ ...row, method: methods, path: defaultPath(path) })),
);

/**
 * The rules of an instance: the app's own, or the default ones.
 * @throws {@link OptionsError} OPTIONS_INVALID, naming the rule and its member.
 */
export function resolveRules(rules: CaptureRules | undefined): readonly CaptureRule[] {
  const resolved = typeof rules === 'function' ? rules(DEFAULT_RULES) : (rules ?? DEFAULT_RULES);
  assertOptions(checkRules(resolved, 'audit.rules'));
  return [...resolved];
}

function defaultPath(path: string): string | RegExp {
  if (path === '*') return /^/;
  if (!path.startsWith('(a) ')) return path;
  const segments = path.slice(4).replace(':id', '[^/]+');
  return new RegExp(`^(?:.*/(?:${ACCOUNT_WORDS.join('|')}))?/${segments}/?$`, 'i');
}

const isMethod: Check = (value, path) => {
  if (typeof value !== 'string') return `${path} must be an HTTP method or '*', got ${kindOf(value)}`;
  const method = value.toUpperCase();
  if (method === 'OPTIONS') return `${path}: OPTIONS is never recorded`;
  if (method === '*' || METHODS.includes(method)) return undefined;
  const nearest = nearestName(method.slice(0, 64), METHODS);
  return `${path} must be an HTTP method or '*'${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`;
};

/** The signs of path-to-regexp would match nothing here: refused, rather than a rule that never fires. */
const isPathText = matches(
  (value) => typeof value === 'string' && /^[^*?(){}#\s]+$/.test(value),
  "a path like '/orders/:id/refund', last segments like 'users/:id', or a RegExp; wildcards, groups and queries need a RegExp",
);

const checkRule = objectOf<CaptureRule>({
  method: (value, path) => (Array.isArray(value) ? areMethods(value, path) : isMethod(value, path)),
  path: (value, path) => (value instanceof RegExp ? undefined : isPathText(value, path)),
  action: isActionName,
  target: optional(isText),
  when: optional(isFunction),
  describe: optional(isFunction),
});

const checkRules = arrayOf(checkRule);

function areMethods(value: readonly unknown[], path: string): string | undefined {
  return value.length === 0 ? `${path} must name at least one method` : arrayOf(isMethod)(value, path);
}

/** Passes a list of rules, or a function that makes one; what that gives is checked where it is resolved. */
export const isRulesOption: Check = (value, path) =>
  typeof value === 'function' ? undefined : checkRules(value, path);

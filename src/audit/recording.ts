/** What `record()` and its helpers promise, and how the helpers become drafts. It knows no request, no queue and no database. */
import { OptionsError } from '../errors.js';
import type { AuditDraft, AuditEvent, AuditSource, Context } from '../event.js';
import { kindOf, isRecord, unknownName } from '../settings.js';
import type { RequestContext } from './context.js';
import { readId } from './identity.js';
import { emailDomain } from './email.js';

/** Where a draft comes from: what saw it, and in which request. */
export interface Origin {
  /** What saw the act. */
  readonly source: AuditSource;
  /** The request; null outside one; left out: the one that AsyncLocalStorage carries. */
  readonly request?: RequestContext | null | undefined;
  /** What was typed as a user name; its pseudonym becomes the target's id where no other is known. It is never stored. */
  readonly attempted?: string | undefined;
}

/**
 * Takes a draft on its way into the trail. Resolves when the event is durable. Never throws synchronously, and a rejection that nobody
 * awaits never becomes an unhandled one.
 */
export type RecordDraft = (draft: AuditDraft, origin: Origin) => Promise<AuditEvent>;

/** A login, good or bad. */
export interface LoginRecord extends Context {
  /** The user; null when nobody is known by what was typed. */
  userId: string | null;
  /** Whether it worked. */
  success: boolean;
  /** What was typed as a user name. Never stored: only its pseudonym, where a `pseudonymKey` exists. */
  attempted?: string | undefined;
  /** Why it failed. @defaultValue `'invalid_credentials'` for a failure */
  reason?: string | undefined;
}

/** A logout. */
export interface LogoutRecord extends Context {
  /** Who left. */
  userId: string;
}

/** A registration. */
export interface RegistrationRecord extends Omit<Context, 'meta'> {
  /** The new user. */
  userId: string;
  /** The address; only its domain is stored. */
  email: string;
}

/** A role change. */
export interface RoleChangeRecord extends Omit<Context, 'meta'> {
  /** Who changed it; left out: the actor of the request or of `runAs`. */
  actorId?: string | undefined;
  /** Whose role changed. */
  userId: string;
  /** The role before; null: none. */
  oldRole: string | null;
  /** The role after; null: none. */
  newRole: string | null;
}

/** Something that broke. */
export interface FailureRecord extends Context {
  /** What was tried. */
  action: string;
  /** Type of the resource. */
  target: string;
  /** Text goes to `reason`; of an Error only the class name, to `meta.error`. */
  error: string | Error;
}

/** Explicit recording: what the rules cannot see, you say. Every method rejects with OPTIONS_INVALID for a wrong argument; none throws. */
export interface AuditRecorder {
  /** Records an act. Resolves when it is durable; rejects after `audit.timeout` with AUDIT_UNAVAILABLE, the event stays queued. */
  record(draft: AuditDraft): Promise<AuditEvent>;
  /** Records a login, good or bad, as `auth.login`. */
  recordLogin(o: LoginRecord): Promise<AuditEvent>;
  /** Records a logout as `auth.logout`. */
  recordLogout(o: LogoutRecord): Promise<AuditEvent>;
  /** Records a registration as `auth.register` with `meta: { emailDomain }`. */
  recordRegistration(o: RegistrationRecord): Promise<AuditEvent>;
  /** Records a role change as `user.role_change` with exactly `meta: { oldRole, newRole }`. */
  recordRoleChange(o: RoleChangeRecord): Promise<AuditEvent>;
  /** Records that something broke, with status `error`. */
  recordFailure(o: FailureRecord): Promise<AuditEvent>;
}

const CONTEXT = ['actorRole', 'ipAddress', 'userAgent', 'requestId'];

/** Builds the helpers on one way to record. */
export function createAuditRecorder(
  record: (draft: AuditDraft, hints?: Pick<Origin, 'attempted'>) => Promise<AuditEvent>,
): AuditRecorder {
  return {
    record: (draft) => record(draft),
    recordLogin: (o) =>
      checked(o, {
        userId: isNullableId,
        success: isFlag,
        attempted: isAny,
        reason: isOptionalText,
        meta: isAny,
      }) ?? record(loginDraft(o), { attempted: attempted(o) }),
    recordLogout: (o) =>
      checked(o, { userId: isSomeId, meta: isAny }) ??
      record({ ...context(o), meta: o.meta, ...onUser('auth.logout', o.userId), actorId: o.userId }),
    recordRegistration: (o) =>
      checked(o, { userId: isSomeId, email: isAny }) ??
      record({
        ...context(o),
        ...onUser('auth.register', o.userId),
        actorId: o.userId,
        meta: { emailDomain: emailDomain(o.email) },
      }),
    recordRoleChange: (o) =>
      checked(o, { userId: isSomeId, actorId: isNullableId, oldRole: isNullableText, newRole: isNullableText }) ??
      record({
        ...context(o),
        ...onUser('user.role_change', o.userId),
        actorId: o.actorId,
        meta: { oldRole: o.oldRole, newRole: o.newRole },
      }),
    recordFailure: (o) =>
      checked(o, { action: isSomeText, target: isSomeText, error: isErrorOrText, meta: isAny }) ??
      record(failureDraft(o)),
  };
}

function loginDraft(o: LoginRecord): AuditDraft {
  const draft = { ...context(o), ...onUser('auth.login', o.userId), meta: o.meta, reason: o.reason };
  return o.success
    ? { ...draft, actorId: o.userId }
    : { ...draft, actorId: null, status: 'failure', reason: o.reason ?? 'invalid_credentials' };
}

/** A login form may send anything; only text can be somebody's name. */
function attempted(o: LoginRecord): string | undefined {
  return !o.success && typeof o.attempted === 'string' ? o.attempted : undefined;
}

function failureDraft(o: FailureRecord): AuditDraft {
  const draft = { ...context(o), action: o.action, target: o.target, status: 'error' as const };
  return typeof o.error === 'string'
    ? { ...draft, reason: o.error, meta: o.meta }
    : { ...draft, reason: 'internal', meta: { ...o.meta, error: className(o.error) } };
}

/** The class of an error, never its message: messages quote what users typed. */
export function className(error: unknown): string {
  try {
    const name: unknown = (error as { constructor?: { name?: unknown } }).constructor?.name;
    return typeof name === 'string' && name !== '' ? name : 'Error';
  } catch {
    return 'Error';
  }
}

function onUser(action: string, targetId: string | null): Pick<AuditDraft, 'action' | 'target' | 'targetId'> {
  return { action, target: 'user', targetId };
}

function context(o: Omit<Context, 'meta'>): Omit<Context, 'meta'> {
  return { actorRole: o.actorRole, ipAddress: o.ipAddress, userAgent: o.userAgent, requestId: o.requestId };
}

type Test = readonly [test: (value: unknown) => boolean, form: string];

const isSomeText: Test = [(value) => typeof value === 'string' && value !== '', 'a string that is not empty'];
const isNullableText: Test = [(value) => isAbsent(value) || typeof value === 'string', 'a string or null'];
const isSomeId: Test = [
  (value) => readId(value) !== undefined,
  'an id: a string that is not empty, an ObjectId, a UUID',
];
const isNullableId: Test = [(value) => isAbsent(value) || readId(value) !== undefined, `${isSomeId[1]}, or null`];
const isOptionalText: Test = [(value) => value === undefined || typeof value === 'string', 'a string'];
const isFlag: Test = [(value) => typeof value === 'boolean', 'true or false'];
const isErrorOrText: Test = [(value) => typeof value === 'string' || isRecord(value), 'a string or an Error'];
const isAny: Test = [() => true, 'anything'];

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined;
}

/** A rejection when an argument is wrong; undefined when it is right. */
function checked(o: unknown, shape: Record<string, Test>): Promise<never> | undefined {
  let problem: string | undefined;
  try {
    problem = findProblem(o, shape);
  } catch {
    problem = 'the argument could not be read: a getter threw';
  }
  if (problem === undefined) return undefined;
  const rejection = Promise.reject<never>(new OptionsError(problem));
  // Somebody may record without awaiting: the app must not end for it.
  rejection.catch(() => undefined);
  return rejection;
}

function findProblem(o: unknown, shape: Record<string, Test>): string | undefined {
  if (!isRecord(o)) return `the argument must be an object, got ${kindOf(o)}`;
  const known = [...Object.keys(shape), ...CONTEXT];
  const stranger = Object.keys(o).find((key) => !known.includes(key));
  if (stranger !== undefined) return `member ${unknownName(stranger, known)}`;
  const wrong = Object.entries(shape).find(([key, [test]]) => !test(o[key]));
  return wrong && `${wrong[0]} must be ${wrong[1][1]}, got ${kindOf(o[wrong[0]])}`;
}

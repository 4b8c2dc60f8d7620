/** What an app says of an act: by `outcome()`, or by a rule's `describe`. Takes what has the right type and drops the rest; it decides nothing. */
import { readId } from '../audit/identity.js';
import { STATUSES } from '../audit/store.js';
import { warnOnce } from '../errors.js';
import type { Actor, AuditDraft, AuditStatus } from '../event.js';
import { type Check, isRecord, kindOf, matches, objectOf, oneOf, optional } from '../settings.js';
import { readActor } from './actor.js';
import { attempt, readMember } from './attempt.js';

/** What `req.audit.outcome()` takes. */
export interface Outcome {
  /** How the act ended; left out: as the response says. */
  status?: AuditStatus | undefined;
  /** Why, in a word: `mfa_required`; at most 256 characters. */
  reason?: string | undefined;
  /** Whom a token login or a registration proved; it counts only when the outcome is success. An id may be an ObjectId, a UUID or a number. */
  actor?: Actor | undefined;
  /** Id of the resource. */
  targetId?: string | undefined;
  /** Added to what the rule says; of a member that both name, this one counts. */
  meta?: Record<string, unknown> | undefined;
}

/** Everything that was said by `outcome()` in one request. */
export interface Said {
  status?: AuditStatus;
  reason?: string;
  actor?: Actor & { readonly id: string };
  targetId?: string;
  meta?: Record<string, unknown>;
}

const isActor: Check = (value, path) =>
  value === null || readActor(value) !== null ? undefined : `${path} must be a user with an id, got ${kindOf(value)}`;

const checkOutcome = objectOf<Outcome>({
  status: optional(oneOf(STATUSES)),
  reason: optional(matches((value) => typeof value === 'string', 'a string')),
  actor: optional(isActor),
  targetId: optional(matches((value) => value === null || readId(value) !== undefined, 'an id')),
  meta: optional(matches(isRecord, 'an object')),
});

/** Reads what was said, by value. A wrong member is dropped with a warning: a request must not fail for its audit. */
export function readOutcome(outcome: unknown): Said {
  const said: Said = {};
  const problem = attempt(() => checkOutcome(outcome, 'req.audit.outcome'));
  if (problem !== undefined) warnOnce('OUTCOME_INVALID', problem);
  const status = readMember(outcome, 'status');
  const actor = readActor(readMember(outcome, 'actor'));
  if (isStatus(status)) said.status = status;
  assignText(said, 'reason', readMember(outcome, 'reason'));
  assignText(said, 'targetId', readId(readMember(outcome, 'targetId')));
  if (actor !== null) said.actor = actor;
  const meta = copyRecord(readMember(outcome, 'meta'));
  if (meta !== undefined) said.meta = meta;
  return said;
}

const TEXTS = ['action', 'target', 'actorRole'] as const;
const NULLABLE_TEXTS = ['reason', 'ipAddress', 'userAgent', 'requestId'] as const;
const IDS = ['targetId', 'actorId', 'onBehalfOf', 'tenantId'] as const;

/** Reads what a rule's `describe` gave. A wrong member would have the whole event refused, so it is dropped. */
export function readDescription(description: unknown): Partial<AuditDraft> {
  const read: Record<string, unknown> = {};
  for (const name of TEXTS) assignText(read, name, readMember(description, name));
  for (const name of NULLABLE_TEXTS) assignNullable(read, name, { value: readMember(description, name), read: asText });
  for (const name of IDS) assignNullable(read, name, { value: readMember(description, name), read: readId });
  const status = readMember(description, 'status');
  const at = readMember(description, 'at');
  const meta = copyRecord(readMember(description, 'meta'));
  if (isStatus(status)) read['status'] = status;
  if (at instanceof Date && !Number.isNaN(at.getTime())) read['at'] = at;
  if (meta !== undefined) read['meta'] = meta;
  return read;
}

function isStatus(value: unknown): value is AuditStatus {
  return (STATUSES as readonly unknown[]).includes(value);
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function assignText(to: object, name: string, value: unknown): void {
  const text = asText(value);
  if (text !== undefined) (to as Record<string, unknown>)[name] = text;
}

function assignNullable(
  to: Record<string, unknown>,
  name: string,
  { value, read }: { value: unknown; read: (value: unknown) => string | undefined },
): void {
  const text = value === null ? null : read(value);
  if (text !== undefined) to[name] = text;
}

/** One level deep; deeper ones are copied where the draft is taken. */
function copyRecord(value: unknown): Record<string, unknown> | undefined {
  try {
    return isRecord(value) ? { ...value } : undefined;
  } catch {
    // A getter threw.
    return undefined;
  }
}

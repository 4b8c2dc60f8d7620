/** Takes what a caller drafted, by value and at once: checked, bounded, still unredacted. It knows no request and no actor. */
import { normalise, SCAN_SLACK, SNAPSHOT_LIMITS } from '../evidence/normalise.js';
import { OptionsError } from '../errors.js';
import type { AuditDraft, AuditStatus } from '../event.js';
import { kindOf, oneOf, unknownName } from '../settings.js';
import { readId } from './identity.js';
import { type Meta, STATUSES } from './store.js';

/** A draft by value: nothing that the caller does later changes it. `undefined`: the caller left it out. */
export interface DraftSnapshot {
  action: string;
  target: string | undefined;
  targetId: string | null | undefined;
  status: AuditStatus;
  reason: string | null;
  actorId: string | null | undefined;
  actorRole: string | undefined;
  onBehalfOf: string | null | undefined;
  tenantId: string | null | undefined;
  meta: Meta;
  at: Date;
  ipAddress: string | null | undefined;
  userAgent: string | null | undefined;
  requestId: string | null | undefined;
}

/** How long each text of an event may be, in UTF-16 units. */
export const TEXT_LIMITS = {
  action: 64,
  target: 64,
  targetId: 128,
  reason: 256,
  actorId: 128,
  actorRole: 64,
  onBehalfOf: 128,
  tenantId: 128,
  userAgent: 255,
  requestId: 128,
} as const;

const MEMBERS: readonly (keyof AuditDraft)[] = Object.keys({
  action: 0,
  target: 0,
  targetId: 0,
  status: 0,
  reason: 0,
  actorId: 0,
  actorRole: 0,
  onBehalfOf: 0,
  tenantId: 0,
  meta: 0,
  at: 0,
  ipAddress: 0,
  userAgent: 0,
  requestId: 0,
} satisfies Record<keyof AuditDraft, 0>) as (keyof AuditDraft)[];

const isStatus = oneOf(STATUSES);

/**
 * Reads a draft.
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown member, a wrong type, or a member that cannot be read.
 */
export function readDraft(draft: unknown, now: Date): DraftSnapshot {
  const members = readMembers(draft);
  const problem = members.status === undefined ? undefined : isStatus(members.status, 'draft.status');
  if (problem !== undefined) throw new OptionsError(problem);
  return {
    action: requiredText(members.action),
    target: text(members, 'target'),
    targetId: id(members, 'targetId'),
    status: (members.status as AuditStatus | undefined) ?? 'success',
    reason: nullableText(members, 'reason') ?? null,
    actorId: id(members, 'actorId'),
    actorRole: text(members, 'actorRole'),
    onBehalfOf: id(members, 'onBehalfOf'),
    tenantId: id(members, 'tenantId'),
    meta: readMeta(members.meta),
    at: readTime(members.at, now),
    ipAddress: nullableText(members, 'ipAddress'),
    userAgent: nullableText(members, 'userAgent'),
    requestId: nullableText(members, 'requestId'),
  };
}

/** The action of a malformed draft, when that much can be read; it is shown to listeners, so only a plain name passes. */
export function readAction(draft: unknown): string {
  try {
    const action: unknown = (draft as { action?: unknown }).action;
    return typeof action === 'string' && /^[a-z][a-z0-9_.-]{0,63}$/i.test(action) ? action : 'unknown';
  } catch {
    return 'unknown';
  }
}

type Members = { [Key in keyof AuditDraft]?: unknown };

/** Reads each member once: a getter that answers differently the second time deceives nobody. */
function readMembers(draft: unknown): Members {
  if (typeof draft !== 'object' || draft === null) throw invalid('draft', 'an object', draft);
  let members: Members;
  try {
    members = { ...draft };
  } catch {
    throw new OptionsError('draft: a getter of the object threw');
  }
  for (const key of Object.keys(members)) {
    if (!MEMBERS.includes(key as keyof AuditDraft))
      throw new OptionsError(`draft: member ${unknownName(key, MEMBERS)}`);
  }
  return members;
}

function requiredText(action: unknown): string {
  if (typeof action !== 'string' || action.trim() === '')
    throw invalid('draft.action', 'a string that is not empty', action);
  return bounded(action, TEXT_LIMITS.action);
}

function text(members: Members, key: 'target' | 'actorRole'): string | undefined {
  const value = members[key];
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(`draft.${key}`, 'a string', value);
  return bounded(value, TEXT_LIMITS[key]);
}

function nullableText(
  members: Members,
  key: 'reason' | 'ipAddress' | 'userAgent' | 'requestId',
): string | null | undefined {
  const value = members[key];
  if (value === undefined || value === null) return value;
  if (typeof value !== 'string') throw invalid(`draft.${key}`, 'a string or null', value);
  return bounded(value, 256);
}

function id(members: Members, key: 'targetId' | 'actorId' | 'onBehalfOf' | 'tenantId'): string | null | undefined {
  const value = members[key];
  if (value === undefined || value === null) return value;
  if (value === '') return null;
  const read = readId(value);
  if (read === undefined) throw invalid(`draft.${key}`, 'a string, an ObjectId, a UUID, a number or null', value);
  return bounded(read, TEXT_LIMITS[key]);
}

function readMeta(meta: unknown): Meta {
  if (meta === undefined) return {};
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) throw invalid('draft.meta', 'an object', meta);
  const snapshot = normalise(meta, SNAPSHOT_LIMITS);
  return typeof snapshot === 'object' && snapshot !== null && !Array.isArray(snapshot)
    ? (snapshot as Meta)
    : { value: snapshot };
}

/** The past is allowed; the future becomes now, since no seal may be older than its events. */
function readTime(at: unknown, now: Date): Date {
  if (at === undefined) return now;
  const ms = isDate(at) ? at.getTime() : Number.NaN;
  if (Number.isNaN(ms)) throw invalid('draft.at', 'a valid Date', at);
  return ms < now.getTime() ? new Date(ms) : now;
}

function isDate(value: unknown): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]' && value instanceof Date;
}

function bounded(value: string, limit: number): string {
  // What stands beyond the limit is kept until redaction has run, so that a secret at the cut is seen whole.
  return value.length <= limit + SCAN_SLACK ? value : value.slice(0, limit + SCAN_SLACK);
}

function invalid(path: string, form: string, value: unknown): OptionsError {
  return new OptionsError(`${path} must be ${form}, got ${kindOf(value)}`);
}

/** What the event of a route rule says, action by action. It reads a request that is over, and records nothing. */
import type { Request, Response } from 'express';
import { emailDomain } from '../audit/email.js';
import { readId } from '../audit/identity.js';
import type { Actor, AuditDraft } from '../event.js';
import { attempt, readMember } from './attempt.js';
import type { Match } from './match.js';
import { type Ending, judge, type Verdict } from './outcome.js';
import type { Presence } from './presence.js';
import { readDescription, type Said } from './said.js';
import type { WitnessedAct } from './witnessed.js';

/** A request that is over, as a rule sees it. */
export interface ClosedRequest {
  /** The request; its `body` and session may be gone. */
  readonly req: Request;
  /** The response. */
  readonly res: Response;
  /** Who was there, came and went. */
  readonly presence: Presence;
  /** What `outcome()` said. */
  readonly said: Said;
  /** Whether `outcome()` was called after the client had gone. */
  readonly wasSaidAfterAbort: boolean;
  /** How the response ended. */
  readonly ending: Ending;
  /** Status that was sent; of what was not finished, the one that would have been. */
  readonly statusCode: number;
  /** When it ended. */
  readonly at: Date;
}

/** Writes the draft of a request that a rule matched; what another witness saw of the act is believed before the response. */
export function testify(closed: ClosedRequest, { rule, id }: Match, seen?: WitnessedAct): AuditDraft {
  const described = readDescription(attempt(() => rule.describe?.(closed.req, closed.res)));
  const action = described.action ?? rule.action;
  const act: Act = { closed, action, id, seen };
  const judged = seen?.verdict ?? judgeAct(act);
  const verdict = overrule(overrule(judged, described), closed.said);
  const who = actorOf(act, verdict);
  const corrected = closed.ending === 'aborted' && verdict.status !== 'error';
  return {
    action,
    target: described.target ?? rule.target,
    at: described.at ?? closed.at,
    actorId: described.actorId === undefined ? (who?.id ?? null) : described.actorId,
    actorRole: described.actorRole ?? roleOf(who, described, action),
    onBehalfOf: described.onBehalfOf === undefined ? who?.onBehalfOf : described.onBehalfOf,
    tenantId: described.tenantId === undefined ? who?.tenantId : described.tenantId,
    status: verdict.status,
    reason: verdict.reason,
    ipAddress: described.ipAddress,
    userAgent: described.userAgent,
    requestId: described.requestId,
    targetId: closed.said.targetId ?? described.targetId ?? seen?.targetId ?? targetIdOf(act, who),
    meta: metaOf(act, {
      ...seen?.meta,
      ...described.meta,
      ...closed.said.meta,
      ...(corrected && isPassage(action) ? { aborted: true } : {}),
    }),
  };
}

/** One act of one request. */
interface Act {
  readonly closed: ClosedRequest;
  readonly action: string;
  /** The path's `:id`. */
  readonly id: string | null;
  readonly seen: WitnessedAct | undefined;
}

/** Login and logout: somebody passes the door. */
function isPassage(action: string): boolean {
  return action === 'auth.login' || action === 'auth.logout';
}

function judgeAct(act: Act): Verdict {
  const { action, closed } = act;
  const { ending, statusCode, said } = closed;
  if (ending === 'aborted' && wasCompletedAfterAbort(act)) return { status: 'success', reason: null };
  const hasAuthenticationChanged = said.status === 'success' || said.actor !== undefined || hasPassed(act);
  const verdict = judge({ ending, statusCode, action, hasAuthenticationChanged });
  const isNobodys = action === 'auth.logout' && closed.presence.before() === null && said.actor === undefined;
  const mayBeDone = ending === 'answered' && statusCode < 400;
  return isNobodys && mayBeDone ? { status: 'failure', reason: 'unauthenticated' } : verdict;
}

function hasPassed({ action, closed: { presence } }: Act): boolean {
  return action === 'auth.logout' ? presence.went() : presence.came() !== null;
}

/** Work goes on when the client has gone; what was completed then is told as done. A login that was proven by token counts whenever it was said. */
function wasCompletedAfterAbort({ action, closed }: Act): boolean {
  const { presence, statusCode, said, wasSaidAfterAbort } = closed;
  // What the handler would have answered, had somebody been there to hear it.
  if (statusCode >= 400) return false;
  if (wasSaidAfterAbort || said.actor !== undefined) return true;
  if (action === 'auth.login') return presence.cameAfterAbort();
  return action === 'auth.logout' && presence.wentAfterAbort();
}

/** What the app says beats what the response shows; a reason belongs to its status. */
function overrule(verdict: Verdict, said: Pick<AuditDraft, 'status' | 'reason'>): Verdict {
  const status = said.status ?? verdict.status;
  const kept = status === verdict.status ? verdict.reason : null;
  return { status, reason: said.reason === undefined ? kept : said.reason };
}

function actorOf({ action, closed, seen }: Act, { status }: Verdict): Actor | null {
  const { presence, said } = closed;
  const proved = (status === 'success' ? said.actor : undefined) ?? seen?.actor;
  if (action === 'auth.login' || action === 'auth.register') {
    return status === 'success' ? (proved ?? presence.came()) : null;
  }
  return proved ?? presence.before() ?? presence.now();
}

function roleOf(who: Actor | null, described: Partial<AuditDraft>, action: string): string {
  // A rule that names another actor without a role does not lend them the role of the one who was seen.
  const isAnother = described.actorId !== undefined && described.actorId !== (who?.id ?? null);
  // Whoever registers is a plain user, whatever an app makes of them in the same request.
  return isAnother || action === 'auth.register' ? 'USER' : (who?.role ?? 'USER');
}

function targetIdOf({ action, id }: Act, who: Actor | null): string | null {
  return id ?? (action.startsWith('auth.') ? (who?.id ?? null) : null);
}

function metaOf({ action, closed }: Act, said: Record<string, unknown>): Record<string, unknown> {
  const body = readMember(closed.req, 'body');
  if (action === 'auth.register') return { emailDomain: emailDomain(readMember(body, 'email')), ...said };
  if (action !== 'user.role_change') return said;
  // Exactly these two: what the act was, and nothing that rides along.
  return { oldRole: said['oldRole'] ?? null, newRole: said['newRole'] ?? askedRole(body) };
}

/** The role that was asked for; the old one is in the database, which a route rule does not read. */
function askedRole(body: unknown): string | null {
  const roles = readMember(body, 'roles');
  // As a set, in the form in which array roles are stored.
  const list = Array.isArray(roles) ? roles.filter((role) => typeof role === 'string').toSorted(byText) : [];
  return readId(readMember(body, 'role')) ?? (list.length === 0 ? null : list.join(','));
}

function byText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

/** What `record()` and its helpers promise, and how the helpers become drafts. It knows no request, no queue and no database. */
import type { AuditDraft, AuditEvent, AuditSource, Context } from '../event.js';
import type { RequestContext } from './context.js';

/** Where a draft comes from: what saw it, and in which request. */
export interface Origin {
  /** What saw the act. */
  readonly source: AuditSource;
  /** The request; null outside one; left out: the one that AsyncLocalStorage carries. */
  readonly request?: RequestContext | null | undefined;
}

/**
 * Takes a draft on its way into the trail. Resolves when the event is durable. Never throws synchronously, and a rejection that nobody
 * awaits never becomes an unhandled one.
 */
export type RecordDraft = (draft: AuditDraft, origin: Origin) => Promise<AuditEvent>;

/** Explicit recording: what the rules cannot see, you say. */
export interface AuditRecorder {
  /** Records an act. Resolves when it is durable; rejects after `audit.timeout` with AUDIT_UNAVAILABLE, the event stays queued. */
  record(draft: AuditDraft): Promise<AuditEvent>;
  /** Records a login, good or bad. What was typed (`attempted`) is never stored, only its pseudonym. */
  recordLogin(
    o: {
      userId: string | null;
      success: boolean;
      attempted?: string | undefined;
      reason?: string | undefined;
    } & Context,
  ): Promise<AuditEvent>;
  /** Records a logout. */
  recordLogout(o: { userId: string } & Context): Promise<AuditEvent>;
  /** Records a registration; only the domain of the address is stored. */
  recordRegistration(o: { userId: string; email: string } & Omit<Context, 'meta'>): Promise<AuditEvent>;
  /** Records a role change; `meta` is exactly `{ oldRole, newRole }`. */
  recordRoleChange(
    o: { actorId?: string | undefined; userId: string; oldRole: string | null; newRole: string | null } & Omit<
      Context,
      'meta'
    >,
  ): Promise<AuditEvent>;
  /** Records that something broke: text goes to `reason`; of an Error only the class name, to `meta.error`. */
  recordFailure(o: { action: string; target: string; error: string | Error } & Context): Promise<AuditEvent>;
}

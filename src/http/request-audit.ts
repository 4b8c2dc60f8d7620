/** What handlers get as `req.audit`: explicit recording bound to their request, and a word on how it is recorded by itself. */
import { type AuditRecorder, createAuditRecorder, type RecordDraft } from '../audit/recording.js';
import type { SecretsAccessor } from '../secrets/accessor.js';
import type { HttpContext } from './context.js';
import type { Outcome } from './said.js';

/** Recording in a request. The members need no `this`, and none throws. */
export interface RequestAudit extends AuditRecorder {
  /**
   * Completes or corrects what a rule records of this request, and beats everything else: an API that answers 200 to a bad password says
   * `{ status: 'failure', reason: 'invalid_credentials' }`. Without `status` it only completes. Said twice, the later word counts, member by member; members of
   * a wrong type are ignored. After the end of the response it has no effect, unless the client had gone before that.
   *
   * @example
   * ```ts
   * req.audit.outcome({ actor: user }); // a token login leaves no req.user: say who it was
   * ```
   */
  outcome(o: Outcome): void;
  /** Leaves this request out of auto-logging; what was recorded explicitly stays. Void for actions under `audit.strict`. */
  skip(): void;
}

/** Binds recording to a request. */
export function createRequestAudit(context: HttpContext, record: RecordDraft): RequestAudit {
  return {
    ...createAuditRecorder((draft, hints) => record(draft, { ...hints, source: 'api', request: context })),
    outcome(o) {
      context.say(o);
    },
    skip() {
      context.isSkipped = true;
    },
  };
}

declare global {
  // Express asks for this: its Request extends the global one.
  namespace Express {
    interface Request {
      /** Secrets by name, from the room that handles this request. */
      readonly secrets: SecretsAccessor;
      /** Recording, bound to this request. */
      readonly audit: RequestAudit;
    }
  }
}

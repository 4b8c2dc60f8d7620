/** An act that something better placed than the route saw: passport, or another integration. It knows no request. */
import type { Actor, AuditDraft } from '../event.js';
import type { Ending, Verdict } from './outcome.js';

/** One act as it was seen. */
export interface WitnessedAct {
  /** What saw it. */
  readonly source: 'passport' | 'integration';
  /** What was done. */
  readonly action: string;
  /** How it ended; null: it only began here, so there is nothing to record, and the route knows no better. */
  readonly verdict: Verdict | null;
  /** Who did it; null: as the request says. */
  readonly actor: Actor | null;
  /** The user it was done to; left out: the actor. */
  readonly targetId?: string | undefined;
  /** More to say of it. */
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** How a request ended, as far as it decides about an act. */
export interface Closing {
  /** Whether a rule says that this request is a login. */
  readonly isLogin: boolean;
  /** How the response ended. */
  readonly ending: Ending;
  /** Status of a finished response; null: it was not. */
  readonly statusCode: number | null;
}

/** Tells what was seen, when the request is over. MUST NOT throw. */
export type ReadActs = (closing: Closing) => readonly WitnessedAct[];

/** Where a room takes what integrations see; shared by the ESM and the CommonJS build. */
export const INTEGRATION: unique symbol = Symbol.for('express-strongroom.integration');

/** A room, as integrations see it. */
export interface Integrable {
  /** Takes what was seen in the request that runs now; outside one it is recorded at once. */
  readonly [INTEGRATION]: (read: ReadActs) => void;
}

/** The draft of an act that no request waits for. */
export function draftOf(act: WitnessedAct, { status, reason }: Verdict): AuditDraft {
  const { action, meta, actor } = act;
  const who = status === 'success' || !isArrival(action) ? actor : null;
  return {
    action,
    target: 'user',
    targetId: act.targetId ?? who?.id ?? null,
    status,
    reason,
    actorId: who?.id ?? null,
    actorRole: who?.role,
    meta,
  };
}

function isArrival(action: string): boolean {
  return action === 'auth.login' || action === 'auth.register';
}

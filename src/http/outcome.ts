/** How an act ended, from how its response ended. Pure; it knows no request. */
import type { AuditStatus } from '../event.js';

/** How a response ended: it was finished, the client had gone before, or the handler never answered. */
export type Ending = 'answered' | 'aborted' | 'abandoned';

/** What the outcome is decided from. */
export interface Evidence {
  /** How the response ended. */
  readonly ending: Ending;
  /** Status of a finished response; it says nothing of another, where Node still has 200. */
  readonly statusCode: number;
  /** What was tried. */
  readonly action: string;
  /** Whether an authentication came or went: it makes a redirect a success. */
  readonly hasAuthenticationChanged: boolean;
}

/** The outcome in the event's words. */
export interface Verdict {
  /** How it ended. */
  readonly status: AuditStatus;
  /** Why, in a word; null: as it should. */
  readonly reason: string | null;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'validation',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  413: 'too_large',
  415: 'validation',
  422: 'validation',
  423: 'locked',
  429: 'rate_limited',
};

/** Decides the outcome of an act that a rule saw. */
export function judge(evidence: Evidence): Verdict {
  const { ending, statusCode, action } = evidence;
  if (ending === 'aborted') return { status: 'error', reason: 'client_aborted' };
  if (ending === 'abandoned') return { status: 'error', reason: 'no_response' };
  if (statusCode >= 500) return { status: 'error', reason: 'internal' };
  if (statusCode >= 400) return { status: 'failure', reason: reasonOf(statusCode, action) };
  if (statusCode >= 300) return { status: isDone(evidence) ? 'success' : 'failure', reason: 'redirected' };
  return { status: 'success', reason: null };
}

/** The reason of a refusal, by its status. */
export function reasonOf(statusCode: number, action: string): string {
  if (statusCode === 401 && action === 'auth.login') return 'invalid_credentials';
  return REASONS[statusCode] ?? 'rejected';
}

/** A form login redirects when it worked and when it did not. */
function isDone({ action, hasAuthenticationChanged }: Evidence): boolean {
  return (action !== 'auth.login' && action !== 'auth.logout') || hasAuthenticationChanged;
}

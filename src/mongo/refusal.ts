/** How the append-only guard says no: one error, told once to those who want to know. It must not know what is guarded, nor where. */
import { AppendOnlyError } from '../errors.js';

/** Hears of a refusal, once each. What it throws or rejects with is swallowed: it must not turn a refusal into another error. */
export type OnViolation = (violation: { operation: string; collection: string }) => void;

/** What a gate asks before it lets a call through, from the point of view of one connection. */
export interface Guard {
  /** The refusal, told, when the collection is append-only; `database` is the connection's own unless it is named. */
  refusal(operation: string, collection: string, database?: string): Error | undefined;
  /** The refusal, told, when the connection's database holds an append-only collection. */
  databaseRefusal(operation: string): Error | undefined;
}

/** Tells each listener once and returns the error to throw or to reject with. */
export function refuse(operation: string, collection: string, listeners: Iterable<OnViolation>): AppendOnlyError {
  for (const listener of new Set(listeners)) tell(listener, { operation, collection });
  return new AppendOnlyError(operation, collection);
}

function tell(listener: OnViolation, violation: { operation: string; collection: string }): void {
  try {
    // An async function passes for one that returns nothing: its rejection would end the process.
    const answer: unknown = listener(violation);
    void Promise.resolve(answer).catch(() => undefined);
  } catch {
    // See OnViolation.
  }
}

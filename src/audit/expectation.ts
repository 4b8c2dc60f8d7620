/** The promise of `record()`, and the two ways to settle it. It knows no event's content. */
import { AsyncResource } from 'node:async_hooks';
import type { AuditEvent } from '../event.js';

/** How a caller hears of the event. */
export interface Settle {
  /** It is durable. */
  readonly resolve: (event: AuditEvent) => void;
  /** It is not, or not yet. */
  readonly reject: (error: Error) => void;
}

/** A promise remembers the AsyncLocalStorage of the code that made it: an event that waits would keep its request, ten times its own size. */
const outsideOfRequests = new AsyncResource('express-strongroom');

/** Makes the promise; a rejection that nobody awaits is not an unhandled one. */
export function expectRecorded(): { recorded: Promise<AuditEvent>; settle: Settle } {
  return outsideOfRequests.runInAsyncScope(expect);
}

function expect(): { recorded: Promise<AuditEvent>; settle: Settle } {
  let settle: Settle | undefined;
  const recorded = new Promise<AuditEvent>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Auto-logging and careless callers do not await: a rejection must not end the process.
  recorded.catch(ignore);
  return { recorded, settle: settle as unknown as Settle };
}

function ignore(): void {}

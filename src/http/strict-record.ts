/** Tells a request of each strict event that is recorded in it, whoever records it. It changes no draft. */
import type { ScopeStorage } from '../audit/context.js';
import type { RecordDraft } from '../audit/recording.js';
import type { IsStrict } from '../audit/strict-actions.js';
import { readMember } from './attempt.js';
import { HttpContext } from './context.js';

/** Where the request is found, and which actions are strict; null: none. */
export interface StrictRecordParts {
  readonly scopes: ScopeStorage;
  readonly isStrict: IsStrict | null;
}

/** Records as before; the answer to the request waits for what is strict, also for a draft that is refused. */
export function createStrictRecord(record: RecordDraft, { scopes, isStrict }: StrictRecordParts): RecordDraft {
  if (isStrict === null) return record;
  return function recordAndHold(draft, origin) {
    const durable = record(draft, origin);
    const action = readMember(draft, 'action');
    const request = origin.request === undefined ? scopes.getStore()?.request : origin.request;
    if (request instanceof HttpContext && typeof action === 'string' && isStrict(action)) {
      request.strict?.recorded(durable);
    }
    return durable;
  };
}

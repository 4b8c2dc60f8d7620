/** The event `audit.prune` and its seal: what was let go stands in the trail itself, in a stream of its own. It knows no database. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { eventId } from '../evidence/entry.js';
import { linePreimage } from '../evidence/line.js';
import { hashPreimage, rootOf } from '../evidence/tree.js';
import type { AuditEvent } from '../event.js';
import type { Ledger } from './ledger.js';

/** What leaving a trace works with. */
export interface PruneTraceParts {
  readonly ledger: Ledger;
  /** A stream that has no event yet. */
  readonly by: string;
  /** Stores an event, durably. */
  readonly insert: (event: AuditEvent) => Promise<void>;
  /** The clock, ms since 1970. */
  readonly now: () => number;
}

/** What was let go. */
export interface Pruned {
  /** Events before this time, as far as segments allow. */
  readonly before: Date;
  /** The last entry of the ledger that it reaches. */
  readonly through: number;
  /** How many events were deleted. */
  readonly deleted: number;
}

/** Stores the event in the stream, which is in the ledger before it and is closed after it. */
export async function leaveTrace({ ledger, by, insert, now }: PruneTraceParts, pruned: Pruned): Promise<void> {
  const event = composeEvent(by, new Date(now()), pruned);
  await ledger.append(() => ({ draft: { kind: 'open', by, stream: by, host: hostname(), app: null } }));
  await insert(event);
  const leaves = hashPreimage(linePreimage({ ...event }));
  const root = rootOf(leaves).toString('base64');
  const draft = { kind: 'close', by, stream: by, from: 0, count: 1, root } as const;
  await ledger.append(() => ({ draft, leaves, newestAt: event.at }));
}

function composeEvent(stream: string, at: Date, { before, through, deleted }: Pruned): AuditEvent {
  return {
    _id: eventId(stream, 0),
    v: 1,
    at,
    app: null,
    tenantId: null,
    actorId: null,
    actorRole: 'SYSTEM',
    onBehalfOf: null,
    action: 'audit.prune',
    target: 'audit',
    targetId: null,
    status: 'success',
    reason: null,
    ipAddress: null,
    userAgent: null,
    requestId: null,
    source: 'system',
    http: null,
    meta: { before: before.toISOString(), deleted, through },
    salt: randomBytes(16).toString('base64url'),
  };
}

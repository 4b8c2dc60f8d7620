/** The public trail: recording, reading, figures, and the model. It composes what `audit/` offers and adds mongoose's side. */
import type { Model } from 'mongoose';
import type { ScopeStorage } from '../audit/context.js';
import type { LedgerStore } from '../audit/ledger-store.js';
import { proveEvent } from '../audit/proving.js';
import {
  type AuditFilter,
  type AuditGrouping,
  type AuditQuery,
  readFilter,
  readGrouping,
  readQuery,
  writeCursor,
} from '../audit/query.js';
import type { Recorder } from '../audit/recorder.js';
import { type AuditRecorder, createAuditRecorder, type RecordDraft } from '../audit/recording.js';
import { readRunAsActor } from '../audit/run-as.js';
import type { Sealer } from '../audit/sealer.js';
import type { AuditStats } from '../audit/stats.js';
import type { AuditGroup, AuditStore, StoreFilter } from '../audit/store.js';
import { QueryError } from '../errors.js';
import type { VerifyReport } from '../evidence/report.js';
import type { Actor, AuditEvent } from '../event.js';
import type { VerifyOptions } from './verification.js';

/** The proof that the trail is as it was recorded. */
export interface Evidence {
  /**
   * Seals what is durable now, instead of within a second: for tests, serverless, shut-down. Nothing to do is fine, also with `evidence: false`.
   * @throws LEDGER_ALARM when the ledger is not as this process left it; AUDIT_KEY_MISSING; AUDIT_UNAVAILABLE when database or signer give no
   * answer, after `audit.timeout` at the latest; AUDIT_WRITE_FAILED when MongoDB refuses the entry
   */
  seal(): Promise<void>;
  /**
   * Verifies the whole trail against the ledger, and the ledger against keys and anchors. What is wrong stands in the report; a rejection means that
   * nothing can be said. Writes nothing; the app may go on meanwhile.
   * @throws OPTIONS_INVALID without keys, or for a malformed key or state; AUDIT_UNAVAILABLE when the database cannot be read
   */
  verify(o: VerifyOptions): Promise<VerifyReport>;
  /**
   * The text of a `.tlog-proof` for one event, to be checked offline by `strongroom check-proof` or any implementation of its parts.
   * @throws QUERY_INVALID for an unknown `_id` or an event that is not sealed yet; LEDGER_ALARM when the event is not the one that was sealed
   * @see https://c2sp.org/tlog-proof
   */
  prove(id: string): Promise<string>;
}

/** The audit trail: recording, reading and figures. Recording takes the current request's context by itself. */
export interface AuditTrail extends AuditRecorder, Evidence {
  /** One page of events, newest first; `next` is the cursor of the page after, null on the last. @throws QUERY_INVALID, QUERY_TIMEOUT, AUDIT_UNAVAILABLE */
  find(query?: AuditQuery): Promise<{ events: AuditEvent[]; next: string | null }>;
  /** How many events; exact. @throws QUERY_INVALID, QUERY_TIMEOUT, AUDIT_UNAVAILABLE */
  count(query?: AuditFilter): Promise<number>;
  /** Counts by group, largest first; intervals in UTC. @throws QUERY_INVALID, QUERY_TIMEOUT, AUDIT_UNAVAILABLE */
  aggregate(o: AuditGrouping): Promise<AuditGroup[]>;
  /** All events of a filter, newest first, fetched a page at a time. Events recorded meanwhile are not among them. */
  stream(query?: AuditFilter): AsyncIterable<AuditEvent>;
  /**
   * Runs work in the name of an actor: what it records, also later and in what it awaits, is attributed to them. Gives what the work gives; a
   * query of mongoose, which waits for its `then`, is run at once and given as a promise.
   */
  runAs<T>(actor: Actor, work: () => T): T;
  /** Resolves when everything recorded so far is durable, that of finished requests included; after `audit.timeout` what is in the spool is enough, else it rejects with AUDIT_UNAVAILABLE. */
  flush(): Promise<void>;
  /** Figures for health checks and dashboards. */
  stats(): AuditStats;
  /** The mongoose model, for reading; every update and delete is refused. @throws OPTIONS_INVALID with `audit: false` */
  readonly model: Model<AuditEvent>;
}

/** What the trail is made of. */
export interface TrailParts {
  readonly recorder: Recorder;
  /** Takes drafts on their way into the recorder. */
  readonly record: RecordDraft;
  readonly store: AuditStore;
  readonly scopes: ScopeStorage;
  /** Null: nothing is sealed. */
  readonly sealer: Sealer | null;
  /** Null with `audit: false`. */
  readonly ledger: LedgerStore | null;
  readonly verify: Evidence['verify'];
  readonly readModel: () => Model<AuditEvent>;
  /** Hands over what finished requests and witnesses still have to say. */
  readonly settleActs: () => Promise<unknown>;
}

const STREAM_PAGE = 1000;

/** Creates the trail of one instance. */
export function createTrail(parts: TrailParts): AuditTrail {
  const { recorder, record, store, scopes } = parts;

  async function find(query?: AuditQuery): Promise<{ events: AuditEvent[]; next: string | null }> {
    const page = readQuery(query);
    const found = await store.find({ ...page, limit: page.limit + 1 });
    const events = found.slice(0, page.limit);
    const last = events.at(-1);
    const isMore = found.length > page.limit && last !== undefined;
    return { events, next: isMore ? writeCursor({ at: last.at, id: last._id }, page) : null };
  }

  async function* walk(filter: StoreFilter): AsyncGenerator<AuditEvent, void, undefined> {
    // Pages instead of one long cursor: a slow reader or a failover does not end the walk.
    let page = await store.find({ ...filter, limit: STREAM_PAGE });
    while (page.length > 0) {
      yield* page;
      const last = page.at(-1) as AuditEvent;
      if (page.length < STREAM_PAGE) return;
      page = await store.find({ ...filter, limit: STREAM_PAGE, after: { at: last.at, id: last._id } });
    }
  }

  const trail: Omit<AuditTrail, 'model'> = {
    ...createAuditRecorder((draft, hints) => record(draft, { source: 'api', ...hints })),
    find,
    count: async (query: AuditFilter = {}) => store.count(readFilter(query)),
    aggregate: async (o: AuditGrouping) => store.aggregate(readGrouping(o)),
    stream: (query: AuditFilter = {}) => walk(readFilter(query)),
    runAs: <T>(actor: Actor, work: () => T): T => {
      const request = scopes.getStore()?.request ?? null;
      return scopes.run({ request, actor: readRunAsActor(actor) }, () => runNow(work()));
    },
    async flush() {
      await parts.settleActs();
      await recorder.flush();
    },
    stats: () => recorder.stats(),
    ...createEvidence(parts),
  };
  // Not enumerable: a dump of the trail must neither show a connection nor fail where there is none.
  return Object.freeze(Object.defineProperty(trail as AuditTrail, 'model', { get: parts.readModel }));
}

function createEvidence({ sealer, ledger, verify }: TrailParts): Evidence {
  return {
    seal: async () => sealer?.seal(),
    verify,
    async prove(id) {
      if (ledger === null) throw new QueryError('QUERY_INVALID', 'prove: with audit false there are no events');
      return proveEvent(ledger, id);
    },
  };
}

/** A query that is awaited outside would run outside, in nobody's name. */
function runNow<T>(answer: T): T {
  const isWaiting =
    typeof answer === 'object' &&
    typeof (answer as { then?: unknown } | null)?.then === 'function' &&
    !(answer instanceof Promise);
  return isWaiting ? (Promise.resolve(answer) as T) : answer;
}

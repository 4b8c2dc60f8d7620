/** How a witness outside HTTP tells what it saw: in whose name, and into the request or straight into the trail. It knows no database. */
import type { AuditDraft, AuditEvent } from '../event.js';
import type { RequestContext, ScopeStorage } from './context.js';
import type { RecordDraft } from './recording.js';
import type { Witness } from './sightings.js';

/** Where an act took place, kept from its beginning: by its end the code around it may have moved on. */
export interface Standpoint {
  /** The request, when there is one. */
  readonly request: RequestContext | null;
  /** Who did it, as a draft says it; empty where that is known only at the end of the request. */
  readonly who: Pick<AuditDraft, 'actorId' | 'actorRole' | 'onBehalfOf' | 'tenantId'>;
}

/** One kind of witness. */
export interface WitnessStand {
  /** The standpoint of the code that runs now: the actor of `runAs`, else the request's with the role from before, else the system. */
  stand(): Standpoint;
  /** Tells acts. Never throws, never waits; what is not told at once is drawn from the drafts later, a batch after the other is durable. */
  tell(standpoint: Standpoint, drafts: Iterable<AuditDraft>): void;
  /** Lets `settle` wait for work that will still tell something. Its failure is swallowed. */
  follow(work: Promise<unknown>): void;
  /** Counts and tells acts of which nothing more is known than that they may have happened. */
  lose(reason: string, count?: number): void;
  /** Resolves when everything told so far was handed to the recorder, at the latest after this time. */
  settle(timeoutMs: number): Promise<void>;
  /** As `settle`; what is not handed over by then counts as lost. */
  close(timeoutMs: number): Promise<void>;
}

/** What a witness works with. */
export interface WitnessParts {
  readonly source: Witness;
  readonly record: RecordDraft;
  readonly scopes: ScopeStorage;
  /** Counts acts that cannot be recorded. */
  readonly lose: (reason: string, count?: number) => void;
}

/** Events that are on their way at the same time for one act; one write of the trail takes about as many. */
const BATCH = 1000;

/** Creates a witness of one room. */
export function createWitness({ source, record, scopes, lose }: WitnessParts): WitnessStand {
  const working = new Set<Promise<unknown>>();
  let isClosed = false;

  function follow(work: Promise<unknown>): void {
    const done: Promise<unknown> = work.catch(() => undefined).finally(() => working.delete(done));
    working.add(done);
  }

  async function deliver({ request, who }: Standpoint, drafts: Iterable<AuditDraft>): Promise<void> {
    let sent: Promise<AuditEvent>[] = [];
    let left = 0;
    for (const seen of drafts) {
      const draft = { ...who, ...seen };
      if (request?.sightings.add({ source, draft }) === true) continue;
      if (isClosed) left += 1;
      else sent.push(record(draft, { source, request }));
      if (sent.length < BATCH) continue;
      await Promise.allSettled(sent);
      sent = [];
    }
    if (left > 0) lose('closed', left);
  }

  async function settle(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (working.size > 0 && performance.now() < deadline) {
      await atMost(deadline - performance.now(), Promise.all(working));
    }
  }

  return {
    stand: () => standpointOf(scopes),
    tell: (standpoint, drafts) => follow(deliver(standpoint, drafts)),
    follow,
    lose,
    settle,
    async close(timeoutMs) {
      await settle(timeoutMs);
      isClosed = true;
    },
  };
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function standpointOf(scopes: ScopeStorage): Standpoint {
  const { request = null, actor: runAs = null } = scopes.getStore() ?? {};
  const actor = runAs ?? request?.actorBefore() ?? null;
  if (actor === null) return { request, who: request === null ? { actorId: null, actorRole: 'SYSTEM' } : {} };
  const { id, role = id === null ? 'SYSTEM' : 'USER', onBehalfOf = null, tenantId } = actor;
  return { request, who: { actorId: id, actorRole: role, onBehalfOf, tenantId } };
}

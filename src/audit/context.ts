/** Who and what is behind the code that runs now: the request, and the actor of `runAs`, carried by AsyncLocalStorage. It knows no Express. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Actor, AuditHttp } from '../event.js';
import type { Sightings } from './sightings.js';

/** One request as the audit side sees it. "The same request" means this object, never an id that a client sent. */
export interface RequestContext {
  /** Label of the request. */
  readonly requestId: string;
  /** The client's IP address, validated; null when there is none. */
  readonly ipAddress: string | null;
  /** The client's user agent, untrusted, at most 255 characters. */
  readonly userAgent: string | null;
  /** What was seen in this request so far. */
  readonly sightings: Sightings;
  /** The HTTP side as it is now; the status is null until the response is finished. */
  http(): AuditHttp;
  /** Who is there now, else who was there before; null when nobody is known. Never throws. */
  actor(): Actor | null;
  /** Who acts, with the role from before the act: whoever promotes themselves did it with the old role. Never throws. */
  actorBefore(): Actor | null;
  /** The tenant by the option `audit.tenant`, read now; null without it. Never throws. */
  tenantId(): string | null;
}

/** What AsyncLocalStorage carries. */
export interface Scope {
  /** The request, when there is one. */
  readonly request: RequestContext | null;
  /** The actor of the innermost `runAs`; it beats the request's. */
  readonly actor: Actor | null;
}

/** One room's scope, and around it those of other rooms that handle the same work. */
interface Carried {
  readonly owner: ScopeStorage;
  readonly scope: Scope;
  readonly outer: Carried | undefined;
}

/**
 * One for the process: on Node 20 every promise pays, in time and memory, for every storage that was ever used, and a process may make a
 * room for each of its tests.
 */
const carried = new AsyncLocalStorage<Carried>();

/** Carries the scope of one room; each room has its own, so that two rooms in one process do not mix. */
export class ScopeStorage {
  /** Runs work, and whatever it starts, in a scope of this room. Gives what the work gives. */
  run<Result>(scope: Scope, work: () => Result): Result {
    return carried.run({ owner: this, scope, outer: this.#others(carried.getStore()) }, work);
  }

  /** The scope of the code that runs now; undefined outside any. */
  getStore(): Scope | undefined {
    for (let at = carried.getStore(); at !== undefined; at = at.outer) if (at.owner === this) return at.scope;
    return undefined;
  }

  /** The scopes of other rooms; those of this one go, or a job that starts itself again would carry an ever longer chain. */
  #others(at: Carried | undefined): Carried | undefined {
    if (at === undefined) return undefined;
    const outer = this.#others(at.outer);
    if (at.owner === this) return outer;
    return outer === at.outer ? at : { ...at, outer };
  }
}

/** Creates the scope storage of a room. */
export function createScopeStorage(): ScopeStorage {
  return new ScopeStorage();
}

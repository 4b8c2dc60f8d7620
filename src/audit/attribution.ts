/** Decides who did it: the draft, else the actor of `runAs`, else the request's; and what follows from nobody. */
import type { Actor } from '../event.js';
import type { RequestContext } from './context.js';
import type { DraftSnapshot } from './draft.js';

/** Who did it, in the event's words. */
export interface Attribution {
  actorId: string | null;
  actorRole: string;
  onBehalfOf: string | null;
  tenantId: string | null;
}

/** Where attribution looks after the draft itself. */
export interface Surroundings {
  /** The request, when there is one. */
  readonly request: RequestContext | null;
  /** The actor of `runAs`, when there is one. */
  readonly runAs: Actor | null;
}

/** Resolves the actor of a draft. */
export function attribute(draft: DraftSnapshot, around: Surroundings): Attribution {
  const there = around.runAs ?? around.request?.actor() ?? null;
  const tenantId = draft.tenantId ?? there?.tenantId ?? around.request?.tenantId() ?? null;
  const onBehalfOf = draft.onBehalfOf === undefined ? (there?.onBehalfOf ?? null) : draft.onBehalfOf;
  // A failed login proves nobody: whoever is in the session did not become this user.
  if (draft.action === 'auth.login' && draft.status !== 'success') {
    return { actorId: null, actorRole: 'USER', onBehalfOf: null, tenantId };
  }
  const actorId = draft.actorId === undefined ? (there?.id ?? null) : draft.actorId;
  const knownRole = actorId !== null && actorId === there?.id ? there.role : undefined;
  const noRole = actorId === null && around.request === null ? 'SYSTEM' : 'USER';
  return { actorId, actorRole: draft.actorRole ?? knownRole ?? noRole, onBehalfOf, tenantId };
}

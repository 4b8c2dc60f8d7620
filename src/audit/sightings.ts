/** What was seen in one request, merged so that one act gives one event. It knows no request, and records nothing itself. */
import type { AuditDraft, AuditSource } from '../event.js';

/** What can see an act besides the app itself. */
export type Witness = Extract<AuditSource, 'mongoose' | 'passport' | 'integration' | 'route'>;

/** One act as one witness saw it. It waits for the end of its request. */
export interface Sighting {
  /** What saw it. */
  readonly source: Witness;
  /** The act in the words of an event. */
  readonly draft: AuditDraft;
}

/** What was seen in one request so far. */
export interface Sightings {
  /**
   * Notes what the app recorded itself. It suppresses every other sighting of the same act: of the route whatever its target, of the others
   * where target and id agree. What is left out or null says nothing and so agrees with everything.
   */
  noteExplicit(action: string, target: string | undefined, targetId: string | null | undefined): void;
  /** Adds what a witness saw. False: the request is over, or holds enough already; the witness records it itself, at once. */
  add(sighting: Sighting): boolean;
  /** The acts that are still to be recorded, each once, the most trusted first; nothing is left behind. */
  settle(): Sighting[];
}

/** Who is believed when two saw the same act. */
const TRUST: Readonly<Record<Witness, number>> = { mongoose: 4, passport: 3, integration: 2, route: 1 };

/** Ids that are told apart for one action of one request; beyond it every id counts as recorded, so that an import cannot fill the memory. */
const MAX_EXPLICIT_IDS = 1000;

/** Sightings that one request holds until its end: a migration that runs in a request must not fill the memory. */
const MAX_SIGHTINGS = 1000;

interface ExplicitAct {
  readonly target: string | undefined;
  readonly targetId: string | undefined;
}

/** Creates the sightings of one request; `onAdd` is told the action of each that was added. */
export function createSightings(onAdd: (action: string) => void = ignore): Sightings {
  return new RequestSightings(onAdd);
}

function ignore(): void {}

/** A class, since one is made for every request and most stay empty. */
class RequestSightings implements Sightings {
  #explicit: Map<string, Map<string, ExplicitAct>> | null = null;
  #seen: Sighting[] | null = null;
  #isSettled = false;
  readonly #onAdd: (action: string) => void;

  constructor(onAdd: (action: string) => void) {
    this.#onAdd = onAdd;
  }

  noteExplicit(action: string, target: string | undefined, targetId: string | null | undefined): void {
    this.#explicit ??= new Map();
    const acts = this.#explicit.get(action) ?? new Map<string, ExplicitAct>();
    this.#explicit.set(action, acts);
    const act =
      acts.size < MAX_EXPLICIT_IDS ? { target: saidTarget(target), targetId: targetId ?? undefined } : ANY_ACT;
    acts.set(JSON.stringify([act.target, act.targetId]), act);
  }

  add(sighting: Sighting): boolean {
    this.#seen ??= [];
    // The route's own comes last and is one: there is always room for it.
    const isFull = this.#seen.length >= MAX_SIGHTINGS && sighting.source !== 'route';
    if (this.#isSettled || isFull) return false;
    this.#seen.push(sighting);
    this.#onAdd(sighting.draft.action);
    return true;
  }

  settle(): Sighting[] {
    this.#isSettled = true;
    if (this.#seen === null) return [];
    const open = this.#seen.filter((sighting) => !this.#isExplicit(sighting));
    this.#seen = null;
    return merge(open.sort((one, other) => TRUST[other.source] - TRUST[one.source]));
  }

  #isExplicit({ source, draft }: Sighting): boolean {
    const acts = this.#explicit?.get(draft.action);
    if (acts === undefined) return false;
    return source === 'route' || [...acts.values()].some((act) => agree(act, draft));
  }
}

const ANY_ACT: ExplicitAct = { target: undefined, targetId: undefined };

/** `system` is what a draft without a target gets: it says nothing of what was acted on. */
function saidTarget(target: string | undefined): string | undefined {
  return target === 'system' ? undefined : target;
}

/** Merges sightings that are ordered by trust. */
function merge(ordered: readonly Sighting[]): Sighting[] {
  const acts: Sighting[] = [];
  for (const sighting of ordered) {
    const same = acts.filter((act) => isSameAct(act, sighting));
    if (same.length === 0) acts.push(sighting);
    for (const act of same) acts[acts.indexOf(act)] = { source: act.source, draft: fill(act, sighting.draft) };
  }
  return acts;
}

function isSameAct(act: Sighting, weaker: Sighting): boolean {
  if (act.draft.action !== weaker.draft.action) return false;
  // The data layer tells what really changed: two changes of one user are two acts.
  if (weaker.source === 'mongoose') return false;
  // The route may name the user as the URL does (`/users/alice/role`), the others by id: the text proves nothing.
  return weaker.source === 'route' ? act.source !== 'route' : agree(act.draft, weaker.draft);
}

function agree(one: Pick<AuditDraft, 'target' | 'targetId'>, other: Pick<AuditDraft, 'target' | 'targetId'>): boolean {
  return isCompatible(one.target, other.target) && isCompatible(one.targetId, other.targetId);
}

function isCompatible(one: string | null | undefined, other: string | null | undefined): boolean {
  return one === other || isEmpty(one) || isEmpty(other);
}

function isEmpty(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

const ACTOR_MEMBERS = ['actorId', 'actorRole', 'onBehalfOf'];

/**
 * Fills what the trusted draft leaves empty. A reason belongs to its status and a role to its actor: taken only where both agree. The data
 * layer that names an actor's role names all of the actor, also that there is nobody.
 */
function fill({ source, draft: trusted }: Sighting, other: AuditDraft): AuditDraft {
  const filled: Record<string, unknown> = { ...trusted };
  const isAttributed = source === 'mongoose' && trusted.actorRole !== undefined;
  for (const [key, value] of Object.entries(other)) {
    if (isAttributed && ACTOR_MEMBERS.includes(key)) continue;
    if (key === 'reason' && other.status !== trusted.status) continue;
    if (key === 'actorRole' && !isCompatible(other.actorId, trusted.actorId)) continue;
    if (isEmpty(filled[key])) filled[key] = value;
  }
  return filled as unknown as AuditDraft;
}

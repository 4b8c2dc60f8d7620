/** States of many documents before and after a write, grouped, so that a hundred thousand users with few roles are a few bytes each. It reads nothing. */
import type { AuditDraft } from '../event.js';
import { IdList, idKey } from './role-changes-ids.js';
import type { SeenRoles } from './role-changes-reads.js';
import { differences, type RolesByPath, textOf, type Watched } from './role-changes-values.js';

/** How a change is told. */
export interface RoleWatch extends Watched {
  readonly action: string;
  readonly target: string;
}

/** Documents with the same roles. */
interface Group {
  readonly roles: RolesByPath;
  readonly ids: IdList;
}

/** What was there before a write. */
export class RolesBefore {
  readonly #groups = new Map<string, Group>();

  /** One document, or none. */
  static of(seen: SeenRoles | undefined): RolesBefore {
    const before = new RolesBefore();
    if (seen !== undefined) before.add(seen);
    return before;
  }

  /** Whether nothing was there. */
  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** Notes a document. */
  add({ id, roles }: SeenRoles): void {
    const key = JSON.stringify(roles);
    const group = this.#groups.get(key) ?? { roles, ids: new IdList() };
    this.#groups.set(key, group);
    group.ids.add(id);
  }

  /** Ids that had the same roles, so many at a time. */
  *batches(size: number): Generator<{ roles: RolesByPath; ids: unknown[] }, void, undefined> {
    for (const { roles, ids } of this.#groups.values()) {
      for (const batch of ids.batches(size)) yield { roles, ids: batch };
    }
  }
}

/** One document whose roles are others now. */
export interface RoleMove {
  readonly id: unknown;
  readonly before: RolesByPath;
  readonly after: RolesByPath;
}

interface MovedGroup {
  readonly before: RolesByPath;
  readonly after: RolesByPath;
  readonly ids: IdList;
}

/** What a write changed. */
export class RoleMoves implements Iterable<RoleMove> {
  readonly #groups = new Map<string, MovedGroup>();

  /** Whether nothing changed. */
  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** How many documents changed. */
  get size(): number {
    return [...this.#groups.values()].reduce((sum, { ids }) => sum + ids.size, 0);
  }

  /** The same without documents with these keys. */
  without(keys: ReadonlySet<string>): RoleMoves {
    const moves = new RoleMoves();
    for (const move of this) if (!keys.has(idKey(move.id))) moves.add(move);
    return moves;
  }

  /** Notes a document; one that is as it was is left out. */
  add({ id, before, after }: RoleMove): void {
    const [from, to] = [JSON.stringify(before), JSON.stringify(after)];
    if (from === to) return;
    const group = this.#groups.get(from + to) ?? { before, after, ids: new IdList() };
    this.#groups.set(from + to, group);
    group.ids.add(id);
  }

  *[Symbol.iterator](): Generator<RoleMove, void, undefined> {
    for (const { before, after, ids } of this.#groups.values()) {
      for (const id of ids) yield { id, before, after };
    }
  }
}

/** The events of some changes, made one at a time. */
export function* draftsOf(moves: Iterable<RoleMove>, watch: RoleWatch): Generator<AuditDraft, void, undefined> {
  const at = new Date();
  for (const { id, before, after } of moves) {
    for (const { path, oldRole, newRole } of differences(before, after, watch)) {
      const meta = { oldRole, newRole, ...(path !== null && { path }) };
      yield { action: watch.action, target: watch.target, targetId: textOf(id), status: 'success', at, meta };
    }
  }
}

/** Several writes of one transaction as the one that others see: the first state against the last. */
export function netMoves(writes: readonly Iterable<RoleMove>[]): Iterable<RoleMove> {
  const [only] = writes;
  if (only === undefined || writes.length === 1) return only ?? [];
  const byId = new Map<string, RoleMove>();
  for (const moves of writes) {
    for (const move of moves) {
      const key = idKey(move.id);
      byId.set(key, { ...move, before: byId.get(key)?.before ?? move.before });
    }
  }
  return byId.values();
}

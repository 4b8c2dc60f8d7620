/** Roles as values: read from a document, compared as sets, written as text. Pure; it knows no collection. */
import { canonicalText } from '../evidence/line.js';
import { normalise } from '../evidence/normalise.js';
import { readId } from '../audit/identity.js';
import { isRecord } from '../settings.js';

/** The roles at one path: sorted, each once; empty when there is none. A single role is a set of one. */
type Roles = readonly string[];

/** The roles of one document, in the order of the watched paths. */
export type RolesByPath = readonly Roles[];

/** What changed in one document; `path` is null where an event does not name it. */
export interface RoleDifference {
  readonly path: string | null;
  readonly oldRole: string | null;
  readonly newRole: string | null;
}

/** What is watched, and how it is told. */
export interface Watched {
  /** Dotted paths, at least one. */
  readonly paths: readonly string[];
  /** Whether each path that changed gives an event that names it; else one event tells of the user. */
  readonly isNamed: boolean;
}

/** Reads the roles at each path. */
export function readRoles(document: unknown, paths: readonly string[]): RolesByPath {
  return paths.map((path) => {
    const texts = valuesAt(document, path.split('.')).map(textOf);
    return [...new Set(texts)].toSorted(byText);
  });
}

/** What differs between two states of a document, in words; empty when nothing does. */
export function differences(before: RolesByPath, after: RolesByPath, { paths, isNamed }: Watched): RoleDifference[] {
  const changed = paths
    .map((path, index) => ({ path, old: before[index] ?? [], new: after[index] ?? [] }))
    .filter((one) => joined(one.old) !== joined(one.new));
  if (changed.length === 0) return [];
  if (isNamed) return changed.map((one) => ({ path: one.path, oldRole: joined(one.old), newRole: joined(one.new) }));
  if (isMove(changed)) return [];
  const oldRole = joined(union(changed.map((one) => one.old)));
  const newRole = joined(union(changed.map((one) => one.new)));
  return [{ path: null, oldRole, newRole }];
}

/**
 * Whether roles only moved to a path that was empty, as by `$rename`. Where two paths exchange roles all stay, and yet who is judged by one of
 * them is somebody else.
 */
function isMove(changed: readonly { readonly old: Roles; readonly new: Roles }[]): boolean {
  const from = changed.find((one) => one.new.length === 0);
  const to = changed.find((one) => one.old.length === 0);
  if (changed.length !== 2 || from === undefined || to === undefined) return false;
  return joined(from.old) === joined(to.new);
}

function joined(roles: Roles): string | null {
  return roles.length === 0 ? null : roles.join(',');
}

function union(sets: readonly Roles[]): Roles {
  return [...new Set(sets.flat())].toSorted(byText);
}

/** By code unit, the same in every locale. */
function byText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

/** All values at a path, arrays on the way and at the end opened. */
function valuesAt(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path));
  const [name, ...rest] = path;
  if (name === undefined) return value === undefined || value === null ? [] : [value];
  return isRecord(value) && Object.hasOwn(value, name) ? valuesAt(value[name], rest) : [];
}

/** A text as it is, an id and anything else that is written as a text (a date, a Decimal128) as that, the rest as canonical JSON. */
export function textOf(value: unknown): string {
  const id = readId(value);
  if (id !== undefined) return id;
  const canonical = normalise(value);
  return typeof canonical === 'string' ? canonical : canonicalText(canonical);
}

/** The trail's indexes: which there are, each for a question people ask, and building those that are missing. */
import type { Connection } from 'mongoose';
import { codeOf, SERVER_CODES } from './server-error.js';

type Db = NonNullable<Connection['db']>;

/** What became of the indexes; unknown when this user may not look. */
export type IndexState = 'ok' | 'created' | 'missing' | 'unknown';

/** Fields that lead an index; all go on with `at` and `_id`, descending. */
const LEADING_FIELDS = ['actorId', 'action', 'targetId', 'target', 'status'] as const;

/** Names of the fields whose equality an index serves. */
export function indexedFields(tenant: boolean): readonly string[] {
  return tenant ? [...LEADING_FIELDS, 'tenantId'] : LEADING_FIELDS;
}

/** Key of the index by time alone, or by a field and time. */
export function indexKey(field?: string): Record<string, 1 | -1> {
  return field === undefined ? { at: -1, _id: -1 } : { [field]: 1, at: -1, _id: -1 };
}

/** Keys of all indexes of the trail. */
export function trailKeys(tenant: boolean): Record<string, 1 | -1>[] {
  return [undefined, ...indexedFields(tenant)].map(indexKey);
}

/** Keys of the ledger's indexes: the entries of a stream, last segment first, and which streams were opened and closed. */
export const LEDGER_KEYS: readonly Readonly<Record<string, 1 | -1>>[] = [
  { stream: 1, from: -1, _id: -1 },
  { kind: 1, stream: 1 },
];

/** Looks for the indexes and builds what is missing, where this user may. Rejects when the server cannot be reached. */
export async function ensureIndexes(db: Db, collection: string, tenant: boolean): Promise<IndexState> {
  const wanted = trailKeys(tenant);
  const existing = await listKeys(db, collection);
  if (existing === undefined) return 'unknown';
  const missing = wanted.filter((key) => !existing.has(JSON.stringify(key)));
  if (missing.length === 0) return 'ok';
  try {
    const indexes = missing.map((key) => ({ key, name: nameOf(key) }));
    await db.command({ createIndexes: collection, indexes });
    return 'created';
  } catch (error) {
    if (codeOf(error) === SERVER_CODES.unauthorized) return 'missing';
    throw error;
  }
}

async function listKeys(db: Db, collection: string): Promise<Set<string> | undefined> {
  try {
    const indexes = await db.collection(collection).listIndexes().toArray();
    return new Set(indexes.map(({ key }) => JSON.stringify(key)));
  } catch (error) {
    if (codeOf(error) === SERVER_CODES.namespaceNotFound) return new Set();
    if (codeOf(error) === SERVER_CODES.unauthorized) return undefined;
    throw error;
  }
}

/** The name that the server's own tools would give. */
export function nameOf(key: Readonly<Record<string, 1 | -1>>): string {
  return Object.entries(key)
    .map(([field, direction]) => `${field}_${direction}`)
    .join('_');
}

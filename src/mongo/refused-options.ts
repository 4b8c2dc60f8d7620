/** The options of indexes and collections that would delete documents or refuse inserts: deletions in waiting. It must not know who sets them. */
import { isRecord } from '../settings.js';

const OF_INDEXES: readonly string[] = ['expireAfterSeconds', 'expires', 'unique', 'prepareUnique'];
/** `viewOn` makes something else of the collection's name. */
const OF_COLLECTIONS: readonly string[] = ['capped', 'timeseries', 'expireAfterSeconds', 'expires', 'viewOn'];

/** The first option of an index that makes it delete or refuse documents. */
export function refusedIndexOption(options: unknown): string | undefined {
  return firstSet(OF_INDEXES, options);
}

/** The first option of a collection that makes it delete documents by itself. */
export function refusedCollectionOption(options: unknown): string | undefined {
  return firstSet(OF_COLLECTIONS, options);
}

function firstSet(names: readonly string[], options: unknown): string | undefined {
  return isRecord(options) ? names.find((name) => isSet(options[name])) : undefined;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false;
}

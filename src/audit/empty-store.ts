/** The store of a trail that is switched off: it takes everything and keeps nothing. */
import type { AuditStore } from './store.js';

/** For `audit: false`: drafts are still checked, reads are empty. */
export function createEmptyStore(): AuditStore {
  return {
    insert: () => Promise.resolve({ kind: 'stored' }),
    readBack: () => Promise.resolve([]),
    find: () => Promise.resolve([]),
    count: () => Promise.resolve(0),
    aggregate: () => Promise.resolve([]),
    onAvailable: () => undefined,
    inspect: () => Promise.resolve({ enforcement: 'unknown', indexes: 'unknown' }),
    close: () => Promise.resolve(),
  };
}

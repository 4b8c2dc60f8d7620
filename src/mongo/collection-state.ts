/** How a collection stands on the server: its kind, validator and indexes, and why it could be no trail. It changes nothing. */
import type { Connection } from 'mongoose';
import { codeOf, SERVER_CODES } from './server-error.js';
import { isOurs, isSameValidator, type Validator } from './validators.js';

type Db = NonNullable<Connection['db']>;

/** What is known of a collection. */
export interface CollectionState {
  /** Whether it is there. */
  readonly exists: boolean;
  /** `ok`: ours, and in force; `other`: one that this package did not make; `old`: ours, of another version or not in force. */
  readonly validator: 'ok' | 'old' | 'other' | 'missing';
  /** Keys of its indexes, as JSON. */
  readonly keys: ReadonlySet<string>;
  /** Why it cannot be append-only, or cannot hold a trail: a clause each. */
  readonly flaws: readonly string[];
}

interface Listed {
  readonly type?: string;
  readonly options?: {
    readonly capped?: boolean;
    readonly expireAfterSeconds?: unknown;
    readonly validator?: unknown;
    readonly validationLevel?: string;
    readonly validationAction?: string;
  };
}

interface Index {
  readonly key: unknown;
  readonly name: string;
  readonly unique?: boolean;
  readonly expireAfterSeconds?: unknown;
}

/** Reads the state; it takes the right to list collections and indexes. Rejects with the server's error where that is missing. */
export async function readCollection(db: Db, name: string, wanted: Validator): Promise<CollectionState> {
  const [listed] = (await db.listCollections({ name }).toArray()) as Listed[];
  if (listed === undefined) return { exists: false, validator: 'missing', keys: new Set(), flaws: [] };
  const kind = kindFlaw(listed);
  // The indexes of a view or of time series cannot be listed as those of a collection.
  const indexes = kind === undefined ? await listIndexes(db, name) : [];
  return {
    exists: true,
    validator: judgeValidator(listed, wanted),
    keys: new Set(indexes.map(({ key }) => JSON.stringify(key))),
    flaws: [...(kind === undefined ? [] : [kind]), ...indexes.flatMap(indexFlaws)],
  };
}

function kindFlaw({ type, options = {} }: Listed): string | undefined {
  if (type === 'view') return 'it is a view';
  if (type === 'timeseries') return 'it is a time-series collection';
  if (options.capped === true) return 'it is capped: old documents give way to new ones';
  return options.expireAfterSeconds === undefined ? undefined : 'its documents expire';
}

function indexFlaws({ key, name, unique, expireAfterSeconds }: Index): string[] {
  // A clustered collection shows its own as a unique one.
  const isOnId = JSON.stringify(key) === '{"_id":1}';
  const shown = JSON.stringify(name);
  return [
    ...(expireAfterSeconds === undefined ? [] : [`its index ${shown} deletes documents by their age`]),
    ...(unique === true && !isOnId ? [`its index ${shown} is unique and would refuse events`] : []),
  ];
}

function judgeValidator({ options = {} }: Listed, wanted: Validator): CollectionState['validator'] {
  const { validator, validationLevel = 'strict', validationAction = 'error' } = options;
  if (validator === undefined || Object.keys(validator as object).length === 0) return 'missing';
  if (!isOurs(validator)) return 'other';
  const isInForce = validationLevel === 'strict' && validationAction === 'error';
  return isInForce && isSameValidator(validator, wanted) ? 'ok' : 'old';
}

async function listIndexes(db: Db, name: string): Promise<Index[]> {
  try {
    return (await db.collection(name).listIndexes().toArray()) as Index[];
  } catch (error) {
    if (codeOf(error) === SERVER_CODES.namespaceNotFound) return [];
    throw error;
  }
}

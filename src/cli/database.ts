/** The way from a command's flags to the trail's database. The URI goes nowhere but to the driver. */
import { OptionsError } from '../errors.js';
import { type Link, openConnection } from '../mongo/connection.js';
import { storageShape } from '../mongo/options.js';
import type { Call } from './command.js';

/** A database. */
export type Db = Awaited<ReturnType<Link['database']>>;

/** A server that is there answers in far less; the driver gives up choosing one after 5 s. */
const CONNECT_MS = 20_000;
const DEFAULT_COLLECTION = 'audit_events';

/** A trail that was reached. */
export interface Place {
  /** The way to it, for what the library does there. */
  readonly link: Link;
  /** Its database. */
  readonly db: Db;
  /** Its collection. */
  readonly collection: string;
}

/** The trail's collection. @throws {@link OptionsError} OPTIONS_INVALID */
export function collectionOf({ flags }: Call): string {
  const collection = flags.text('collection') ?? DEFAULT_COLLECTION;
  const problem = storageShape.collection(collection, '--collection');
  if (problem !== undefined) throw new OptionsError(problem);
  return collection;
}

/**
 * Works with the trail's database, on a connection that is closed afterwards. `name`: another one than the URI's.
 * @throws {@link OptionsError} OPTIONS_INVALID without a URI, or when it is none; else what the driver throws
 */
export async function withDatabase<Result>(
  call: Call,
  work: (place: Place) => Promise<Result>,
  name?: string,
): Promise<Result> {
  const uri = readUri(call);
  const collection = collectionOf(call);
  const link = openConnection(() => Promise.resolve(uri));
  try {
    const db = await link.database(CONNECT_MS);
    return await work({ link, db: name === undefined ? db : link.connection.getClient().db(name), collection });
  } finally {
    await link.close();
  }
}

/** Which of some collections are there, as far as this user may know. */
export async function findCollections({ db }: Place, names: readonly string[]): Promise<string[]> {
  const options = { nameOnly: true, authorizedCollections: true };
  const found = await db.listCollections({ name: { $in: [...names] } }, options).toArray();
  return found.map(({ name }) => name);
}

function readUri({ flags, environment }: Call): string {
  const uri = flags.text('uri') ?? environment['MONGODB_URI'];
  if (uri === undefined || uri === '') throw new OptionsError('--uri URI is missing, and MONGODB_URI is not set');
  const source = flags.has('uri') ? '--uri' : 'MONGODB_URI';
  if (storageShape.uri(uri, source) !== undefined || !/^mongodb(\+srv)?:\/\//.test(uri)) {
    throw new OptionsError(`${source} must be a mongodb:// or mongodb+srv:// URI`);
  }
  return uri;
}

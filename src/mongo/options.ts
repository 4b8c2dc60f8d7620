/** The options of storage: which database, which collection. */
import type { Connection } from 'mongoose';
import {
  type Check,
  either,
  isBoolean,
  isRecord,
  isText,
  matches,
  objectOf,
  optional,
  type Shape,
} from '../settings.js';

/** Where the trail is stored: exactly one of `connection` and `uri`. */
export interface StorageOptions {
  /** A mongoose connection of your own; `close()` leaves it open. */
  connection?: Connection | undefined;
  /** A MongoDB URI, or the name of the secret that holds it; a database of its own is recommended. Opened at first use, closed by `close()`. */
  uri?: string | { secret: string } | undefined;
  /** The collection. @defaultValue `'audit_events'` */
  collection?: string | undefined;
  /**
   * In production `ready()` rejects with AUDIT_UNENFORCED when the database lets this user change the trail, and without `ready()` the first
   * write warns. `true` says that this is known and wanted. @defaultValue `false`
   */
  dangerouslyAllowUnenforced?: boolean | undefined;
}

/** A URI; never shown. */
export const isUri: Check = matches(
  (value) => typeof value === 'string' && /^mongodb(\+srv)?:\/\//.test(value),
  'a mongodb:// or mongodb+srv:// URI',
);

/** A connection of any copy of mongoose. */
export const isConnection: Check = matches(
  (value) => isRecord(value) && typeof value['model'] === 'function' && typeof value['asPromise'] === 'function',
  'a mongoose connection (mongoose.connection or mongoose.createConnection())',
);

/** The server's own rules, and no `system.` collection. */
export const isCollection: Check = matches(
  (value) => typeof value === 'string' && /^(?!system\.)[A-Za-z_][A-Za-z0-9_.-]{0,119}$/.test(value),
  'a collection name: letters, digits, `_`, `.`, `-`, at most 120, not beginning with "system."',
);

/** One check per option. */
export const storageShape: Shape<StorageOptions> = {
  connection: optional(isConnection),
  uri: optional(
    either([isUri, objectOf<{ secret: string }>({ secret: isText })], "a mongodb:// URI or { secret: 'NAME' }"),
  ),
  collection: optional(isCollection),
  dangerouslyAllowUnenforced: optional(isBoolean),
};

/** What single checks cannot see: exactly one way to the database. */
export function findStorageConflict(
  options: Pick<StorageOptions, 'connection' | 'uri'>,
  path: string,
): string | undefined {
  const ways = [options.connection, options.uri].filter((way) => way !== undefined).length;
  if (ways === 1) return undefined;
  const found = ways === 0 ? 'neither is there' : 'both are there';
  return `${path} needs exactly one of connection and uri, ${found}`;
}

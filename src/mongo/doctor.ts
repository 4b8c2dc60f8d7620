/** Looks a trail over for the command line: privileges, collections, and who else on this server could change it. It changes and prints nothing. */
import type { Connection } from 'mongoose';
import { type CollectionState, readCollection } from './collection-state.js';
import { findExcess, ledgerOf, type Privilege, type TrailPlace } from './excess.js';
import { LEDGER_KEYS, trailKeys } from './indexes.js';
import { attribute, type Enforcement, readEnforcement, type RoleName } from './privileges.js';
import { unlessDeclined } from './server-error.js';
import { LEDGER_VALIDATOR, TRAIL_VALIDATOR, type Validator } from './validators.js';

type Db = NonNullable<Connection['db']>;

/** A collection as far as this connection may look. */
export interface CollectionReport {
  /** Its name. */
  readonly name: string;
  /** Whether it is there. */
  readonly exists: boolean | 'unknown';
  /** Whether its validator is the one that `provision` gives: `old` is of another version or not in force, `other` not from here. */
  readonly validator: CollectionState['validator'] | 'unknown';
  /** Whether all indexes are there. */
  readonly indexes: 'ok' | 'missing' | 'unknown';
  /** Why it cannot be append-only, a clause each: it is capped, it has a TTL index, and the like. */
  readonly flaws: readonly string[];
}

/** A user who can change the trail or its ledger. */
export interface RiskyUser {
  /** Its name. */
  readonly user: string;
  /** The database that it belongs to. */
  readonly db: string;
  /** By what, a clause each, such as `update, remove (role readWrite on db app)`. */
  readonly reasons: readonly string[];
}

/** What was found. */
export interface TrailInspection extends Enforcement {
  /** The trail's collection. */
  readonly trail: CollectionReport;
  /** Its ledger. */
  readonly ledger: CollectionReport;
  /** Users who can change the trail, administrators among them. */
  readonly users: {
    /** Whose users this connection may look at: all of the server, those of the trail's database, or nobody's. */
    readonly scope: 'server' | 'database' | 'none';
    /** By database and name. Users whom the server does not store (LDAP, X.509 by attribute) are not among them. */
    readonly risky: readonly RiskyUser[];
  };
}

/** Looks at the trail. What this connection may not see is `unknown`. Rejects when the server cannot be reached. */
export async function inspectTrail(
  db: Db,
  { collection, tenant }: { collection: string; tenant: boolean },
): Promise<TrailInspection> {
  const place = { database: db.databaseName, collection };
  const ledger = ledgerOf(collection);
  return {
    ...(await readEnforcement(db, collection)),
    trail: await report(db, collection, { validator: TRAIL_VALIDATOR, keys: trailKeys(tenant) }),
    ledger: await report(db, ledger, { validator: LEDGER_VALIDATOR, keys: LEDGER_KEYS }),
    users: await readUsers(db, place),
  };
}

async function report(
  db: Db,
  name: string,
  wanted: { validator: Validator; keys: readonly object[] },
): Promise<CollectionReport> {
  const state = await unlessDeclined(readCollection(db, name, wanted.validator));
  if (state === undefined) {
    const exists = await mayExist(db, name);
    return { name, exists, validator: 'unknown', indexes: 'unknown', flaws: [] };
  }
  const { exists, validator, keys, flaws } = state;
  const isIndexed = wanted.keys.every((key) => keys.has(JSON.stringify(key)));
  return { name, exists, validator, indexes: isIndexed ? 'ok' : 'missing', flaws };
}

/** An insert-only user sees the names of the collections that it has rights on, and no others. */
async function mayExist(db: Db, name: string): Promise<true | 'unknown'> {
  const names = await db.listCollections({ name }, { nameOnly: true, authorizedCollections: true }).toArray();
  return names.length > 0 ? true : 'unknown';
}

interface ShownUser {
  readonly user: string;
  readonly db: string;
  readonly inheritedRoles: readonly RoleName[];
  readonly inheritedPrivileges: readonly Privilege[];
}

/** The server shows privileges for named users only. */
const USERS_AT_ONCE = 100;

async function readUsers(db: Db, place: TrailPlace): Promise<TrailInspection['users']> {
  const everywhere = await listUsers(db.admin(), { forAllDBs: true });
  const here = everywhere ?? (await listUsers(db, 1));
  if (here === undefined) return { scope: 'none', risky: [] };
  const risky: RiskyUser[] = [];
  for (let start = 0; start < here.length; start += USERS_AT_ONCE) {
    const usersInfo = here.slice(start, start + USERS_AT_ONCE);
    const { users } = await db.command({ usersInfo, showPrivileges: true });
    for (const user of users as ShownUser[]) risky.push(...(await judge(db, place, user)));
  }
  return { scope: everywhere === undefined ? 'database' : 'server', risky: risky.sort(byName) };
}

async function listUsers(
  db: Pick<Db, 'command'>,
  usersInfo: unknown,
): Promise<{ user: string; db: string }[] | undefined> {
  const answer = await unlessDeclined(db.command({ usersInfo }));
  const users = answer?.['users'] as { user: string; db: string }[] | undefined;
  return users?.map(({ user, db: at }) => ({ user, db: at }));
}

async function judge(db: Db, place: TrailPlace, shown: ShownUser): Promise<RiskyUser[]> {
  const excess = findExcess(shown.inheritedPrivileges, place);
  if (excess.length === 0) return [];
  const reasons = await attribute(db, place, { roles: shown.inheritedRoles, excess });
  return [{ user: shown.user, db: shown.db, reasons }];
}

function byName(a: RiskyUser, b: RiskyUser): number {
  return a.db === b.db ? a.user.localeCompare(b.user) : a.db.localeCompare(b.db);
}

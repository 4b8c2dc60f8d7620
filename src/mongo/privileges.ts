/** Finds out, without effect, whether the server itself refuses changes of the trail and its ledger to this user, and why it would not. */
import { randomUUID } from 'node:crypto';
import type { Connection } from 'mongoose';
import { findExcess, ledgerOf, mayInsert, type Privilege, type TrailPlace } from './excess.js';
import { codeOf, SERVER_CODES, unlessDeclined } from './server-error.js';

type Db = NonNullable<Connection['db']>;

/** A role, by its name and the database that defines it. */
export interface RoleName {
  /** The name. */
  readonly role: string;
  /** The database. */
  readonly db: string;
}

/** What the server lets this user do to the trail. */
export interface Enforcement {
  /** Whether it refuses every change; unknown when that could not be told, or when the trail is still to be made. */
  readonly enforcement: 'enforced' | 'unenforced' | 'unknown';
  /** Whether it checks privileges at all. */
  readonly accessControl: 'on' | 'off' | 'unknown';
  /** What is too much or missing, a clause each, such as `this user may update (role readWrite on db app)`. */
  readonly reasons: readonly string[];
}

/**
 * Tries an update and a delete of an `_id` that nobody has, and the drop of an index that is not there: a user who may not is refused with
 * code 13, one who may changes nothing. What needs other privileges is read from `connectionStatus`, which alone cannot tell: with access
 * control off, without log-in and for a dropped user it shows no privileges. Rejects when the server cannot be reached.
 */
export async function readEnforcement(db: Db, collection: string): Promise<Enforcement> {
  const place = { database: db.databaseName, collection };
  const [probed, rights, absent] = await Promise.all([
    probe(db, [collection, ledgerOf(collection)]),
    readRights(db),
    findAbsent(db, collection),
  ]);
  const excess = rights === undefined ? [] : findExcess(rights.privileges, place);
  // No privilege explains what the server let pass: it does not look at privileges.
  const isUnexplained = probed.allowed.length > 0 && excess.length === 0;
  const certain = isUnexplained ? [accessIsOff(probed.allowed)] : await nameRoles(db, place, { rights, excess });
  const doubts = isUnexplained ? [] : findDoubts({ place, rights, absent, isProbed: probed.isComplete });
  const isChangeable = probed.allowed.length > 0 || excess.length > 0;
  const otherwise = doubts.length > 0 ? 'unknown' : 'enforced';
  return {
    enforcement: isChangeable ? 'unenforced' : otherwise,
    accessControl: probed.isRefused ? 'on' : await readAccessControl(db),
    reasons: [...certain, ...doubts, ...findLacks(rights, place)],
  };
}

/**
 * The roles by which the actions are allowed, a clause each: `update, remove (role readWrite on db app)`, and `(role clerk on db app, by
 * readWrite)` for what a role inherits. A clause without a role where the server does not show them.
 */
export async function attribute(
  db: Db,
  place: TrailPlace,
  what: { roles: readonly RoleName[]; excess: readonly string[] },
): Promise<string[]> {
  const shown = (await Promise.all(what.roles.map((role) => readRole(db, role)))).filter((role) => role !== undefined);
  const own = shown.map((role) => ({ name: nameOf(role), actions: findExcess(role.privileges, place) }));
  const explained = new Set(own.flatMap(({ actions }) => actions));
  const left = what.excess.filter((action) => !explained.has(action));
  const inherited = shown.map((role) => ({
    name: `${nameOf(role)}, by ${role.inheritedRoles.map((from) => from.role).join(', ')}`,
    actions: findExcess(role.inheritedPrivileges, place).filter((action) => left.includes(action)),
  }));
  const named = [...own, ...inherited].filter(({ actions }) => actions.length > 0);
  const rest = left.filter((action) => !named.some(({ actions }) => actions.includes(action)));
  return [
    ...named.map(({ name, actions }) => `${actions.join(', ')} (${name})`),
    ...(rest.length > 0 ? [rest.join(', ')] : []),
  ];
}

function nameOf({ role, db }: RoleName): string {
  return `role ${role} on db ${db}`;
}

interface Rights {
  readonly isLoggedIn: boolean;
  readonly roles: readonly RoleName[];
  readonly privileges: readonly Privilege[];
}

interface Probed {
  /** What the server let this user do, such as `update in audit_events`. */
  readonly allowed: readonly string[];
  /** It refused something: it checks privileges. */
  readonly isRefused: boolean;
  /** Every probe was answered. */
  readonly isComplete: boolean;
}

async function probe(db: Db, collections: readonly string[]): Promise<Probed> {
  const nobody = { _id: `probe:${randomUUID()}` };
  const answers = await Promise.all(
    collections.flatMap((collection) =>
      [
        { update: collection, updates: [{ q: nobody, u: { $set: { probe: 1 } } }] },
        { delete: collection, deletes: [{ q: nobody, limit: 1 }] },
        { dropIndexes: collection, index: `probe_${randomUUID()}` },
      ].map(async (command) => ({
        what: `${Object.keys(command)[0]} in ${collection}`,
        may: await mayRun(db, command),
      })),
    ),
  );
  return {
    allowed: answers.filter(({ may }) => may === true).map(({ what }) => what),
    isRefused: answers.some(({ may }) => may === false),
    isComplete: answers.every(({ may }) => may !== undefined),
  };
}

/** Whether the server lets this user run the command; undefined when it could not be told. */
async function mayRun(db: Db, command: Record<string, unknown>): Promise<boolean | undefined> {
  try {
    await db.command(command);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    if (code === SERVER_CODES.unauthorized) return false;
    return code === SERVER_CODES.indexNotFound || code === SERVER_CODES.namespaceNotFound ? true : undefined;
  }
}

async function readRights(db: Db): Promise<Rights | undefined> {
  const answer = await unlessDeclined(db.command({ connectionStatus: 1, showPrivileges: true }));
  if (answer === undefined) return undefined;
  const shown = answer['authInfo'] as {
    authenticatedUsers: readonly unknown[];
    authenticatedUserRoles: readonly RoleName[];
    authenticatedUserPrivileges: readonly Privilege[];
  };
  return {
    isLoggedIn: shown.authenticatedUsers.length > 0,
    roles: shown.authenticatedUserRoles,
    privileges: shown.authenticatedUserPrivileges,
  };
}

interface ShownRole extends RoleName {
  readonly privileges: readonly Privilege[];
  readonly inheritedRoles: readonly RoleName[];
  readonly inheritedPrivileges: readonly Privilege[];
}

/** One at a time: a user may look at the roles that were given to it, not at those that they inherit. Undefined for such a one. */
async function readRole(db: Db, { role, db: at }: RoleName): Promise<ShownRole | undefined> {
  const answer = await unlessDeclined(db.command({ rolesInfo: { role, db: at }, showPrivileges: true }));
  return (answer?.['roles'] as ShownRole[] | undefined)?.[0];
}

/** Which of the two collections are not there, as far as this user may know; none when it may not look. */
async function findAbsent(db: Db, collection: string): Promise<readonly string[]> {
  const wanted = [collection, ledgerOf(collection)];
  const listed = db.listCollections({ name: { $in: wanted } }, { nameOnly: true, authorizedCollections: true });
  const there = (await unlessDeclined(listed.toArray()))?.map(({ name }) => name) ?? wanted;
  return wanted.filter((name) => !there.includes(name));
}

async function nameRoles(
  db: Db,
  place: TrailPlace,
  { rights, excess }: { rights: Rights | undefined; excess: readonly string[] },
): Promise<string[]> {
  if (rights === undefined || excess.length === 0) return [];
  return (await attribute(db, place, { roles: rights.roles, excess })).map((clause) => `this user may ${clause}`);
}

function accessIsOff(allowed: readonly string[]): string {
  return `access control is off, or does not bind this connection: the server allowed ${allowed.join(', ')}`;
}

interface DoubtParts {
  readonly place: TrailPlace;
  readonly rights: Rights | undefined;
  readonly absent: readonly string[];
  readonly isProbed: boolean;
}

/** Why nothing can be promised although every probe was refused. */
function findDoubts({ place, rights, absent, isProbed }: DoubtParts): string[] {
  if (rights === undefined || !isProbed) return ['the server did not say what this user may do'];
  if (!rights.isLoggedIn) return ['this connection is not logged in: it can change nothing, and record nothing either'];
  return absent
    .filter((collection) => mayInsert(rights.privileges, { ...place, collection }))
    .map(
      (name) =>
        `the collection ${name} is missing, and this user could make it, also one that expires: provision it first`,
    );
}

/** What recording needs and this user lacks. */
function findLacks(rights: Rights | undefined, place: TrailPlace): string[] {
  if (rights === undefined || !rights.isLoggedIn) return [];
  return [place.collection, ledgerOf(place.collection)]
    .filter((collection) => !mayInsert(rights.privileges, { ...place, collection }))
    .map((name) => `this user may not insert into ${name}`);
}

/** Whether the server checks privileges: asks how it was started; only administrators may, so a refusal is an answer too. */
export async function readAccessControl(db: Db): Promise<'on' | 'off' | 'unknown'> {
  try {
    const { parsed } = await db.admin().command({ getCmdLineOpts: 1 });
    const { security } = parsed as {
      security?: { authorization?: string; keyFile?: string; clusterAuthMode?: string };
    };
    const isOn =
      security?.authorization === 'enabled' ||
      security?.keyFile !== undefined ||
      security?.clusterAuthMode !== undefined;
    return isOn ? 'on' : 'off';
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return code === SERVER_CODES.unauthorized ? 'on' : 'unknown';
  }
}

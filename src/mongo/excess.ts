/** Which privileges are more than finding and inserting: judged by actions and resource, not by the names of roles. Pure; it asks no server. */

/** What a privilege is for. Some resources have neither of these members. */
interface Resource {
  readonly db?: string;
  readonly collection?: string;
  readonly cluster?: boolean;
  readonly anyResource?: boolean;
}

/** A privilege as the server shows it. */
export interface Privilege {
  /** What it is for. */
  readonly resource: Resource;
  /** What it allows. */
  readonly actions: readonly string[];
}

/** Where the trail is. */
export interface TrailPlace {
  /** The database. */
  readonly database: string;
  /** The trail's collection. */
  readonly collection: string;
}

/** The collection of the trail's ledger. @see EVIDENCE, section 9 */
export function ledgerOf(collection: string): string {
  return `${collection}_ledger`;
}

/** By these the trail, its ledger or their rules can be changed. A TTL index deletes, `collMod` sets one off, `applyOps` writes past all of it. */
const CHANGES: readonly string[] = [
  'update',
  'remove',
  'createIndex',
  'dropIndex',
  'collMod',
  'dropCollection',
  'dropDatabase',
  'renameCollectionSameDB',
  'convertToCapped',
  'emptycapped',
  'bypassDocumentValidation',
  'applyOps',
  'anyAction',
  'internal',
];

/** By these a user gives itself such a privilege: by a role of this database or of `admin`, or as someone else. */
const GRANTS: readonly string[] = ['grantRole', 'changePassword', 'anyAction'];

/** The server keeps users and roles here: whoever writes them needs no grant. */
const SYSTEM_COLLECTIONS = ['system.users', 'system.roles'] as const;
const WRITES: readonly string[] = ['insert', 'update', 'remove', 'anyAction'];

/** The actions by which these privileges can change the trail or its ledger, the plainest first; none for a user who may only find and insert. */
export function findExcess(privileges: readonly Privilege[], place: TrailPlace): string[] {
  const allows = (action: string, reaches: typeof reachesTrail): boolean =>
    privileges.some(({ resource, actions }) => actions.includes(action) && reaches(resource, place));
  const found = [
    ...CHANGES.filter((action) => allows(action, reachesTrail)),
    ...GRANTS.filter((action) => allows(action, reachesRoles)),
    ...SYSTEM_COLLECTIONS.flatMap((name) => findWrites(privileges, name)),
  ];
  return [...new Set(found)];
}

/** An empty name of a collection stands for all but the system's. */
function findWrites(privileges: readonly Privilege[], name: string): string[] {
  const reaching = privileges.filter(
    ({ resource: { db, collection, anyResource } }) =>
      anyResource === true || (collection === name && (db === '' || db === 'admin')),
  );
  return WRITES.filter((action) => reaching.some(({ actions }) => actions.includes(action))).map(
    (action) => `${action} in admin.${name}`,
  );
}

/** Whether one of these privileges allows to insert into a collection. */
export function mayInsert(privileges: readonly Privilege[], place: TrailPlace): boolean {
  return privileges.some(
    ({ resource, actions }) =>
      (actions.includes('insert') || actions.includes('anyAction')) &&
      (resource.anyResource === true || covers(resource, place)),
  );
}

function reachesTrail(resource: Resource, place: TrailPlace): boolean {
  if (resource.cluster === true || resource.anyResource === true) return true;
  const { database, collection } = place;
  return covers(resource, place) || covers(resource, { database, collection: ledgerOf(collection) });
}

/** An empty name stands for all of them. */
function covers({ db, collection }: Resource, place: TrailPlace): boolean {
  return (db === '' || db === place.database) && (collection === '' || collection === place.collection);
}

function reachesRoles({ db, collection, anyResource }: Resource, { database }: TrailPlace): boolean {
  return anyResource === true || (collection === '' && (db === '' || db === database || db === 'admin'));
}

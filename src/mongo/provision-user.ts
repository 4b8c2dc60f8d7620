/** The step of provisioning that makes the user, or completes one that is there. It knows no collection's form. */
import type { Connection } from 'mongoose';
import { findExcess, type Privilege, type TrailPlace } from './excess.js';
import { attribute, type RoleName } from './privileges.js';
import type { Done, ProvisionStep } from './provision.js';
import { SERVER_CODES, unlessThere } from './server-error.js';

type Db = NonNullable<Connection['db']>;
type UserStep = Extract<ProvisionStep, { kind: 'user' }>;

/** Whom the app logs in as, and for which trail. */
export interface Login {
  /** The password of a user who is not there yet. */
  readonly password: string | undefined;
  /** The trail. */
  readonly place: TrailPlace;
}

interface StoredUser {
  readonly roles: readonly RoleName[];
  readonly inheritedRoles: readonly RoleName[];
  readonly inheritedPrivileges: readonly Privilege[];
}

/** A user of this database; undefined when there is none. */
export async function findUser(db: Db, name: string): Promise<StoredUser | undefined> {
  const { users } = await db.command({ usersInfo: { user: name, db: db.databaseName }, showPrivileges: true });
  return (users as StoredUser[])[0];
}

/** Makes the user, or gives one that is there the role. Its password and its other roles stay. */
export async function makeUser(db: Db, step: UserStep, login: Login): Promise<Done> {
  const before = await findUser(db, step.name);
  const create = (): Promise<unknown> => db.command({ ...step.command, pwd: login.password });
  const made = before === undefined ? await unlessThere(create(), SERVER_CODES.userExists) : undefined;
  if (made !== undefined) return { outcome: 'created', detail: '', warning: '' };
  const stored = before ?? (await findUser(db, step.name));
  return stored === undefined ? makeUser(db, step, login) : completeUser(db, { step, stored, place: login.place });
}

async function completeUser(
  db: Db,
  { step, stored, place }: { step: UserStep; stored: StoredUser; place: TrailPlace },
): Promise<Done> {
  const isOurs = ({ role, db: at }: RoleName): boolean => role === step.role && at === db.databaseName;
  const others = stored.roles.filter((role) => !isOurs(role)).map(({ role, db: at }) => `${role} on db ${at}`);
  const detail = others.length === 0 ? '' : `it also has ${others.join(', ')}`;
  const warning = await warnOfPower(db, step.name, { stored, place });
  if (stored.roles.some(isOurs)) {
    const left = [detail, 'its password was left'].filter(Boolean).join('; ');
    return { outcome: 'already there', detail: left, warning };
  }
  await db.command({ grantRolesToUser: step.name, roles: [step.role] });
  const given = [`it got the role ${step.role}`, detail].filter(Boolean).join('; ');
  return { outcome: 'changed', detail: given, warning };
}

/** Taking a role from somebody's user is not ours to do; leaving it unsaid would make the rest worthless. */
async function warnOfPower(
  db: Db,
  name: string,
  { stored, place }: { stored: StoredUser; place: TrailPlace },
): Promise<string> {
  const excess = findExcess(stored.inheritedPrivileges, place);
  if (excess.length === 0) return '';
  const clauses = await attribute(db, place, { roles: stored.inheritedRoles, excess });
  return `the user ${name} can change the trail all the same: ${clauses.join('; ')}; take these roles from it`;
}

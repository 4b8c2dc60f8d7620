/** Carries the plan of provisioning out with an administrator's connection: what is there stays, what is missing is made. It prints nothing. */
import type { Connection } from 'mongoose';
import { OptionsError } from '../errors.js';
import { type CollectionState, readCollection } from './collection-state.js';
import type { Privilege } from './excess.js';
import { collModCommand, planProvision, type ProvisionRequest, type ProvisionStep } from './provision.js';

type Db = NonNullable<Connection['db']>;
type StepOf<Kind extends ProvisionStep['kind']> = Extract<ProvisionStep, { kind: Kind }>;

/** What became of one step. */
export interface ProvisionOutcome {
  /** What it is about, such as `collection audit_events` or `role strongroomAppender`. */
  readonly what: string;
  /** What was done. */
  readonly outcome: 'created' | 'already there' | 'changed';
  /** What else is worth knowing, such as the privileges that a role was given or lost; empty when there is nothing. */
  readonly detail: string;
}

/** The outcome of a step, without its name. */
type Done = Omit<ProvisionOutcome, 'what'>;

const THERE: Done = { outcome: 'already there', detail: '' };
const CREATED: Done = { outcome: 'created', detail: '' };

/**
 * Makes what is missing, on the connection of an administrator. A second run changes nothing. Everything that would stand in the way is found
 * before anything is changed.
 *
 * Several trails of one database share the roles: the appender of one may then append to the others as well, and the outcome says so. Other
 * privileges that somebody gave these roles are taken away. An existing user keeps its password and its other roles; both are told.
 *
 * @throws {@link OptionsError} OPTIONS_INVALID when a collection is a view, capped, a time series, expires, or has rules of its own, or when the user is missing and there is no password.
 */
export async function provision(db: Db, request: ProvisionRequest, password?: string): Promise<ProvisionOutcome[]> {
  if (db.databaseName !== request.database) throw new OptionsError('provision: the connection is to another database');
  const steps = planProvision(request);
  await assertPossible(db, steps, password);
  const outcomes: ProvisionOutcome[] = [];
  for (const step of steps) outcomes.push({ what: describeStep(step), ...(await run(db, step, password)) });
  return outcomes;
}

function describeStep({ kind, name }: ProvisionStep): string {
  return kind === 'indexes' ? `indexes of ${name}` : `${kind} ${name}`;
}

function run(db: Db, step: ProvisionStep, password: string | undefined): Promise<Done> {
  switch (step.kind) {
    case 'collection':
      return makeCollection(db, step);
    case 'indexes':
      return makeIndexes(db, step);
    case 'role':
      return makeRole(db, step);
    case 'user':
      return makeUser(db, step, password);
  }
}

async function assertPossible(db: Db, steps: readonly ProvisionStep[], password: string | undefined): Promise<void> {
  for (const step of steps) {
    if (step.kind === 'collection') assertSound(step.name, await readCollection(db, step.name, step.validator));
    if (step.kind === 'user' && password === undefined && (await findUser(db, step.name)) === undefined) {
      throw new OptionsError(`provision: the user "${step.name}" is not there yet: a password is needed to create it`);
    }
  }
}

function assertSound(name: string, { flaws, validator }: CollectionState): void {
  const others = validator === 'other' ? ['it has a validator that is not from here: remove it first, by collMod'] : [];
  const all = [...flaws, ...others];
  if (all.length > 0) throw new OptionsError(`provision: the collection "${name}" cannot be used: ${all.join('; ')}`);
}

async function makeCollection(db: Db, { name, validator, command }: StepOf<'collection'>): Promise<Done> {
  const state = await readCollection(db, name, validator);
  if (!state.exists) {
    await db.command({ ...command });
    return CREATED;
  }
  if (state.validator === 'ok') return THERE;
  await db.command({ ...collModCommand(name, validator) });
  const detail = state.validator === 'old' ? 'its validator was replaced by the present one' : 'it got its validator';
  return { outcome: 'changed', detail };
}

async function makeIndexes(db: Db, { command }: StepOf<'indexes'>): Promise<Done> {
  // The server builds what is missing and counts.
  const { numIndexesBefore, numIndexesAfter } = await db.command({ ...command });
  return numIndexesAfter > numIndexesBefore ? CREATED : THERE;
}

async function makeRole(db: Db, step: StepOf<'role'>): Promise<Done> {
  const { roles } = await db.command({ rolesInfo: step.name, showPrivileges: true });
  const [stored] = roles as { privileges: Privilege[]; roles: { role: string; db: string }[] }[];
  if (stored === undefined) {
    await db.command({ ...step.command });
    return CREATED;
  }
  const { kept, dropped } = sift(stored.privileges, step.privileges);
  const had = stored.privileges.map(describePrivilege);
  const added = step.privileges.map(describePrivilege).filter((text) => !had.includes(text));
  const lost = [...dropped.map(describePrivilege), ...stored.roles.map(({ role, db: at }) => `role ${role} on ${at}`)];
  const others = kept.length === 0 ? [] : [`also for ${kept.map(describePrivilege).join(', ')}`];
  if (added.length === 0 && lost.length === 0) return { ...THERE, detail: others.join('; ') };
  await db.command({ updateRole: step.name, privileges: [...step.privileges, ...kept], roles: [] });
  const taken = lost.length === 0 ? [] : [`taken away: ${lost.join(', ')}`];
  const given = added.length === 0 ? [] : [`added: ${added.join(', ')}`];
  return { outcome: 'changed', detail: [...given, ...taken, ...others].join('; ') };
}

/** What an existing role keeps: the same rights on other collections of this database, which are those of other trails. */
function sift(stored: readonly Privilege[], wanted: readonly Privilege[]): { kept: Privilege[]; dropped: Privilege[] } {
  const [first] = wanted;
  const allowed = first?.actions ?? [];
  const planned = new Set(wanted.map(({ resource }) => resource.collection));
  const wantedTexts = wanted.map(describePrivilege);
  const others = stored.filter((privilege) => !wantedTexts.includes(describePrivilege(privilege)));
  const isOtherTrail = ({ resource, actions }: Privilege): boolean =>
    resource.db === first?.resource.db &&
    Boolean(resource.collection) &&
    !planned.has(resource.collection) &&
    actions.every((action) => allowed.includes(action));
  // A part of what is planned for these very collections is no loss: it is given anew, whole.
  const isPart = ({ resource, actions }: Privilege): boolean =>
    resource.db === first?.resource.db &&
    planned.has(resource.collection) &&
    actions.every((action) => allowed.includes(action));
  return {
    kept: others.filter(isOtherTrail),
    dropped: others.filter((privilege) => !isOtherTrail(privilege) && !isPart(privilege)),
  };
}

function describePrivilege({ resource, actions }: Privilege): string {
  const { db, collection } = resource;
  const place = db === undefined ? JSON.stringify(resource) : `${db || '*'}.${collection || '*'}`;
  return `${[...actions].sort().join(' and ')} on ${place}`;
}

interface StoredUser {
  readonly roles: readonly { readonly role: string; readonly db: string }[];
}

async function findUser(db: Db, name: string): Promise<StoredUser | undefined> {
  const { users } = await db.command({ usersInfo: name });
  return (users as StoredUser[])[0];
}

async function makeUser(db: Db, step: StepOf<'user'>, password: string | undefined): Promise<Done> {
  const stored = await findUser(db, step.name);
  if (stored === undefined) {
    await db.command({ ...step.command, pwd: password });
    return CREATED;
  }
  const isOurs = ({ role, db: at }: { role: string; db: string }): boolean =>
    role === step.role && at === db.databaseName;
  const others = stored.roles.filter((role) => !isOurs(role)).map(({ role, db: at }) => `${role} on db ${at}`);
  const detail = others.length === 0 ? '' : `it also has ${others.join(', ')}`;
  if (stored.roles.some(isOurs))
    return { ...THERE, detail: [detail, 'its password was left'].filter(Boolean).join('; ') };
  await db.command({ grantRolesToUser: step.name, roles: [step.role] });
  return { outcome: 'changed', detail: [`it got the role ${step.role}`, detail].filter(Boolean).join('; ') };
}

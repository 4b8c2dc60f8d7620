/** Carries the plan of provisioning out with an administrator's connection: what is there stays, what is missing is made. It prints nothing. */
import type { Connection } from 'mongoose';
import { OptionsError } from '../errors.js';
import { type CollectionState, readCollection } from './collection-state.js';
import type { Privilege } from './excess.js';
import {
  collModCommand,
  type Done,
  planProvision,
  type ProvisionOutcome,
  type ProvisionRequest,
  type ProvisionStep,
} from './provision.js';
import { findUser, type Login, makeUser } from './provision-user.js';
import { SERVER_CODES, unlessThere } from './server-error.js';

type Db = NonNullable<Connection['db']>;
type StepOf<Kind extends ProvisionStep['kind']> = Extract<ProvisionStep, { kind: Kind }>;

const THERE: Done = { outcome: 'already there', detail: '', warning: '' };
const CREATED: Done = { outcome: 'created', detail: '', warning: '' };

/**
 * Makes what is missing, on the connection of an administrator. A second run changes nothing. Everything that would stand in the way is found
 * before anything is changed. Several runs at once do no harm: what another one made meanwhile is there already.
 *
 * Several trails of one database share the roles: the appender of one may then append to the others as well, and the outcome warns of it. Other
 * privileges that somebody gave these roles are taken away. An existing user keeps its password and its other roles; both are told, and
 * a user who can change the trail by them is warned of.
 *
 * @throws {@link OptionsError} OPTIONS_INVALID when a collection is a view, capped, a time series, expires, or has rules of its own, or when the user is missing and there is no password.
 */
export async function provision(db: Db, request: ProvisionRequest, password?: string): Promise<ProvisionOutcome[]> {
  if (db.databaseName !== request.database) throw new OptionsError('provision: the connection is to another database');
  const steps = planProvision(request);
  await assertPossible(db, steps, password);
  const outcomes: ProvisionOutcome[] = [];
  const login = { password, place: request };
  for (const step of steps) outcomes.push({ what: describeStep(step), ...(await run(db, step, login)) });
  return outcomes;
}

function describeStep({ kind, name }: ProvisionStep): string {
  return kind === 'indexes' ? `indexes of ${name}` : `${kind} ${name}`;
}

function run(db: Db, step: ProvisionStep, login: Login): Promise<Done> {
  switch (step.kind) {
    case 'collection':
      return makeCollection(db, step);
    case 'indexes':
      return makeIndexes(db, step);
    case 'role':
      return makeRole(db, step);
    case 'user':
      return makeUser(db, step, login);
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
  const before = await readCollection(db, name, validator);
  const made = before.exists ? undefined : await unlessThere(db.command({ ...command }), SERVER_CODES.namespaceExists);
  if (made !== undefined) return CREATED;
  const state = before.exists ? before : await readCollection(db, name, validator);
  assertSound(name, state);
  if (state.validator === 'ok') return THERE;
  await db.command({ ...collModCommand(name, validator) });
  const detail = state.validator === 'old' ? 'its validator was replaced by the present one' : 'it got its validator';
  return { outcome: 'changed', detail, warning: '' };
}

async function makeIndexes(db: Db, { command }: StepOf<'indexes'>): Promise<Done> {
  // The server builds what is missing and counts.
  const { numIndexesBefore, numIndexesAfter } = await db.command({ ...command });
  return numIndexesAfter > numIndexesBefore ? CREATED : THERE;
}

async function makeRole(db: Db, step: StepOf<'role'>): Promise<Done> {
  const before = await findRole(db, step.name);
  const made =
    before === undefined ? await unlessThere(db.command({ ...step.command }), SERVER_CODES.roleExists) : undefined;
  if (made !== undefined) return CREATED;
  const stored = before ?? (await findRole(db, step.name));
  return stored === undefined ? makeRole(db, step) : completeRole(db, step, stored);
}

interface StoredRole {
  readonly privileges: readonly Privilege[];
  readonly roles: readonly { readonly role: string; readonly db: string }[];
}

async function findRole(db: Db, name: string): Promise<StoredRole | undefined> {
  const { roles } = await db.command({ rolesInfo: name, showPrivileges: true });
  return (roles as StoredRole[])[0];
}

async function completeRole(db: Db, step: StepOf<'role'>, stored: StoredRole): Promise<Done> {
  const { kept, dropped } = sift(stored.privileges, step.privileges);
  const had = stored.privileges.map(describePrivilege);
  const added = step.privileges.map(describePrivilege).filter((text) => !had.includes(text));
  const lost = [...dropped.map(describePrivilege), ...stored.roles.map(({ role, db: at }) => `role ${role} on ${at}`)];
  const others = kept.length === 0 ? [] : [`also for ${kept.map(describePrivilege).join(', ')}`];
  const warning = warnOfOthers(step, kept);
  if (added.length === 0 && lost.length === 0) return { ...THERE, detail: others.join('; '), warning };
  // Replacing all of them would take from the role what another run gives it for another trail at this moment.
  if (lost.length === 0) await db.command({ grantPrivilegesToRole: step.name, privileges: step.privileges });
  else await db.command({ updateRole: step.name, privileges: [...step.privileges, ...kept], roles: [] });
  const taken = lost.length === 0 ? [] : [`taken away: ${lost.join(', ')}`];
  const given = added.length === 0 ? [] : [`added: ${added.join(', ')}`];
  return { outcome: 'changed', detail: [...given, ...taken, ...others].join('; '), warning };
}

/** Reading another trail is what the reader's role is for; appending to it is not what the app's user needs. */
function warnOfOthers({ name }: StepOf<'role'>, kept: readonly Privilege[]): string {
  const writable = kept.filter(({ actions }) => actions.includes('insert')).map(({ resource }) => resource.collection);
  if (writable.length === 0) return '';
  return `the trails of this database share the role ${name}: whoever has it may also insert into ${writable.join(', ')}; a database for each trail keeps them apart`;
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

/** The plan that protects a trail: its collections, roles and user, as commands and as lines for the shell. Pure: it knows no connection and no password. */
import { ledgerOf, type Privilege } from './excess.js';
import { LEDGER_KEYS, nameOf, trailKeys } from './indexes.js';
import { LEDGER_VALIDATOR, TRAIL_VALIDATOR, type Validator } from './validators.js';

/** What to protect, and for whom. */
export interface ProvisionRequest {
  /** The trail's database; roles and user are made there too. */
  readonly database: string;
  /** The trail's collection; its ledger is `<collection>_ledger`. */
  readonly collection: string;
  /** Whether rooms have the option `audit.tenant`, which wants one index more. */
  readonly tenant: boolean;
  /** Name of the user that the app connects as. */
  readonly user: string;
}

/** One thing that must be there, with the command that makes it. */
export type ProvisionStep =
  | { readonly kind: 'collection'; readonly name: string; readonly validator: Validator; readonly command: Command }
  | { readonly kind: 'indexes'; readonly name: string; readonly keys: readonly IndexKey[]; readonly command: Command }
  | {
      readonly kind: 'role';
      readonly name: string;
      readonly privileges: readonly Privilege[];
      readonly command: Command;
    }
  | { readonly kind: 'user'; readonly name: string; readonly role: string; readonly command: Command };

/** A command's members in their order, its name first. */
export type Command = Readonly<Record<string, unknown>>;

/** What became of one step. */
export interface ProvisionOutcome {
  /** What it is about, such as `collection audit_events` or `role strongroomAppender`. */
  readonly what: string;
  /** What was done. */
  readonly outcome: 'created' | 'already there' | 'changed';
  /** What else is worth knowing, such as the privileges that a role was given or lost; empty when there is nothing. */
  readonly detail: string;
  /** What weakens the protection although all was done, a sentence; empty when there is nothing. */
  readonly warning: string;
}

/** The outcome of a step, without its name. */
export type Done = Omit<ProvisionOutcome, 'what'>;

/** An index's fields in their order. */
type IndexKey = Readonly<Record<string, 1 | -1>>;

/** The roles' names. They are the same for all trails of a database. */
const ROLES = { appender: 'strongroomAppender', reader: 'strongroomReader' } as const;

/** Stands in a plan where the password goes: a plan can be shown. */
const PASSWORD_PLACEHOLDER = '<password>';

/**
 * What has to be there, in the order in which it is made: collections before anybody may insert, since whoever may insert into a missing
 * collection may make it, with options of their own.
 */
export function planProvision(request: ProvisionRequest): ProvisionStep[] {
  const { collection, tenant, user } = request;
  const ledger = ledgerOf(collection);
  return [
    planCollection(collection, TRAIL_VALIDATOR),
    planIndexes(collection, trailKeys(tenant)),
    planCollection(ledger, LEDGER_VALIDATOR),
    planIndexes(ledger, LEDGER_KEYS),
    planRole(ROLES.appender, request, ['find', 'insert']),
    planRole(ROLES.reader, request, ['find']),
    {
      kind: 'user',
      name: user,
      role: ROLES.appender,
      command: { createUser: user, pwd: PASSWORD_PLACEHOLDER, roles: [ROLES.appender] },
    },
  ];
}

/** The plan as lines for `mongosh`, for people who run them by hand, as an administrator. The shell asks for the password. */
export function formatPlan(request: ProvisionRequest): string[] {
  const lines = planProvision(request).map(({ command }) => {
    const text = JSON.stringify(command).replace(JSON.stringify(PASSWORD_PLACEHOLDER), 'passwordPrompt()');
    return `db.runCommand(${text})`;
  });
  return [`db = db.getSiblingDB(${JSON.stringify(request.database)})`, ...lines];
}

/** The command that gives an existing collection the validator. */
export function collModCommand(name: string, validator: Validator): Command {
  return { collMod: name, ...rules(validator) };
}

function planCollection(name: string, validator: Validator): ProvisionStep {
  return { kind: 'collection', name, validator, command: { create: name, ...rules(validator) } };
}

function rules(validator: Validator): object {
  return { validator, validationLevel: 'strict', validationAction: 'error' };
}

function planIndexes(name: string, keys: readonly IndexKey[]): ProvisionStep {
  const indexes = keys.map((key) => ({ key, name: nameOf(key) }));
  return { kind: 'indexes', name, keys, command: { createIndexes: name, indexes } };
}

function planRole(role: string, { database, collection }: ProvisionRequest, actions: readonly string[]): ProvisionStep {
  const privileges = [collection, ledgerOf(collection)].map((name) => ({
    resource: { db: database, collection: name },
    actions,
  }));
  return { kind: 'role', name: role, privileges, command: { createRole: role, privileges, roles: [] } };
}

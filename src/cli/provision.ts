/** `strongroom provision`: collections, roles and the user, with an administrator's connection. The steps themselves are the library's. */
import { OptionsError } from '../errors.js';
import { readAccessControl } from '../mongo/privileges.js';
import { formatPlan, type ProvisionOutcome, type ProvisionRequest } from '../mongo/provision.js';
import { provision } from '../mongo/provision-run.js';
import { type Call, type Command, COLLECTION_FLAG, JSON_FLAG, type Outcome, TENANT_FLAG, URI_FLAG } from './command.js';
import { collectionOf, type Db, withDatabase } from './database.js';
import { printable } from './output.js';

/** Protects a trail. */
export const provisionCommand: Command = {
  name: 'provision',
  summary: 'makes the collections, the roles and a user that can only find and insert; a second run changes nothing',
  flags: {
    uri: { ...URI_FLAG, value: 'ADMIN_URI', help: 'MongoDB, as an administrator; default: MONGODB_URI' },
    db: { value: 'NAME', isRequired: true, help: "the trail's database; roles and user are made in it" },
    collection: COLLECTION_FLAG,
    user: { value: 'NAME', isRequired: true, help: 'the user that the app will connect as' },
    'password-env': { value: 'VAR', help: "environment variable with the new user's password" },
    tenant: TENANT_FLAG,
    'dry-run': { help: 'connect to nothing, print the commands for mongosh' },
    json: JSON_FLAG,
  },
  run,
};

async function run(call: Call): Promise<Outcome> {
  const { flags } = call;
  const database = flags.required('db');
  if (!/^[^/\\. "$*<>:|?\0]{1,63}$/.test(database)) throw new OptionsError('--db must be the name of a database');
  const request = {
    database,
    collection: collectionOf(call),
    tenant: flags.has('tenant'),
    user: flags.required('user'),
  };
  if (flags.has('dry-run')) return showPlan(request);
  const password = readPassword(call);
  const done = await withDatabase(call, ({ db }) => protect(db, request, password), database);
  warn(call, done);
  return { code: 0, result: done, text: done.steps.map(showStep).join('') };
}

interface Protected {
  readonly steps: readonly ProvisionOutcome[];
  /** Whether the server checks privileges at all. */
  readonly accessControl: 'on' | 'off' | 'unknown';
}

async function protect(db: Db, request: ProvisionRequest, password: string | undefined): Promise<Protected> {
  const steps = await provision(db, request, password);
  return { steps, accessControl: await readAccessControl(db) };
}

/** What was done is all that was asked for; these say why it may be worth little. */
function warn({ output }: Call, { steps, accessControl }: Protected): void {
  const warnings = steps.map(({ warning }) => warning).filter(Boolean);
  if (accessControl === 'off') {
    warnings.push(
      'access control is off on this server: roles bind nobody there, so that anybody can change the trail',
    );
  }
  for (const warning of warnings) output.say(`warning: ${printable(warning)}`);
}

function showPlan(request: ProvisionRequest): Outcome {
  const commands = formatPlan(request);
  return { code: 0, result: { commands }, text: `${commands.join('\n')}\n` };
}

function readPassword({ flags, environment }: Call): string | undefined {
  const name = flags.text('password-env');
  if (name === undefined) return undefined;
  const password = environment[name];
  if (password === undefined || password === '') {
    throw new OptionsError('--password-env must name an environment variable that holds the password: it is not set');
  }
  return password;
}

function showStep({ what, outcome, detail }: ProvisionOutcome): string {
  return `${printable([`${what}: ${outcome}`, detail].filter(Boolean).join('; '))}\n`;
}

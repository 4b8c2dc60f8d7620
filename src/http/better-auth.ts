/** A plugin for better-auth that tells a room what its endpoints really did. It does not import better-auth, and changes nothing it does. */
import type { RequestHandler } from 'express';
import { emailDomain } from '../audit/email.js';
import { OptionsError } from '../errors.js';
import type { Actor } from '../event.js';
import { nameActor } from './actor.js';
import { attempt, readMember } from './attempt.js';
import { judge, type Verdict } from './outcome.js';
import { INTEGRATION, type Integrable, type WitnessedAct } from './witnessed.js';

/** What better-auth takes as a plugin, as far as this one is. */
export interface BetterAuthPlugin {
  /** Its name among plugins. */
  id: 'express-strongroom';
  /** Listens for users and sessions that are really created or deleted: a sign-up is answered 200 also when the address is taken. */
  init: () => { options: { databaseHooks: { user: ModelHooks; session: ModelHooks } } };
  /** Listens to the end of each endpoint. */
  hooks: { after: { matcher: (context: object) => boolean; handler: AfterHook }[] };
}

/** Called by better-auth when a row was written. */
type RowHook = (row: object, context: object | null) => Promise<void>;

/** Listeners of one model. */
interface ModelHooks {
  /** Of new rows. */
  create?: { after: RowHook };
  /** Of rows that are gone. */
  delete?: { after: RowHook };
}

/** Called by better-auth after an endpoint; gives nothing back. */
type AfterHook = ((context: object) => Promise<object>) & { options: object };

/** What rows one endpoint wrote. */
interface Written {
  readonly created: unknown[];
  readonly deleted: unknown[];
  /** Whose sessions ended. */
  readonly ended: (Actor | null)[];
}

/**
 * Creates the plugin for one room. It sees sign-ups, sign-ins by any method, sign-outs, password and two-factor changes, deleted users; each is one
 * event, whatever the route says. Mount better-auth's handler after the room.
 *
 * @example
 * ```ts
 * const auth = betterAuth({ database: mongodbAdapter(db), plugins: [twoFactor(), betterAuthPlugin(room)] });
 * app.use(room);
 * app.all('/api/auth/*splat', toNodeHandler(auth));
 * ```
 * @throws {@link OptionsError} OPTIONS_INVALID for anything but a room.
 */
export function betterAuthPlugin(room: RequestHandler): BetterAuthPlugin {
  const witness = (room as Partial<Integrable> | undefined)?.[INTEGRATION];
  if (witness === undefined) throw new OptionsError('betterAuthPlugin() takes a room: what strongroom() gave');
  const rows = new WeakMap<object, Written>();

  function writtenIn(run: object | null): Written | undefined {
    // The context of one endpoint, the same object for database hooks and after it.
    const key = readMember(run, 'context');
    if (typeof key !== 'object' || key === null) return undefined;
    const written = rows.get(key) ?? { created: [], deleted: [], ended: [] };
    rows.set(key, written);
    return written;
  }

  const note =
    (kind: 'created' | 'deleted'): RowHook =>
    async (row, run) => {
      writtenIn(run)?.[kind].push(row);
    };

  const noteEnded: RowHook = async (row, run) => {
    const owner = await findOwner(row, run);
    writtenIn(run)?.ended.push(owner);
  };

  async function tellRoom(run: object): Promise<object> {
    // Read at the end of the request: a plugin after this one may turn a new session into a question for a second factor.
    attempt(() => witness?.(() => actsOf(run, writtenIn(run))));
    return {};
  }

  return {
    id: 'express-strongroom',
    init: () => ({
      options: {
        databaseHooks: {
          user: { create: { after: note('created') }, delete: { after: note('deleted') } },
          session: { delete: { after: noteEnded } },
        },
      },
    }),
    hooks: { after: [{ matcher: () => true, handler: Object.assign(tellRoom, { options: {} }) }] },
  };
}

const SIGN_OUT = '/sign-out';

/** Whose session it was. Its row knows no role, and a sign-out shows nobody the user that it looked up. Never rejects. */
async function findOwner(session: object, run: object | null): Promise<Actor | null> {
  const id = readMember(session, 'userId');
  const users = readMember(readMember(run, 'context'), 'internalAdapter') as Users | undefined;
  try {
    const user = readMember(run, 'path') === SIGN_OUT ? await users?.findUserById(id) : undefined;
    return nameActor(user) ?? nameActor(id);
  } catch {
    // The session is gone already: the sign-out goes on.
    return nameActor(id);
  }
}

/** What better-auth finds users by. */
interface Users {
  findUserById(id: unknown): Promise<unknown>;
}

/** One endpoint that ran. */
interface Endpoint {
  readonly path: string;
  readonly body: unknown;
  /** What it answered, or the error that it threw. */
  readonly returned: unknown;
  /** Who was there before, as far as the endpoint looked. */
  readonly user: Actor | null;
  /** Who has a new session. */
  readonly newUser: Actor | null;
  readonly isBlind: boolean;
  readonly written: Written;
}

function actsOf(run: object, written: Written = { created: [], deleted: [], ended: [] }): readonly WitnessedAct[] {
  const context = readMember(run, 'context');
  const path = readMember(run, 'path');
  const endpoint: Endpoint = {
    path: typeof path === 'string' ? path : '',
    body: readMember(run, 'body'),
    returned: readMember(context, 'returned'),
    user: nameActor(readMember(readMember(context, 'session'), 'user')),
    newUser: nameActor(readMember(readMember(context, 'newSession'), 'user')),
    // Sessions in a secondary storage leave no row.
    isBlind: isThere(readMember(context, 'secondaryStorage')),
    written,
  };
  return [...registrations(endpoint), ...logins(endpoint), ...logouts(endpoint), ...changes(endpoint)];
}

function registrations(endpoint: Endpoint): WitnessedAct[] {
  const { path, body, written, user } = endpoint;
  const acts = written.created.map((row) => {
    const actor = nameActor(row);
    if (path.startsWith('/admin/')) return { ...act('user.create', DONE, user), targetId: actor?.id ?? undefined };
    return { ...act('auth.register', DONE, actor), meta: { emailDomain: emailDomain(readMember(row, 'email')) } };
  });
  if (acts.length > 0 || !path.startsWith('/sign-up/')) return acts;
  const verdict = verdictOf(endpoint, 'auth.register');
  // Nobody was created: the answer only hides that the address is taken.
  const refused = verdict?.status === 'success' ? ({ status: 'failure', reason: 'conflict' } as const) : verdict;
  return [{ ...act('auth.register', refused, null), meta: { emailDomain: emailDomain(readMember(body, 'email')) } }];
}

const SIGN_IN = /^\/(sign-in|sign-up|callback|oauth2\/callback|magic-link\/verify)(\/|$)/;
/** They put the session of somebody else into the browser of somebody who is signed in. */
const SWITCH = /^\/(admin|multi-session)\//;

function logins(endpoint: Endpoint): WitnessedAct[] {
  const { path, returned, user, newUser } = endpoint;
  // A password change and the like renew the session of the same user.
  const isRenewal = !SIGN_IN.test(path) && user !== null && user.id === newUser?.id;
  if (newUser !== null && !isRenewal && !SWITCH.test(path)) return [act('auth.login', DONE, newUser)];
  if (!path.startsWith('/sign-in/')) return [];
  const verdict = verdictOf(endpoint, 'auth.login');
  if (verdict?.status !== 'success') return [act('auth.login', verdict, null)];
  const isPending = readMember(returned, 'twoFactorRedirect') === true;
  return [act('auth.login', isPending ? { status: 'failure', reason: 'mfa_required' } : null, null)];
}

function logouts(endpoint: Endpoint): WitnessedAct[] {
  if (endpoint.path !== SIGN_OUT) return [];
  const verdict = verdictOf(endpoint, 'auth.logout');
  const [ended] = endpoint.written.ended;
  const isNobodys = verdict?.status === 'success' && ended === undefined && !endpoint.isBlind;
  if (isNobodys) return [act('auth.logout', { status: 'failure', reason: 'unauthenticated' }, null)];
  return [act('auth.logout', verdict, ended ?? null)];
}

/** Endpoints by the end of their path, those of plugins included. */
const CHANGES: readonly (readonly [path: RegExp, action: string])[] = [
  [/\/change-password$/, 'auth.password_change'],
  [/\/request-password-reset$/, 'auth.password_reset_request'],
  [/\/reset-password$/, 'auth.password_reset'],
  [/\/two-factor\/enable$/, 'auth.mfa_enable'],
  [/\/two-factor\/disable$/, 'auth.mfa_disable'],
  [/\/two-factor\/verify-(totp|otp|backup-code)$/, 'auth.mfa_verify'],
];

function changes(endpoint: Endpoint): WitnessedAct[] {
  const { path, user, newUser, written } = endpoint;
  const deletions = written.deleted.map((row) => ({
    ...act('user.delete', DONE, user),
    targetId: nameActor(row)?.id ?? undefined,
  }));
  const action = CHANGES.find(([pattern]) => pattern.test(path))?.[1];
  if (action === undefined) return deletions;
  return [...deletions, act(action, verdictOf(endpoint, action), user ?? newUser)];
}

const DONE: Verdict = { status: 'success', reason: null };

function act(action: string, verdict: Verdict | null, actor: Actor | null): WitnessedAct {
  return { source: 'integration', action, verdict, actor };
}

/** By what the endpoint gave; null for a redirect that it threw: that is neither. */
function verdictOf({ returned }: Endpoint, action: string): Verdict | null {
  const statusCode = returned instanceof Error ? readMember(returned, 'statusCode') : undefined;
  if (typeof statusCode !== 'number') return DONE;
  if (statusCode < 400) return null;
  return judge({ ending: 'answered', statusCode, action, hasAuthenticationChanged: false });
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Who a request says is there: where apps keep their user, and the forms that ids and roles take. It knows no time and no rule. */
import type { Request } from 'express';
import { readId } from '../audit/identity.js';
import type { Actor } from '../event.js';
import { attempt, readMember } from './attempt.js';

/** Names the actor of a request, as the app keeps it; null: not known this way, the usual places are looked at. */
export type ActorResolver = (req: Request) => Actor | null;

/** An actor, and what it was read from: another object means that somebody came anew. */
export interface Seen {
  /** Copied, so that a later change of the user object changes nothing here. The role is left out when none was said. */
  readonly actor: Actor & { readonly id: string };
  /** The app's object; undefined when it proves nothing. Compared, never read again. */
  readonly from: unknown;
}

const ID_MEMBERS = ['id', '_id', 'sub', 'userId'];

/** Reads an actor that the app names as one: as `readUser`, and whom it acts for. Never throws. */
export function readActor(value: unknown): Seen['actor'] | null {
  const user = readUser(value);
  return user && { ...user, ...readText(value, 'onBehalfOf'), ...readText(value, 'tenantId') };
}

/** Reads an actor from a user object or a bare id; null when it names nobody. Never throws. */
function readUser(value: unknown): Seen['actor'] | null {
  if (value === undefined || value === null) return null;
  const bare = readId(value);
  if (bare !== undefined) return { id: bare };
  if (typeof value !== 'object' && typeof value !== 'function') return null;
  for (const name of ID_MEMBERS) {
    const id = readId(readMember(value, name));
    if (id !== undefined) return { id, ...readRole(value) };
  }
  return null;
}

/** Names the actor of a user object that was just put in its place: as the app's resolver has it, else by the object. Never throws. */
export function nameActor(user: unknown, req?: Request, resolver?: ActorResolver): Seen['actor'] | null {
  const resolved = resolver === undefined || req === undefined ? null : readActor(attempt(() => resolver(req)));
  return resolved ?? readUser(user);
}

/** Looks for the actor where apps keep theirs, in the order of the documentation. Never throws. */
export function findActor(req: Request, resolver: ActorResolver | undefined): Seen | null {
  if (resolver !== undefined) {
    const actor = readActor(attempt(() => resolver(req)));
    if (actor !== null) return { actor, from: undefined };
  }
  return findUser(req) ?? findAuth(req) ?? findInSession(req);
}

function findUser(req: Request): Seen | null {
  return seen(readMember(req, 'user'));
}

/** `req.auth` of express-jwt, express-oauth2-jwt-bearer (`payload`), express-basic-auth (`user`) and Clerk (a function). */
function findAuth(req: Request): Seen | null {
  const auth = readMember(req, 'auth');
  if (auth === undefined || auth === null) return null;
  const said: unknown = typeof auth === 'function' ? attempt(() => auth.call(req) as unknown) : undefined;
  for (const place of [said, typeof auth === 'string' ? undefined : auth]) {
    const actor = readUser(place) ?? readUser(readMember(place, 'payload')) ?? readUser(readMember(place, 'user'));
    // A function gives a new object each time; the function itself is what was assigned.
    if (actor !== null) return { actor, from: auth };
  }
  return null;
}

function findInSession(req: Request): Seen | null {
  const session = readMember(req, 'session');
  const user = readMember(session, 'user');
  const bySession = seen(user) ?? seen(readMember(readMember(req, 'oidc'), 'user'));
  if (bySession !== null) return bySession;
  const actor = readUser(readMember(session, 'userId'));
  return actor && { actor, from: session };
}

function seen(value: unknown): Seen | null {
  const actor = readUser(value);
  return actor && { actor, from: value };
}

function readRole(user: unknown): { role?: string } {
  const role = readId(readMember(user, 'role')) ?? firstOf(readMember(user, 'roles'));
  return role === undefined ? {} : { role };
}

function firstOf(roles: unknown): string | undefined {
  return Array.isArray(roles) ? readId(attempt(() => roles[0] as unknown)) : undefined;
}

function readText<Name extends 'onBehalfOf' | 'tenantId'>(user: unknown, name: Name): { [Key in Name]?: string } {
  const text = readId(readMember(user, name));
  return (text === undefined ? {} : { [name]: text }) as { [Key in Name]?: string };
}

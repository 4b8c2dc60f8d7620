/** Who was there before the act, and who came or went: looks at the request at its turning points. It knows no rule and no response. */
import type { Request } from 'express';
import type { Actor } from '../event.js';
import { type ActorResolver, findActor, type Seen } from './actor.js';
import { readMember } from './attempt.js';

/** A turning point: who was there, in which session, and whether somebody was assigned since. */
interface Mark {
  readonly seen: Seen | null;
  readonly session: unknown;
  hasAssigned: boolean;
}

/**
 * Follows the actor of one request. The act begins where the last route was taken, or with the middleware when there is no route: what came
 * earlier was there before, what comes later belongs to the act. Nothing here throws.
 */
export class Presence {
  readonly #req: Request;
  readonly #resolver: ActorResolver | undefined;
  #act: Mark;
  #abort: Mark | null = null;
  /** Who was there when the act began, or came first since. */
  #before: Seen | null;
  /** The last who was seen at all; somebody who left meanwhile still was there before. */
  #latest: Seen | null;

  constructor(req: Request, resolver: ActorResolver | undefined) {
    this.#req = req;
    this.#resolver = resolver;
    this.#act = this.#mark();
    this.#before = this.#act.seen;
    this.#latest = this.#act.seen;
  }

  /** `req.user` or `req.auth` was assigned: a snapshot, since the object may change before the end. */
  assigned(): void {
    const seen = this.#look();
    if (seen === null) return;
    this.#latest = seen;
    this.#before = firstOf(this.#before, seen);
    this.#act.hasAssigned = true;
    if (this.#abort !== null) this.#abort.hasAssigned = true;
  }

  /** A route was taken: whoever is known by now was there before the act. */
  routed(): void {
    this.#act = this.#mark();
    this.#latest = this.#act.seen ?? this.#latest;
    this.#before = this.#latest;
  }

  /** The client is gone: what changes from here on was completed without it. */
  aborted(): void {
    this.#abort = this.#mark();
  }

  /** Who is there now. */
  now(): Actor | null {
    return this.#look()?.actor ?? null;
  }

  /** Who was there before the act, with the role of that time; else who appeared first. */
  before(): Actor | null {
    return this.#before?.actor ?? null;
  }

  /** Who came during the act; null when nobody did, however many were there before. */
  came(): Actor | null {
    return cameSince(this.#act, this.#look());
  }

  /** Whether somebody who was there is not there any more, or the session is gone that held them. */
  went(): boolean {
    return this.#before !== null && this.#isGone(this.#act);
  }

  /** Whether somebody came after the client had gone. */
  cameAfterAbort(): boolean {
    return this.#abort !== null && cameSince(this.#abort, this.#look()) !== null;
  }

  /** Whether somebody went after the client had gone. */
  wentAfterAbort(): boolean {
    return this.#abort !== null && this.#abort.seen !== null && this.#isGone(this.#abort);
  }

  #isGone(mark: Mark): boolean {
    return this.#look() === null || (isThere(mark.session) && !isThere(readMember(this.#req, 'session')));
  }

  #mark(): Mark {
    return { seen: this.#look(), session: readMember(this.#req, 'session'), hasAssigned: false };
  }

  #look(): Seen | null {
    return findActor(this.#req, this.#resolver);
  }
}

function cameSince(mark: Mark, now: Seen | null): Actor | null {
  if (now === null) return null;
  if (mark.hasAssigned || mark.seen === null || mark.seen.actor.id !== now.actor.id) return now.actor;
  // The same user in another object: a login of somebody who was signed in already.
  return now.from !== undefined && now.from !== mark.seen.from ? now.actor : null;
}

/** The first one, but with the role of the second when the first named none: a token is often completed from the database. */
function firstOf(first: Seen | null, second: Seen): Seen {
  if (first === null) return second;
  return first.actor.role === undefined && first.actor.id === second.actor.id ? second : first;
}

function isThere(session: unknown): boolean {
  return session !== undefined && session !== null;
}

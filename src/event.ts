/** The words of the trail: what an event is, what a caller drafts, who acts. Types only; names and meanings are part of semver. */

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** How an act ended: done, refused, or broken. */
export type AuditStatus = 'success' | 'failure' | 'error';

/**
 * Names of your own actions, for completion and checking; the built-in ones need no entry.
 *
 * @example
 * ```ts
 * declare module 'express-strongroom' {
 *   interface ActionMap { 'order.refund': unknown }
 * }
 * ```
 */
export interface ActionMap {}

/** Who acts. */
export interface Actor {
  /** The user's id, at most 128 characters; null: nobody proven. */
  id: string | null;
  /** The role at the time of the act, at most 64 characters, stored in upper case. @defaultValue `'USER'` */
  role?: string | undefined;
  /** The customer for whom support staff acts. */
  onBehalfOf?: string | undefined;
  /** The tenant to which the act belongs. */
  tenantId?: string | undefined;
}

/** What a caller says about an act; everything else is filled from the request's context. Longer text than allowed is cut, never refused. */
export interface AuditDraft {
  /** What was done, e.g. `'user.delete'`; at most 64 characters. An unregistered name is stored and warned about once. */
  action: keyof ActionMap | (string & {});
  /** Type of the resource acted on, at most 64 characters. @defaultValue `'system'` */
  target?: string | undefined;
  /** Id of the resource, at most 128 characters. */
  targetId?: string | null | undefined;
  /** How it ended. @defaultValue `'success'` */
  status?: AuditStatus | undefined;
  /** Why, in a word: `invalid_credentials`, `forbidden`; at most 256 characters. */
  reason?: string | null | undefined;
  /** Who did it; left out: the request's actor, or the one of `runAs`. */
  actorId?: string | null | undefined;
  /** The actor's role at the time, stored in upper case. */
  actorRole?: string | undefined;
  /** The customer for whom support staff acts. */
  onBehalfOf?: string | null | undefined;
  /** The tenant to which the act belongs. */
  tenantId?: string | null | undefined;
  /** Anything else, redacted and made JSON; at most 64 keys a level, 16 levels, 64 KiB. */
  meta?: Record<string, unknown> | undefined;
  /** When it happened. The past is allowed, the future becomes now. @defaultValue now */
  at?: Date | undefined;
  /** The client's address; anything that is no IP address becomes null. */
  ipAddress?: string | null | undefined;
  /** The client's user agent, untrusted, at most 255 characters. */
  userAgent?: string | null | undefined;
  /** A label that ties the events of one request together. */
  requestId?: string | null | undefined;
}

/** The members of a draft that every recording helper takes. */
export type Context = Pick<AuditDraft, 'actorRole' | 'ipAddress' | 'userAgent' | 'requestId' | 'meta'>;

/** What saw the act. */
export type AuditSource = 'api' | 'route' | 'passport' | 'mongoose' | 'integration' | 'system';

/** The HTTP side of an act. */
export interface AuditHttp {
  /** Request method. */
  readonly method: string;
  /** Route pattern such as `/users/:id/role`, at most 256 characters; null without a route. */
  readonly route: string | null;
  /** Status of the finished response; null while it is not over, and when it never was. */
  readonly status: number | null;
}

/** One stored event. It is never changed after it was written. */
export interface AuditEvent {
  /** `<stream ULID>.<sequence number, 12 digits>`. */
  readonly _id: string;
  /** Version of this shape. */
  readonly v: 1;
  /** When it happened, UTC; never in the future. */
  readonly at: Date;
  /** Which service, from the option `audit.app`. */
  readonly app: string | null;
  /** Which tenant, from the draft, `runAs` or the option `audit.tenant`. */
  readonly tenantId: string | null;
  /** Who did it; null: nobody proven. */
  readonly actorId: string | null;
  /** The actor's role at the time, before the change; upper case. */
  readonly actorRole: string;
  /** The customer for whom support staff acted. */
  readonly onBehalfOf: string | null;
  /** What was done. */
  readonly action: string;
  /** Type of the resource. */
  readonly target: string;
  /** Id of the resource. */
  readonly targetId: string | null;
  /** How it ended. */
  readonly status: AuditStatus;
  /** Why, in a word. */
  readonly reason: string | null;
  /** The client's IP address. */
  readonly ipAddress: string | null;
  /** The client's user agent, untrusted. */
  readonly userAgent: string | null;
  /** Label of the request. */
  readonly requestId: string | null;
  /** What saw it. */
  readonly source: AuditSource;
  /** The HTTP side; null outside a request. */
  readonly http: AuditHttp | null;
  /** Anything else; `{}` when empty. */
  readonly meta: Readonly<Record<string, Json>>;
  /** 16 random bytes, base64url: a hash that outlives the event gives nothing away. */
  readonly salt: string;
}

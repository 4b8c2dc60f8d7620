/** The pinned names and shapes that users' code relies on, word for word; api.ts holds the package to them. What later versions bring is left out. */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { HelmetOptions } from 'helmet';
import type { Connection, Model, Schema } from 'mongoose';

export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;     // a number is milliseconds
export type Environment = 'production' | 'development' | 'test';
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

// ---- composition -------------------------------------------------------------------------------------------------
export declare function strongroom(options: StrongroomOptions): Strongroom;

export interface Strongroom extends RequestHandler {
  readonly secrets: SecretManager;
  readonly audit: AuditTrail;
  readonly hooks: Hooks;
  roleChanges(options?: RoleChangeOptions): (schema: Schema) => void;           // mongoose plugin for the users' schema
  ready(options?: { timeout?: Duration /* '10s' */ }): Promise<ReadyReport>;
  close(options?: { timeout?: Duration /* '10s' */ }): Promise<void>;           // idempotent; what could not be stored by then is counted in audit:lost
}
export interface StrongroomOptions {
  secrets?: SecretsOptions;
  audit: AuditOptions | false;                                                  // false: req.audit and room.audit are there, validate, and store nothing; reads are empty
  helmet?: HelmetOptions | boolean;                                             // default: helmet's headers that cannot break a page (no CSP, HSTS, COOP, CORP); true: helmet's own defaults; false: none
  environment?: Environment;                                                    // production if this, NODE_ENV or APP_ENV says so; a warning, once, when it had to be guessed
  hooks?: { events?: EventListeners; filters?: Filters };
}
export interface ReadyReport {
  environment: Environment;
  secrets: { checked: number };
  audit: false | {
    enforcement: 'enforced' | 'unenforced' | 'unknown';
    indexes: 'ok' | 'created' | 'missing' | 'unknown';                          // missing ones are built on first use where the user may
    evidence: 'signed' | 'throwaway' | 'unsealed' | false;
  };
}

// ---- secrets: req.secrets is a SecretsAccessor, room.secrets a SecretManager ---------------------------------------
export interface SecretsAccessor {
  get(name: string, options?: { default?: string; refresh?: boolean; signal?: AbortSignal }): Promise<string>;
  getMany(names: readonly string[]): Promise<Record<string, string>>;           // null prototype; rejects naming all that are missing
  has(name: string): Promise<boolean>;
  sealed(name: string): Promise<SealedSecret>;
}
export interface SealedSecret { reveal(): string; equals(candidate: string): boolean }   // prints as [secret NAME] everywhere
export interface SecretManager extends SecretsAccessor {
  set(name: string, value: string): Promise<void>;                              // provider.set, then invalidate; a room also records secret.rotate
  invalidate(name?: string): number;                                            // how many entries went; an in-flight fetch never brings the old value back
  ready(): Promise<void>;                                                       // rejects naming every missing `required` secret
  stats(): { hits: number; misses: number; staleHits: number; coalesced: number; providerCalls: number; providerErrors: number; entries: number };
  close(): Promise<void>;
}
export interface SecretsOptions {
  provider?: ProviderName | SecretProvider | readonly (ProviderName | SecretProvider)[];   // an array is an ordered fallback chain
  ttl?: Duration;                                                               // default '5m'; 0 = always fresh, still single-flight
  ttls?: Readonly<Record<string, Duration>>;                                    // per secret
  required?: readonly string[];
  staleIfError?: Duration;                                                      // default '1h': how long an expired value may stand in while the provider is down
  timeout?: Duration;                                                           // default '10s': a provider that has not answered by then has failed
  now?: () => number;                                                           // clock in ms, for tests; default is monotonic
}
export type ProviderName = 'env' | 'dotenv' | 'file' | 'memory';
export interface SecretProvider {
  readonly name: string;
  readonly productionSafe?: boolean;                                            // default true
  get(name: string, context: { signal: AbortSignal }): Promise<string | undefined>;   // undefined = not there; throw = could not tell; throw with code 'DENIED' = no stale value either
  set?(name: string, value: string): Promise<void>;
  close?(): Promise<void>;
}
export declare function createSecretManager(options?: SecretsOptions & { environment?: Environment; hooks?: { events?: EventListeners } }): SecretManager;   // records nothing
export declare function getSecretManager(): SecretManager;                      // the process-wide one, configured by SECRETS_PROVIDER; the same instance from import and from require
export declare function envProvider(options?: { prefix?: string; source?: Record<string, string | undefined> }): SecretProvider;
export declare function dotenvProvider(options?: { path?: string }): SecretProvider;
export declare function fileProvider(options: { directory: string }): SecretProvider;
export declare function memoryProvider(values?: Record<string, string>): SecretProvider;

// ---- audit: req.audit is a RequestAudit, room.audit an AuditTrail; both take the current request's context by themselves ----
export interface AuditRecorder {
  record(draft: AuditDraft): Promise<AuditEvent>;                               // resolves when durable; rejects after `timeout`, the event stays queued
  recordLogin(o: { userId: string | null; success: boolean; attempted?: string; reason?: string } & Context): Promise<AuditEvent>;
  recordLogout(o: { userId: string } & Context): Promise<AuditEvent>;
  recordRegistration(o: { userId: string; email: string } & Omit<Context, 'meta'>): Promise<AuditEvent>;
  recordRoleChange(o: { actorId?: string; userId: string; oldRole: string | null; newRole: string | null } & Omit<Context, 'meta'>): Promise<AuditEvent>;
  recordFailure(o: { action: string; target: string; error: string | Error } & Context): Promise<AuditEvent>;   // status 'error'
}
export interface RequestAudit extends AuditRecorder {
  outcome(o: { status?: AuditStatus; reason?: string; actor?: Actor; targetId?: string; meta?: Record<string, unknown> }): void;   // completes or corrects what the route rule would say
  skip(): void;                                                                 // this request is not auto-logged; void for actions under `strict`
}
export interface AuditTrail extends AuditRecorder {
  find(query?: AuditQuery): Promise<{ events: AuditEvent[]; next: string | null }>;   // newest first, opaque keyset cursor
  count(query?: AuditFilter): Promise<number>;                                  // exact, or rejects QUERY_TIMEOUT
  aggregate(o: { by: readonly ('action' | 'actorId' | 'actorRole' | 'target' | 'targetId' | 'status' | 'ipAddress' | 'tenantId')[]; interval?: 'hour' | 'day' } & AuditFilter): Promise<AuditGroup[]>;   // largest first; intervals in UTC
  stream(query?: AuditFilter): AsyncIterable<AuditEvent>;                       // all of them, newest first
  runAs<T>(actor: Actor, work: () => T): T;                                     // attribution for jobs
  flush(): Promise<void>;                                                       // what was recorded so far is durable
  stats(): { pending: number; pendingBytes: number; oldestMs: number; recorded: number; refused: number; lost: number; lastDurableAt: Date | null };
  readonly model: Model<AuditEvent>;                                            // for reading; append-only
}
export interface AuditFilter {
  actorId?: string | null; action?: string | readonly string[] /* <= 50 */; target?: string; targetId?: string; status?: AuditStatus; ipAddress?: string; requestId?: string; tenantId?: string;
  from?: Date | string; to?: Date | string;                                     // ISO 8601; from inclusive, to exclusive
}
export interface AuditQuery extends AuditFilter {
  limit?: number;                                                               // 1..1000, default 50
  cursor?: string;                                                              // bound to its filter, not to its limit; valid at every instance; with a checksum
}                                                                               // an unknown key, a wrong type, a limit out of range: QUERY_INVALID, never clamped or ignored
export interface AuditGroup { key: Record<string, string | null>; count: number; from?: Date /* start of the interval */ }
export interface AuditOptions {
  connection?: Connection;                                                      // stays the user's: close() leaves it open
  uri?: string | { secret: string };                                            // exactly one of the two; a database of its own is recommended
  collection?: string;                                                          // default 'audit_events'
  app?: string; tenant?: (req: Request) => string | null;                       // stored with every event; `tenant` brings the index {tenantId, at, _id}
  rules?: readonly CaptureRule[] | ((defaults: readonly CaptureRule[]) => readonly CaptureRule[]);
  actions?: readonly string[];                                                  // your own action names, known without a warning
  actor?: (req: Request) => Actor | null;
  requestId?: (req: Request) => string | undefined;
  redact?: { keys?: readonly (string | RegExp)[]; values?: readonly RegExp[] }; // added to the built-in ones
  ipAddress?: 'full' | 'truncated' | 'none'; userAgent?: boolean;               // default 'full', true
  pseudonymKey?: string;                                                        // secret that keys pseudonyms; default 'AUDIT_PSEUDONYM_KEY' where it exists
  timeout?: Duration;                                                           // default '30s': how long an awaited record() waits
  maxPendingBytes?: number;                                                     // default 64 MiB of events that wait for MongoDB
  abandonAfter?: Duration;                                                      // default '5m': a request that never ends is recorded as error / no_response
  passport?: object;                                                            // the app's passport instance
  evidence?: EvidenceOptions | false;
  dangerouslyAllowUnenforced?: boolean;
  strict?: boolean | readonly string[];                                         // actions whose response waits for durability
  spool?: { directory: string; maxBytes?: number } | false;                     // default false: a directory on a persistent disk is the user's choice
  failureLimit?: { burst: number; perSecond: number } | false;                  // default 1,000 and 100: failures that name no actor, above that summed
}
export interface Actor { id: string | null; role?: string; onBehalfOf?: string; tenantId?: string }
export interface AuditDraft {                                                   // everything else is filled from the context
  action: keyof ActionMap | (string & {}); target?: string /* 'system' */; targetId?: string | null; status?: AuditStatus /* 'success' */; reason?: string | null;
  actorId?: string | null; actorRole?: string; onBehalfOf?: string | null; tenantId?: string | null; meta?: Record<string, unknown>;
  at?: Date;                                                                    // the past is allowed; the future becomes now
  ipAddress?: string | null; userAgent?: string | null; requestId?: string | null;
}
export interface ActionMap {}                                                   // add your own: declare module 'express-strongroom' { interface ActionMap { 'order.refund': unknown } }
export type AuditStatus = 'success' | 'failure' | 'error';
export type Context = Pick<AuditDraft, 'actorRole' | 'ipAddress' | 'userAgent' | 'requestId' | 'meta'>;
export interface CaptureRule { method: string | readonly string[]; path: string | RegExp; action: string; target?: string; when?: (req: Request, res: Response) => boolean; describe?: (req: Request, res: Response) => Partial<AuditDraft> }
export interface AuditEvent {                                                   // ARCHITECTURE.md section 4
  readonly _id: string; readonly v: 1; readonly at: Date; readonly app: string | null; readonly tenantId: string | null;
  readonly actorId: string | null; readonly actorRole: string; readonly onBehalfOf: string | null;
  readonly action: string; readonly target: string; readonly targetId: string | null; readonly status: AuditStatus; readonly reason: string | null;
  readonly ipAddress: string | null; readonly userAgent: string | null; readonly requestId: string | null;
  readonly source: 'api' | 'route' | 'passport' | 'mongoose' | 'integration' | 'system';
  readonly http: { readonly method: string; readonly route: string | null; readonly status: number | null } | null;
  readonly meta: Readonly<Record<string, Json>>; readonly salt: string;
}

// ---- mongoose -----------------------------------------------------------------------------------------------------
export declare function appendOnly(schema: Schema, options?: { onViolation?: (violation: { operation: string; collection: string }) => void }): void;   // usable on any schema
export interface RoleChangeOptions { paths?: readonly string[] /* ['role', 'roles'] */; target?: string; action?: string }

// ---- hooks --------------------------------------------------------------------------------------------------------
export interface Hooks {
  on<E extends keyof EventMap>(event: E, listener: (payload: EventMap[E]) => void | Promise<void>): () => void;   // returns its own removal; an unknown name throws
  filter<F extends keyof FilterMap>(name: F, filter: FilterMap[F]): () => void;
}
export interface EventMap {                                                     // facts, told after the act; never a secret's value
  'audit:recorded': { event: AuditEvent };                                      // told when record() resolves
  'audit:failed': { draft: AuditDraft; error: Error; retrying: boolean };       // redacted
  'audit:lost': { count: number; reason: string };
  'audit:blocked': { operation: string; collection: string };                   // the append-only guard refused something
  'audit:alarm': { kind: string; where: string; detail: string };
  'secret:fetched': { name: string; provider: string; ms: number };
  'secret:rotated': { name: string; source: 'set' | 'provider' };
  'secret:failed': { name: string; provider: string; code: string };
  'hook:failed': { hook: string; error: Error };
}
export interface FilterMap {
  'audit:draft': (draft: AuditDraft) => AuditDraft | null | Promise<AuditDraft | null>;   // before redaction. null: not recorded, counted, record() rejects AUDIT_REFUSED; not for actions under `strict`.
                                                                                // A throw, a hang (1 s) or a wrong shape is counted and skipped: recorded as it was
  'audit:redact': (meta: Record<string, Json>) => Record<string, Json>;         // a last redaction, after the built-in one; a throw leaves meta {}
}
export type EventListeners = { [E in keyof EventMap]?: (payload: EventMap[E]) => void | Promise<void> };
export type Filters = { [F in keyof FilterMap]?: FilterMap[F] };

// ---- errors -------------------------------------------------------------------------------------------------------
export declare class StrongroomError extends Error { readonly code: `ERR_STRONGROOM_${string}`; readonly status: number; readonly expose: false; readonly help: string }
// OptionsError   OPTIONS_INVALID
// SecretError    SECRET_NOT_FOUND, SECRET_PROVIDER_FAILED, SECRET_TIMEOUT, SECRET_DENIED, SECRET_INSECURE_IN_PRODUCTION, SECRET_PROVIDER_UNKNOWN, SECRET_READ_ONLY
// AppendOnlyError  APPEND_ONLY_VIOLATION
// AuditWriteError  AUDIT_WRITE_FAILED, AUDIT_UNAVAILABLE, AUDIT_REFUSED, AUDIT_UNENFORCED, AUDIT_KEY_MISSING
// QueryError     QUERY_INVALID (400), QUERY_TIMEOUT (503)
// StateError     CLOSED, LEDGER_ALARM
// each code is prefixed: error.code === 'ERR_STRONGROOM_SECRET_NOT_FOUND'. A caller's AbortSignal rejects with its own reason.

// ---- evidence ----------------------------------------------------------------------------
export interface EvidenceOptions {
  origin?: string;                      // log name, e.g. 'audit.example.com/prod'; default: the key's name; one that differs from it is OPTIONS_INVALID
  key?: string;                         // name of the secret that holds the signing key; default 'AUDIT_SIGNING_KEY'
  signer?: Signer;                      // instead of a key: KMS, HSM
  keys?: readonly string[];             // vkeys of the other writers (rotation, several signers); one's own is always trusted
  sealEvery?: Duration;                 // default '1s'
  deadAfter?: Duration;                 // default '5m'
  anchors?: readonly Anchor[];          // default in production: stdoutAnchor({ every: '1m' })
  required?: boolean;                   // default true in production: no key, no start; `evidence: false` says no on purpose
}
export interface Signer { readonly vkey: string; sign(bytes: Uint8Array): Promise<Uint8Array> }
export interface Anchor { put(note: string): Promise<void>; latest?(): Promise<string | null> }
export declare function stdoutAnchor(options?: { every?: Duration }): Anchor;
export declare function fileAnchor(path: string, options?: { every?: Duration }): Anchor;
export interface Evidence {             // AuditTrail extends this
  seal(): Promise<void>;                // seal what is durable now; for tests, serverless, shut-down
  verify(o: { keys: readonly string[]; anchors?: readonly string[]; state?: VerifyState; onProgress?: (progress: { done: number; total: number }) => void }): Promise<VerifyReport>;
  prove(id: string): Promise<string>;   // the text of a .tlog-proof
}
export interface VerifyReport {
  readonly intact: boolean; readonly events: number; readonly entries: number; readonly newest: string | null; readonly state: VerifyState;
  readonly violations: readonly { kind: ViolationKind; where: string; detail: string }[];
  readonly warnings: readonly { kind: WarningKind; where: string; detail: string }[];
}
export interface VerifyState { readonly v: 1; readonly [key: string]: Json }
export declare function assertIntact(report: VerifyReport): void;
export type ViolationKind = 'ledger-gap' | 'ledger-entry-malformed' | 'ledger-note-malformed' | 'ledger-root-mismatch' | 'ledger-bad-signature' | 'ledger-no-known-signature' | 'ledger-retired-key' | 'ledger-origin' | 'ledger-peaks'
  | 'ledger-index-field' | 'ledger-truncated' | 'ledger-forked' | 'stream-unregistered' | 'stream-reopened' | 'segment-gap' | 'seal-after-close' | 'time-regression' | 'event-edited' | 'event-missing' | 'event-inserted' | 'event-unsealed'
  | 'event-malformed' | 'event-type' | 'event-time' | 'leaves-damaged' | 'segment-root';
export type WarningKind = 'unsealed-tail' | 'recovered-segment' | 'adopted-history' | 'event-late' | 'stream-open' | 'stream-not-closed' | 'anchor-unusable';

declare global { namespace Express { interface Request { readonly secrets: SecretsAccessor; readonly audit: RequestAudit } } }

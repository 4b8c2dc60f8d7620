/** The composition root: the only file that knows everything. It wires what spans two folders and does nothing else. */
import type { Request, RequestHandler, Response, NextFunction } from 'express';
import type { Schema } from 'mongoose';
import { createAlarm } from './audit/alarm.js';
import { stdoutAnchor } from './audit/anchors.js';
import { createComposer } from './audit/compose.js';
import { createScopeStorage, type ScopeStorage } from './audit/context.js';
import { createEmptyStore } from './audit/empty-store.js';
import { resolveEvidenceOptions } from './audit/evidence-options.js';
import type { LedgerStore } from './audit/ledger-store.js';
import { type ResolvedRecordingOptions, resolveRecordingOptions } from './audit/options.js';
import { Recorder } from './audit/recorder.js';
import type { RecordDraft } from './audit/recording.js';
import { createRedactor, type Redactor } from './audit/redaction.js';
import { Sealer } from './audit/sealer.js';
import { findSigning } from './audit/signing.js';
import type { AuditStore } from './audit/store.js';
import { createIsStrict } from './audit/strict-actions.js';
import { createVocabulary } from './audit/vocabulary.js';
import { createWitness } from './audit/witness.js';
import { OptionsError, SecretError } from './errors.js';
import { createHooks, type HookBus, type Hooks } from './hooks.js';
import { createHttpLayer, type HttpLayer } from './http/middleware.js';
import { type ResolvedCaptureOptions, resolveCaptureOptions } from './http/options.js';
import { createStrictRecord } from './http/strict-record.js';
import { INTEGRATION } from './http/witnessed.js';
import { createLifecycle, type Lifecycle } from './lifecycle.js';
import { openConnection, useConnection } from './mongo/connection.js';
import { createLedgerStore } from './mongo/ledger-store.js';
import { createRoleChanges, type RoleChangeOptions, type RoleChanges } from './mongo/role-changes.js';
import { compileModel } from './mongo/schema.js';
import { createMongoStore } from './mongo/store.js';
import { type AuditTrail, createTrail } from './mongo/trail.js';
import { createVerify } from './mongo/verification.js';
import { type AuditOptions, assertStrongroomOptions, type StrongroomOptions } from './options.js';
import { type Environment, resolveEnvironment } from './secrets/environment.js';
import { openSecretManager, readCachedValues, restrictAccessor, type SecretManager } from './secrets/manager.js';
import { createTelemetry, type Telemetry } from './telemetry.js';

/** An Express middleware that also carries what the app needs outside a request. */
export interface Strongroom extends RequestHandler, Lifecycle {
  /** The secrets; `req.secrets` is the same without the right to change them and without the package's own keys. */
  readonly secrets: SecretManager;
  /** The trail. */
  readonly audit: AuditTrail;
  /** Listeners and filters. */
  readonly hooks: Hooks;
  /**
   * Makes a mongoose plugin for the schema of your users, on mongoose 8.9 to 9: each user whose role really changed gives one
   * `user.role_change` with `meta: { oldRole, newRole }`, whoever changed it and by whatever means of mongoose, in the name of the request, of
   * `runAs`, else of the system.
   *
   * Seen: `save`, `updateOne`, `updateMany`, `replaceOne`, every `findOneAnd...` and `findByIdAnd...`, `bulkWrite`, `bulkSave`, the methods of
   * documents, pipelines, also with `{ middleware: false }` and through `Model.collection`. New and deleted users are no role change. Roles in an
   * array are a set, told sorted and joined by commas; no role is null. A transaction is told when it is committed, as the change from before it to
   * after it. A write that touches no watched path costs nothing; another one a read before and a read after, in its session.
   *
   * Old and new belong together in a transaction, and, for writes to one user (`save`, `updateOne`, `findOneAnd...`), among all that this
   * process writes. Not promised: when another process changes the same user between the read and the write, its step may be told as part of this
   * one; `findOneAnd...` has the true old role even then. `updateMany` and `bulkWrite` compare what was there before the whole of it with
   * what is there after; what others change meanwhile is folded in. Keeping them apart would mean to lock users, which a log must not do.
   *
   * **Not seen**: the raw driver, `connection.bulkWrite`, `$merge` and `$out`, the shell, other programs. When a role could not be read, the user's write
   * goes on as ever, and `audit:lost` and an `audit.gap` in the trail say that something is missing.
   *
   * @example
   * ```ts
   * userSchema.plugin(room.roleChanges()); // before the model is compiled
   * ```
   * @throws {@link OptionsError} OPTIONS_INVALID naming the option's path.
   */
  roleChanges(options?: RoleChangeOptions): (schema: Schema) => void;
}

const SIGNING_KEY = 'AUDIT_SIGNING_KEY';
const PSEUDONYM_KEY = 'AUDIT_PSEUDONYM_KEY';

/**
 * Creates the middleware. No I/O: the database is reached at the first event, or by `ready()`.
 *
 * @example
 * ```ts
 * const room = strongroom({ audit: { uri: { secret: 'AUDIT_URI' } } });
 * app.use(room);
 * await room.ready();
 * ```
 * @throws {@link OptionsError} OPTIONS_INVALID naming the option's path.
 * @throws {@link SecretError} SECRET_PROVIDER_UNKNOWN, SECRET_INSECURE_IN_PRODUCTION
 */
export function strongroom(options: StrongroomOptions): Strongroom {
  assertStrongroomOptions(options);
  const environment = resolveEnvironment(options.environment);
  const hooks = createHooks(options.hooks);
  const scopes = createScopeStorage();
  const recordAct = (action: string) => (name?: string) => recordSecretAct(record, action, name);
  const acts = { onSet: recordAct('secret.rotate'), onInvalidate: recordAct('secret.invalidate') };
  const secrets = openSecretManager({ options: options.secrets, environment, hooks, ...acts });
  const audit = options.audit === false ? {} : options.audit;
  const recording = resolveRecordingOptions(audit);
  const capture = resolveCaptureOptions(audit);
  const redactor = createRedactor({ ...recording.redact, secretValues: () => readCachedValues(secrets) });
  const around = { hooks, secrets, environment, telemetry: createTelemetry({ hooks, secrets }) };
  const storage = openStorage(options.audit, around);
  const sealer = createSealer(options, { ...around, ledger: storage.ledger, currentStream: () => recorder.stream });
  const { recorder, record } = createRecorder(recording, { ...storage, ...around, redactor, scopes, sealer, capture });
  const roles = watchRoles(options, { recorder, record, scopes });
  const http = createHttpLayer({
    record,
    isSeenInData: roles.isSeen,
    scopes,
    secrets: restrictAccessor(secrets, ownKeys(options, recording.pseudonymKey)),
    helmet: options.helmet,
    audit: { ...capture, enabled: options.audit !== false },
    recording,
    redact: (text) => redactor.text(text),
    hookFailed: hooks.failed,
  });
  const settleActs = () => Promise.all([http.settle(), roles.settle(recording.timeoutMs)]);

  return assemble(http, {
    secrets,
    audit: createTrail({ ...storage, recorder, record, scopes, sealer, settleActs }),
    hooks: { on: hooks.on, filter: hooks.filter },
    roleChanges: roles.plugin,
    ...createLifecycle({ ...storage, ...around, options, recorder, http, roles, sealer }),
  });
}

function recordSecretAct(record: RecordDraft, action: string, name: string | undefined): void {
  void record({ action, target: 'secret', targetId: name ?? null }, { source: 'system' });
}

/** Where events go, and the model to read them by. */
interface Storage {
  readonly store: AuditStore;
  readonly collection: string;
  /** Null with `audit: false`. */
  readonly ledger: LedgerStore | null;
  readonly verify: AuditTrail['verify'];
  readonly readModel: () => AuditTrail['model'];
}

interface StorageSurroundings {
  readonly hooks: HookBus;
  readonly secrets: SecretManager;
  readonly environment: Environment;
}

const DEFAULT_COLLECTION = 'audit_events';

function openStorage(options: AuditOptions | false, around: StorageSurroundings): Storage {
  if (options === false) {
    const nothing = { store: createEmptyStore(), ledger: null, verify: createVerify(null), readModel: refuseModel };
    return { ...nothing, collection: DEFAULT_COLLECTION };
  }
  const { connection, uri, collection = DEFAULT_COLLECTION } = options;
  const mustBeEnforced = around.environment === 'production' && options.dangerouslyAllowUnenforced !== true;
  const link =
    connection === undefined ? openConnection(() => readUri(uri, around.secrets)) : useConnection(connection);
  const model = compileModel(link.connection, collection, (violation) => {
    around.hooks.emit('audit:blocked', violation);
  });
  return {
    collection,
    ledger: createLedgerStore({ link, collection }),
    verify: createVerify({ link, collection, deadAfterMs: readDeadAfter(options) }),
    store: createMongoStore({ link, collection, tenant: options.tenant !== undefined, mustBeEnforced }),
    readModel: () => model,
  };
}

function readDeadAfter({ evidence }: AuditOptions): number {
  return resolveEvidenceOptions(evidence === false ? {} : (evidence ?? {})).deadAfterMs;
}

function refuseModel(): never {
  throw new OptionsError('audit is false: there is no collection and no model');
}

/** Asked at each attempt to connect, past the cache: a rotated password is found without a restart. */
async function readUri(uri: AuditOptions['uri'], secrets: SecretManager): Promise<string> {
  if (typeof uri === 'object') return secrets.get(uri.secret, { refresh: true });
  return uri ?? '';
}

/** The value of a secret; null where there is none. Rejects when that could not be told: a default would stand in for a provider that is down, too. */
async function readOptional(secrets: SecretManager, name: string): Promise<string | null> {
  try {
    return (await secrets.get(name)) || null;
  } catch (error) {
    if (error instanceof SecretError && error.code === 'ERR_STRONGROOM_SECRET_NOT_FOUND') return null;
    throw error;
  }
}

interface SealerSurroundings {
  readonly hooks: HookBus;
  readonly secrets: SecretManager;
  readonly environment: Environment;
  readonly currentStream: () => string;
  readonly ledger: LedgerStore | null;
}

/** Null: nothing is to be sealed. */
function createSealer({ audit }: StrongroomOptions, around: SealerSurroundings): Sealer | null {
  const { hooks, secrets, environment, currentStream, ledger } = around;
  if (audit === false || audit.evidence === false || ledger === null) return null;
  const evidence = resolveEvidenceOptions(audit.evidence ?? {});
  const isProduction = environment === 'production';
  const { collection = DEFAULT_COLLECTION } = audit;
  const readKey = (): Promise<string | null> => readOptional(secrets, evidence.key);
  return new Sealer({
    store: ledger,
    options: evidence,
    anchors: evidence.anchors ?? (isProduction ? [stdoutAnchor()] : []),
    app: audit.app ?? null,
    raise: createAlarm(hooks),
    currentStream,
    findSigning: () => findSigning({ options: evidence, isProduction, collection, readKey }),
    timeoutMs: resolveRecordingOptions(audit).timeoutMs,
  });
}

interface RecorderSurroundings {
  readonly redactor: Redactor;
  readonly hooks: HookBus;
  readonly secrets: SecretManager;
  readonly scopes: ScopeStorage;
  readonly store: AuditStore;
  readonly collection: string;
  readonly sealer: Sealer | null;
  readonly capture: ResolvedCaptureOptions;
  readonly telemetry: Telemetry;
}

/** The recorder, and the way into it that requests with strict actions wait for. */
function createRecorder(
  options: ResolvedRecordingOptions,
  around: RecorderSurroundings,
): { recorder: Recorder; record: RecordDraft } {
  const { redactor, hooks, secrets, scopes, store, sealer, telemetry } = around;
  const isStrict = createIsStrict(around.capture.strict);
  const recorder = new Recorder({
    store: telemetry.measure(store),
    hooks,
    options,
    scopes,
    isStrict,
    raise: createAlarm(hooks),
    onStored(events) {
      sealer?.add(events);
      telemetry.count(events);
    },
    openStream: async (id) => sealer === null || sealer.open(id),
    adopted: {
      open: async (id) => sealer === null || sealer.openAdopted(id),
      add: (id) => sealer?.addAdopted(id),
    },
    collection: around.collection,
    compose: createComposer({ redactor, hooks, options }),
    vocabulary: createVocabulary(options.actions),
    redactText: (text) => redactor.text(text),
    readPseudonymKey: () => readOptional(secrets, options.pseudonymKey),
  });
  return { recorder, record: createStrictRecord(recorder.record, { scopes, isStrict }) };
}

interface RolesSurroundings {
  readonly recorder: Recorder;
  readonly record: RecordDraft;
  readonly scopes: ScopeStorage;
}

function watchRoles({ audit }: StrongroomOptions, { recorder, record, scopes }: RolesSurroundings): RoleChanges {
  const lose = (reason: string, count?: number): void => recorder.lose(reason, count);
  const witness = createWitness({ source: 'mongoose', record, scopes, lose });
  return createRoleChanges(witness, audit !== false);
}

/** The package's own keys: no route handler of the app has a use for them. */
function ownKeys({ audit }: StrongroomOptions, pseudonymKey: string): ReadonlySet<string> {
  const uri = audit === false || typeof audit.uri !== 'object' ? [] : [audit.uri.secret];
  const signing = audit === false || audit.evidence === false ? [] : [resolveEvidenceOptions(audit.evidence ?? {}).key];
  return new Set([SIGNING_KEY, PSEUDONYM_KEY, pseudonymKey, ...signing, ...uri]);
}

/** Express takes the function; what it carries is not enumerable, so that no dump of an app shows it. */
function assemble(http: HttpLayer, carried: Omit<Strongroom, keyof RequestHandler>): Strongroom {
  const room = function strongroom(req: Request, res: Response, next: NextFunction): void {
    void http.middleware(req, res, next);
  };
  for (const [name, value] of Object.entries(carried)) Object.defineProperty(room, name, { value });
  Object.defineProperty(room, INTEGRATION, { value: http.witness });
  return room as unknown as Strongroom;
}

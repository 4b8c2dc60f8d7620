/** How a room becomes ready and how it ends. It knows the order of both and nothing of what the parts do. */
import type { EvidenceState, Sealer } from './audit/sealer.js';
import type { Recorder } from './audit/recorder.js';
import type { AuditStore, StoreInspection } from './audit/store.js';
import { inTime } from './audit/time-limit.js';
import { assertOptions, SecretError, StateError } from './errors.js';
import type { HttpLayer } from './http/middleware.js';
import type { RoleChanges } from './mongo/role-changes.js';
import type { StrongroomOptions } from './options.js';
import type { Environment } from './secrets/environment.js';
import type { SecretManager } from './secrets/manager.js';
import type { Telemetry } from './telemetry.js';
import { type Duration, isDuration, objectOf, optional, readDuration } from './settings.js';

/** What a look at the trail showed. */
export interface AuditReadiness extends StoreInspection {
  /**
   * How the trail is sealed: by your key (`signed`), by a throw-away key outside production (`throwaway`), or not (`unsealed`: no key and none required, or
   * the ledger raised an alarm); false with `audit.evidence: false`.
   */
  readonly evidence: EvidenceState | false;
}

/** What `ready()` found. */
export interface ReadyReport {
  /** Where the process runs. */
  environment: Environment;
  /** How many required secrets were checked; all of them are there. */
  secrets: { checked: number };
  /** What a look at the trail's database showed; false with `audit: false`. */
  audit: false | AuditReadiness;
}

/** Options of `ready()` and `close()`. */
export interface WaitOptions {
  /** How long to wait at the most. @defaultValue `'10s'` */
  timeout?: Duration | undefined;
}

/** Start and end of a room. */
export interface Lifecycle {
  /**
   * Fails fast: every required secret is there, the database can be reached, indexes are built where this user may, there is a key that signs; and in
   * production the server refuses this user every change of the trail.
   * @throws SECRET_NOT_FOUND, SECRET_PROVIDER_FAILED, SECRET_TIMEOUT, AUDIT_UNAVAILABLE, AUDIT_UNENFORCED, AUDIT_KEY_MISSING, OPTIONS_INVALID for a damaged key, CLOSED
   */
  ready(options?: WaitOptions): Promise<ReadyReport>;
  /** Stores what waits, seals it and closes its stream, until the deadline, then closes what was opened. What could not be stored stays in the spool, or without one is counted in `audit:lost`. Idempotent. */
  close(options?: WaitOptions): Promise<void>;
}

/** What starts and ends. */
export interface LifecycleParts {
  readonly options: StrongroomOptions;
  readonly environment: Environment;
  readonly secrets: SecretManager;
  readonly recorder: Recorder;
  readonly http: HttpLayer;
  readonly roles: RoleChanges;
  readonly store: AuditStore;
  /** Null: nothing is sealed. */
  readonly sealer: Sealer | null;
  readonly telemetry: Telemetry;
}

const DEFAULT_WAIT_MS = 10_000;
/** What closing the providers is given when the trail took all of the time. */
const CLOSE_GRACE_MS = 100;
const checkWait = objectOf<WaitOptions>({ timeout: optional(isDuration) });

/** Creates start and end of one room. */
export function createLifecycle(parts: LifecycleParts): Lifecycle {
  const { options, secrets } = parts;
  beginTelemetry(parts);
  let closing: Promise<void> | undefined;

  async function ready(wait: WaitOptions = {}): Promise<ReadyReport> {
    const deadline = performance.now() + readWait(wait, 'ready');
    if (closing !== undefined) throw new StateError('CLOSED', 'ready() was called after close()');
    await before(deadline, secrets.ready());
    await parts.telemetry.settled();
    const audit = options.audit === false ? (false as const) : await inspect(parts, deadline);
    const checked = options.secrets?.required?.length ?? 0;
    return { environment: parts.environment, secrets: { checked }, audit };
  }

  async function close(wait: WaitOptions = {}): Promise<void> {
    const timeoutMs = readWait(wait, 'close');
    closing ??= finish(parts, timeoutMs).finally(forgetSignals);
    await closing;
  }

  const forgetSignals = options.closeOnSignals === true ? closeOnSignals(close) : () => undefined;
  return { ready, close };
}

/** The signals that ask a process to end. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Listeners of all rooms of this process, whichever copy of the package made them. */
const LISTENERS: symbol = Symbol.for('express-strongroom.signal-listeners');

/** Closes when the process is asked to end; gives what stops listening. */
function closeOnSignals(close: () => Promise<void>): () => void {
  const rooms = ((globalThis as Record<symbol, unknown>)[LISTENERS] ??= new Set()) as Set<unknown>;
  const listen = (signal: NodeJS.Signals): void => {
    // Whoever else listens, even once, decides when the process ends.
    const isLeftToUs = process.listeners(signal).every((listener) => rooms.has(listener));
    const end = (): void => {
      // The last room that is closed ends the process as it would have ended without it.
      if (isLeftToUs && process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    // Warnings are told a tick later: what is left in the spool is one.
    const endLater = (): void => void setImmediate(end);
    void close().then(endLater, endLater);
  };
  rooms.add(listen);
  // Before all others: those who listen once are not there any more when they were called.
  for (const signal of SIGNALS) process.prependListener(signal, listen);
  return () => {
    rooms.delete(listen);
    for (const signal of SIGNALS) process.off(signal, listen);
  };
}

/** What the app named is a label of its own; with `audit: false` nothing is stored that could be counted. */
function beginTelemetry({ options: { audit }, http, recorder, telemetry }: LifecycleParts): void {
  if (audit === false) telemetry.begin({ recorder: null, actions: [] });
  else telemetry.begin({ recorder, actions: [...(audit.actions ?? []), ...http.actions] });
}

async function inspect({ store, sealer, recorder }: LifecycleParts, deadline: number): Promise<AuditReadiness> {
  // What a process before this one left there is sent, also when this one records nothing.
  await inTime(recorder.open(), leftUntil(deadline, 1), () => new Error('the disk is slow')).catch(() => undefined);
  const inspection = await store.inspect(leftUntil(deadline, 1));
  const evidence = sealer === null ? (false as const) : await sealer.inspect(leftUntil(deadline, 1));
  return { ...inspection, evidence };
}

async function finish(parts: LifecycleParts, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  await parts.http.close();
  await parts.roles.close(leftUntil(deadline));
  const leftStream = await parts.recorder.close(leftUntil(deadline));
  await parts.sealer?.close(leftUntil(deadline), leftStream);
  await parts.store.close();
  parts.telemetry.end();
  await before(Math.max(deadline, performance.now() + CLOSE_GRACE_MS), parts.secrets.close());
}

function leftUntil(deadline: number, least: number = 0): number {
  return Math.max(least, deadline - performance.now());
}

/** @throws {@link SecretError} SECRET_TIMEOUT when the providers take longer. */
async function before(deadline: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new SecretError('SECRET_TIMEOUT', 'the providers of the secrets did not answer in time');
    timer = setTimeout(() => reject(error), leftUntil(deadline));
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function readWait(wait: WaitOptions, path: string): number {
  assertOptions(checkWait(wait, path));
  return readDuration(wait.timeout) ?? DEFAULT_WAIT_MS;
}

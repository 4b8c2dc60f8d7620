/** The options of `strongroom()`, composed of what each folder takes, and their check. It builds nothing. */
import type { HelmetOptions } from 'helmet';
import { type EvidenceOptions, evidenceShape } from './audit/evidence-options.js';
import { type RecordingOptions, recordingShape } from './audit/options.js';
import { assertOptions } from './errors.js';
import type { EventListeners, Filters } from './hooks.js';
import { isHeadersOption } from './http/headers.js';
import { type CaptureOptions, captureShape } from './http/options.js';
import { findStorageConflict, type StorageOptions, storageShape } from './mongo/options.js';
import { checkEnvironment, type Environment } from './secrets/environment.js';
import { checkSecretsOptions, type SecretsOptions } from './secrets/options.js';
import { type Check, isBoolean, isRecord, matches, objectOf, optional } from './settings.js';

/** Options of the audit trail: where it is stored, what is recorded by itself, what an event says. */
export interface AuditOptions extends StorageOptions, CaptureOptions, RecordingOptions {
  /** How the trail is sealed and signed; false: not at all, on purpose. @defaultValue `{}` */
  evidence?: EvidenceOptions | false | undefined;
}

/** Options of {@link strongroom}. Everything has a default but where the trail is stored. */
export interface StrongroomOptions {
  /** Where secrets come from and how long they are kept. @defaultValue the provider named by SECRETS_PROVIDER, else `env`; 5 minutes */
  secrets?: SecretsOptions | undefined;
  /** The trail. `false`: `req.audit` and `room.audit` are there and check what they get, nothing is stored, reads are empty. */
  audit: AuditOptions | false;
  /**
   * Security headers. `true`: helmet's own defaults; an object: options for helmet; `false`: none.
   * @defaultValue helmet's headers that cannot break a page: no CSP, HSTS, COOP or CORP
   */
  helmet?: HelmetOptions | boolean | undefined;
  /** Adds production to what NODE_ENV and APP_ENV say; never takes it away. A warning says so, once, when it had to be guessed. */
  environment?: Environment | undefined;
  /**
   * Closes the room at SIGTERM and SIGINT, as `close()` does with its default timeout. The process then ends by that signal, unless someone else listens to it.
   * With an HTTP server listen yourself: stop the server first, then close the room.
   * @defaultValue `false`
   */
  closeOnSignals?: boolean | undefined;
  /** Listeners and filters from the start; more by `room.hooks`. */
  hooks?: { events?: EventListeners | undefined; filters?: Filters | undefined } | undefined;
}

const checkAuditObject = objectOf<AuditOptions>({
  ...storageShape,
  ...captureShape,
  ...recordingShape,
  ...evidenceShape,
});

const checkAudit: Check = (value, path) => {
  if (value === false) return undefined;
  if (value === undefined)
    return `${path} is missing: say where the trail is stored, { connection } or { uri }, or false for none`;
  if (!isRecord(value)) return matches(isRecord, 'an object or false')(value, path);
  return checkAuditObject(value, path) ?? findStorageConflict(value, path);
};

const isHooks = objectOf<NonNullable<StrongroomOptions['hooks']>>({
  // Names and functions are checked by createHooks, which knows them.
  events: optional(matches(isRecord, 'an object of listeners')),
  filters: optional(matches(isRecord, 'an object of filters')),
});

const checkStrongroom = objectOf<StrongroomOptions>({
  secrets: optional(checkSecretsOptions),
  audit: checkAudit,
  helmet: optional(isHeadersOption),
  environment: checkEnvironment,
  closeOnSignals: optional(isBoolean),
  hooks: optional(isHooks),
});

/** Checks everything at once, before anything is built. @throws {@link OptionsError} OPTIONS_INVALID naming the option's path. */
export function assertStrongroomOptions(options: unknown): asserts options is StrongroomOptions {
  assertOptions(isRecord(options) ? checkStrongroom(options, '') : matches(isRecord, 'an object')(options, 'options'));
}

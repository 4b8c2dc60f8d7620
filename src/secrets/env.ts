/** The provider over environment variables. It copies nothing and writes nothing. */
import { assertOptions } from '../errors.js';
import { isRecord, matches, objectOf, optional } from '../settings.js';
import type { SecretProvider } from './provider.js';

/** Options of {@link envProvider}. */
export interface EnvProviderOptions {
  /** Put before every name: with `'APP_'` the secret `KEY` is the variable `APP_KEY`. @defaultValue `''` */
  prefix?: string | undefined;
  /** Read instead of `process.env`: its own properties, at each fetch. */
  source?: Record<string, string | undefined> | undefined;
}

const checkOptions = objectOf<EnvProviderOptions>({
  prefix: optional(matches((value) => typeof value === 'string', 'a string')),
  source: optional(matches(isRecord, 'an object')),
});

/**
 * Secrets from environment variables, read live and kept exactly as they are. Read-only.
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown or malformed option.
 */
export function envProvider(options: EnvProviderOptions = {}): SecretProvider {
  assertOptions(checkOptions(options, 'envProvider'));
  const { prefix = '', source } = options;
  return Object.freeze({
    name: 'env',
    productionSafe: true,
    async get(name: string): Promise<string | undefined> {
      const variables = source ?? process.env;
      const key = prefix + name;
      return Object.hasOwn(variables, key) ? variables[key] : undefined;
    },
  });
}

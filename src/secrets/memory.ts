/** The provider over this process' memory, for tests and demonstrations. It keeps its own copy of the values. */
import { assertOptions } from '../errors.js';
import { matches, recordOf } from '../settings.js';
import type { SecretProvider } from './provider.js';

const checkValues = recordOf(matches((value) => typeof value === 'string', 'a string'));

/**
 * Secrets from memory; `set` changes them for this provider only. Production refuses it.
 * @param values The first values, copied; default none.
 * @throws {@link OptionsError} OPTIONS_INVALID for a value that is no string.
 */
export function memoryProvider(values: Record<string, string> = {}): SecretProvider {
  assertOptions(checkValues(values, 'memoryProvider'));
  const held = new Map(Object.entries(values));
  return Object.freeze({
    name: 'memory',
    productionSafe: false,
    async get(name: string): Promise<string | undefined> {
      return held.get(name);
    },
    async set(name: string, value: string): Promise<void> {
      held.set(name, value);
    },
  });
}

/** The one manager of the process. It knows nothing but where to keep it. */
import { createSecretManager, type SecretManager } from './manager.js';

/** Registered, so that the ESM and the CommonJS build of this package find the same one. */
const KEY = Symbol.for('express-strongroom.secrets');

/**
 * The process-wide manager, created at the first call with the provider that SECRETS_PROVIDER names, else `env`. Always the same instance,
 * from `import` and from `require`, also after it was closed. It belongs to no room and records nothing.
 * @throws {@link SecretError} SECRET_PROVIDER_UNKNOWN, SECRET_INSECURE_IN_PRODUCTION
 */
export function getSecretManager(): SecretManager {
  const holder = globalThis as { [KEY]?: SecretManager };
  if (holder[KEY] === undefined) Object.defineProperty(globalThis, KEY, { value: createSecretManager() });
  return holder[KEY] as SecretManager;
}

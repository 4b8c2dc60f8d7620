/** Whether this process runs in production: the option, NODE_ENV and APP_ENV. It knows nothing of what depends on it. */
import { assertOptions, warnOnce } from '../errors.js';
import { type Check, oneOf, optional } from '../settings.js';

/** Where the process runs. Production refuses what is convenient but not safe. */
export type Environment = 'production' | 'development' | 'test';

const ENVIRONMENTS: readonly Environment[] = ['production', 'development', 'test'];

/** Passes an environment's name, or nothing. */
export const checkEnvironment: Check = optional(oneOf(ENVIRONMENTS));

/**
 * Production if the option, NODE_ENV or APP_ENV says so (any case, spaces trimmed): an option can add production, never take it away.
 * Else the option, else NODE_ENV, else APP_ENV; when none of them is a known name it is development, with a warning once.
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown name.
 */
export function resolveEnvironment(option?: Environment): Environment {
  assertOptions(checkEnvironment(option, 'environment'));
  const said = [option, process.env['NODE_ENV'], process.env['APP_ENV']].map((name) => name?.trim().toLowerCase());
  if (said.includes('production')) return 'production';
  const known = said.find((name) => ENVIRONMENTS.includes(name as Environment));
  if (known !== undefined) return known as Environment;
  warnOnce(
    'ENVIRONMENT_GUESSED',
    'neither the option environment nor NODE_ENV nor APP_ENV is production, development or test: taken as development',
  );
  return 'development';
}

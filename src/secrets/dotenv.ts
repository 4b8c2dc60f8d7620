/** The provider over a `.env` file. It never writes `process.env` and prints nothing. */
import { resolve } from 'node:path';
import { parse } from 'dotenv';
import { assertOptions } from '../errors.js';
import { isText, objectOf, optional } from '../settings.js';
import type { SecretProvider } from './provider.js';
import { FileRefusedError, readTextFile } from './text-file.js';

/** Options of {@link dotenvProvider}. */
export interface DotenvProviderOptions {
  /** The file, taken from the working directory at construction when relative. At most 1 MiB, UTF-8. @defaultValue `'.env'` */
  path?: string | undefined;
}

const checkOptions = objectOf<DotenvProviderOptions>({ path: optional(isText) });

/**
 * Secrets from a `.env` file, by the syntax of the `dotenv` package, read anew at each fetch. Read-only and for development: production refuses it.
 * A missing file is a failure. So is one with a PEM key that is not quoted: its lines would be cut off and taken for names.
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown or malformed option.
 */
export function dotenvProvider(options: DotenvProviderOptions = {}): SecretProvider {
  assertOptions(checkOptions(options, 'dotenvProvider'));
  const path = resolve(options.path ?? '.env');
  return Object.freeze({
    name: 'dotenv',
    productionSafe: false,
    async get(name: string): Promise<string | undefined> {
      return lookUp((await readTextFile(path)).replace(/^\uFEFF/, ''), name);
    },
  });
}

function lookUp(text: string, name: string): string | undefined {
  if (name === '__proto__') return lookUpProto(text);
  const values = parse(text);
  assertNoCutPem(Object.values(values));
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** dotenv assigns to a plain object, where `__proto__` is lost: ask under a word that the text does not hold, and put the name back. */
function lookUpProto(text: string): string | undefined {
  let word = 'proto';
  while (text.includes(word)) word += '_';
  return lookUp(text.replaceAll('__proto__', word), word)?.replaceAll(word, '__proto__');
}

function assertNoCutPem(values: readonly string[]): void {
  const cut = values.some((value) => value.includes('-----BEGIN ') && !value.includes('-----END '));
  if (cut) throw new FileRefusedError('UNQUOTED_PEM');
}

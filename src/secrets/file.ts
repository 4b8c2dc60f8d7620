/** The provider over a directory of mounted files, one secret each, as Docker and Kubernetes give them. It never leaves that directory by name. */
import { stat } from 'node:fs/promises';
import { join, resolve, win32 } from 'node:path';
import { assertOptions } from '../errors.js';
import { isText, objectOf } from '../settings.js';
import type { SecretProvider } from './provider.js';
import { FileRefusedError, readTextFile } from './text-file.js';

/** Options of {@link fileProvider}. */
export interface FileProviderOptions {
  /** The directory, taken from the working directory at construction when relative. */
  directory: string;
}

const checkOptions = objectOf<FileProviderOptions>({ directory: isText });

/**
 * Secrets from files named like them, read anew at each fetch, symbolic links followed. Exactly one trailing newline is stripped, at most
 * 1 MiB of UTF-8 is read. A name with a separator, `.`, `..`, NUL or an absolute path is refused. Read-only.
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown or malformed option.
 */
export function fileProvider(options: FileProviderOptions): SecretProvider {
  assertOptions(checkOptions(options, 'fileProvider'));
  const directory = resolve(options.directory);
  return Object.freeze({
    name: 'file',
    productionSafe: true,
    async get(name: string): Promise<string | undefined> {
      assertPlainName(name);
      return (await readMounted(directory, name))?.replace(/\n$/, '');
    },
  });
}

/** Windows' rules refuse both kinds of separator and a drive, on every system. */
function assertPlainName(name: string): void {
  const plain = win32.basename(name) === name && !['', '.', '..'].includes(name) && !name.includes('\0');
  if (!plain) throw new FileRefusedError('NAME_REFUSED');
}

/** Twice, since Kubernetes removes the old directory right after it swapped the link: the first look may have been on the way into it. */
async function readMounted(directory: string, name: string): Promise<string | undefined> {
  const path = join(directory, name);
  const text = (await readIfThere(path)) ?? (await readIfThere(path));
  if (text === undefined && !(await stat(directory)).isDirectory()) throw new FileRefusedError('NOT_A_DIRECTORY');
  return text;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readTextFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

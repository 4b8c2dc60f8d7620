/** The small files of a command: keys, anchors, proofs, and files that are written whole or not at all. It knows nothing of what they say. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isFileError, NamedFileError } from './failure.js';

/** A path, and the flag that it came by. */
export interface NamedPath {
  readonly flag: string;
  readonly path: string;
}

/** Works with what a flag names. @throws NamedFileError instead of Node's errors about files, of which not every one has the path */
export async function naming<Result>({ flag, path }: NamedPath, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw isFileError(error) ? new NamedFileError(flag, error.path ?? path, error) : error;
  }
}

/** The text of a file. @throws NamedFileError */
export function readText(file: NamedPath): Promise<string> {
  return naming(file, () => readFile(file.path, 'utf8'));
}

/** The text of a file; undefined when there is none. @throws NamedFileError */
export function readTextIfThere(file: NamedPath): Promise<string | undefined> {
  return naming(file, async () => {
    try {
      return await readFile(file.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** Writes a file that its owner alone may read: whole and on the disk, or as it was before. @throws NamedFileError */
export function writeWhole(file: NamedPath, text: string): Promise<void> {
  return naming(file, () => replaceFile(file.path, text));
}

async function replaceFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    const file = await open(partial, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** A rename is on the disk when its folder is. Not every system lets a folder be opened: then it is as good as it gets. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** Writes the files of an export folder, each whole or not at all: written beside its name, on the disk, then renamed. It knows not what a line says. */
import { randomUUID } from 'node:crypto';
import { access, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionsError } from '../errors.js';
import { syncFolder } from './files.js';

/** The names of its files. @see EVIDENCE, section 9 */
export const EXPORT_FILES = { events: 'events.ndjson', ledger: 'ledger.ndjson', keys: 'keys.txt' } as const;

/** A folder that is being written. */
export interface ExportWriter {
  /** Writes a file, a line feed after each line; it gets its name with {@link ExportWriter.finish}. Gives how many lines. */
  write(name: string, lines: AsyncIterable<string>): Promise<number>;
  /** Gives all files their names. */
  finish(): Promise<void>;
  /** Takes away what has no name yet. */
  abandon(): Promise<void>;
}

const CHUNK_CHARACTERS = 1 << 20;

/**
 * Begins an export; makes the folder.
 * @throws {@link OptionsError} OPTIONS_INVALID when an export is there already
 */
export async function beginExport(folder: string): Promise<ExportWriter> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await assertFree(folder);
  const partials = new Map<string, string>();
  return {
    async write(name, lines) {
      const partial = join(folder, `${name}.${randomUUID()}.partial`);
      partials.set(join(folder, name), partial);
      return writeFile(partial, lines);
    },
    async finish() {
      await assertFree(folder);
      for (const [path, partial] of partials) await rename(partial, path);
      await syncFolder(folder);
    },
    async abandon() {
      for (const partial of partials.values()) await rm(partial, { force: true });
    },
  };
}

async function assertFree(folder: string): Promise<void> {
  for (const name of Object.values(EXPORT_FILES)) {
    const isThere = await access(join(folder, name)).then(
      () => true,
      () => false,
    );
    if (isThere) throw new OptionsError(`--to: there is an export already (${name}): choose another folder`);
  }
}

async function writeFile(path: string, lines: AsyncIterable<string>): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  let count = 0;
  try {
    let chunk = '';
    for await (const line of lines) {
      chunk += `${line}\n`;
      count += 1;
      if (chunk.length < CHUNK_CHARACTERS) continue;
      await file.writeFile(chunk);
      chunk = '';
    }
    await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
  return count;
}

/** The file in which a log tells other processes how many of its bytes are of failures that name no actor. It is about room, so it is rounded up and not flushed. It knows no log. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Fewer are not told: a file that is emptied all the time would be told of all the time. */
const LEAST_BYTES = 1024;
/** A smaller number is told when it is smaller by this factor. */
const SHRINK = 8;

/** What one log tells. */
export class SpoolNamelessFile {
  readonly #path: string;
  #told = 0;

  constructor(folder: string) {
    this.#path = pathIn(folder);
  }

  /** Tells it where it is another power of two. Never rejects. */
  async tell(bytes: number): Promise<void> {
    const rounded = bytes < LEAST_BYTES ? 0 : 2 ** Math.ceil(Math.log2(bytes));
    const isNews = rounded > this.#told || rounded * SHRINK < this.#told;
    if (!isNews) return;
    this.#told = rounded;
    await writeFile(this.#path, String(rounded), { mode: 0o600 }).catch(() => undefined);
  }
}

/** What the log in a folder told; 0 where it told nothing. */
export async function readNamelessBytes(folder: string): Promise<number> {
  const text = await readFile(pathIn(folder), 'latin1').catch(() => '');
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

function pathIn(folder: string): string {
  return join(folder, 'nameless');
}

/** The file in which changes of spooled events are noted before they take effect: appended to, flushed, read again after a crash. It knows no log. */
import { open, readFile } from 'node:fs/promises';
import { readSpoolChange, type SpoolChange, SpoolChanges } from './spool-changes.js';
import { readSpoolText, writeSpoolLine } from './spool-lines.js';

/** The changes of one log. Its async methods are called one at a time. */
export class SpoolChangeFile {
  /** All that is known. */
  readonly changes: SpoolChanges = new SpoolChanges();
  readonly #path: string;
  #bytes = 0;
  #isTorn = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads what is there; a file that is missing or damaged holds what can be read of it. */
  async load(): Promise<void> {
    const bytes = await readFile(this.#path).catch(() => Buffer.alloc(0));
    const { records, isWhole } = readSpoolText(bytes);
    for (const record of records) {
      const change = readSpoolChange(record);
      if (change !== null) this.changes.add(change);
    }
    this.#bytes = bytes.length;
    this.#isTorn = !isWhole;
  }

  /** Appends a change and flushes it. Rejects when the disk does not take it. */
  async append(change: SpoolChange): Promise<void> {
    const text = Buffer.concat([Buffer.from(this.#isTorn ? '\n' : ''), writeSpoolLine(change)]);
    // Until it is through, half of it may stand there.
    this.#isTorn = true;
    const handle = await open(this.#path, 'a', 0o600);
    try {
      await handle.appendFile(text);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    this.#isTorn = false;
    this.#bytes += text.length;
  }
}

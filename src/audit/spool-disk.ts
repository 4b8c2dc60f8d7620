/** The log that is written now, opened when it is needed; while the disk cannot be used, said once and tried again. It knows no event. */
import { warnOnce } from '../errors.js';
import type { ResolvedSpoolOptions } from './options.js';
import { SpoolDirectory } from './spool-directory.js';
import type { SpoolLog } from './spool-log.js';

/** What it works with. */
export interface SpoolDiskParts {
  readonly options: ResolvedSpoolOptions;
  /** The trail's collection. */
  readonly collection: string;
  readonly maxPendingBytes: number;
  /** The log to read from is another one; undefined: there is none any more. */
  readonly onLog: (log: SpoolLog | undefined) => void;
  /** The disk is gone or back: what is spooled and what is not must not be of one stream, or a log would have a hole. */
  readonly onTurn: () => void;
  /** The directory is there; nothing is written before this resolves. */
  readonly onOpen: (directory: SpoolDirectory) => Promise<void>;
  /** The clock, monotonic, ms. */
  readonly now?: () => number;
}

const LARGEST_SEGMENT_BYTES = 4 * 1024 * 1024;
const SMALLEST_SEGMENT_BYTES = 4 * 1024;
/** A disk that is full or gone is tried again after so long. */
const RETRY_MS = 10_000;

/** The disk as one instance sees it. */
export class SpoolDisk {
  readonly #parts: SpoolDiskParts;
  readonly #now: () => number;
  #directory: SpoolDirectory | undefined;
  #log: SpoolLog | undefined;
  #opening: Promise<void> | undefined;
  #downUntilMs = Number.NEGATIVE_INFINITY;
  #isDown = false;

  constructor(parts: SpoolDiskParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
  }

  /** Whether it could not be used when it was last tried. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** The log; undefined before it is opened, and after it was taken away. */
  get log(): SpoolLog | undefined {
    return this.#log;
  }

  /** The directory; undefined before it is opened, and after it was taken away. */
  get directory(): SpoolDirectory | undefined {
    return this.#directory;
  }

  /** The log to write to, opened; undefined while the disk cannot be used. Never rejects. */
  async open(): Promise<SpoolLog | undefined> {
    if (this.#log !== undefined && !this.#isDown) return this.#log;
    if (this.#now() < this.#downUntilMs) return undefined;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
    return this.#isDown ? undefined : this.#log;
  }

  /** Something could not be written. */
  fail(error: unknown): void {
    const { code } = error as { code?: unknown };
    const why = typeof code === 'string' ? code : 'it cannot be written';
    const until = 'until it can, events are durable when MongoDB has them, and wait in memory';
    warnOnce('SPOOL_UNAVAILABLE', `the spool in audit.spool.directory cannot be used (${why}): ${until}`);
    this.#downUntilMs = this.#now() + RETRY_MS;
    this.#isDown = true;
    // Removed by someone, or taken over by someone who thought this process dead: what is in memory is sent all the same.
    if (code === 'ENOENT') this.#forget();
    this.#parts.onTurn();
  }

  /** Closes the files; what waits in them stays for whoever comes. */
  async close(): Promise<void> {
    await this.#opening;
    await this.#log?.close().catch(() => undefined);
    await this.#directory?.release();
  }

  async #open(): Promise<void> {
    try {
      this.#directory ??= await this.#openDirectory();
      if (this.#log === undefined) {
        this.#log = await this.#directory.createLog();
        this.#parts.onLog(this.#log);
      }
      if (this.#isDown) this.#parts.onTurn();
      this.#isDown = false;
    } catch (error) {
      this.fail(error);
    }
  }

  async #openDirectory(): Promise<SpoolDirectory> {
    const { options, collection, maxPendingBytes, onOpen } = this.#parts;
    const { directory: path, maxBytes } = options;
    const wanted = Math.floor(Math.min(maxBytes / 16, maxPendingBytes / 16, LARGEST_SEGMENT_BYTES));
    const segmentBytes = Math.max(SMALLEST_SEGMENT_BYTES, wanted);
    const directory = await SpoolDirectory.open({ directory: path, collection, segmentBytes });
    await onOpen(directory);
    return directory;
  }

  #forget(): void {
    void this.#log?.close().catch(() => undefined);
    void this.#directory?.release();
    this.#directory = undefined;
    this.#log = undefined;
    this.#parts.onLog(undefined);
  }
}

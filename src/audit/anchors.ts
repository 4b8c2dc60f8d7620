/** Places outside the database that keep the newest checkpoint: standard output, a file, or the user's own. */
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readAnchorNotes } from '../evidence/anchor-text.js';
import { readNote } from '../evidence/note.js';
import { assertOptions, warnOnce } from '../errors.js';
import { type Duration, isDuration, isText, objectOf, optional, readDuration } from '../settings.js';

/**
 * Keeps checkpoints where the database's admin cannot write. `put` gets the newest signed note after each seal; it MAY reject (it gets a newer one
 * soon), MAY skip notes, and MUST NOT alter them. It is called by one caller at a time.
 */
export interface Anchor {
  /** Keeps a note. */
  put(note: string): Promise<void>;
  /** The newest note that is kept; null when there is none. Compared with the ledger at start. */
  latest?(): Promise<string | null>;
  /** Keeps now what `put` holds back; called at shut-down. */
  flush?(): Promise<void>;
}

/** Options of the anchors that come with the package. */
export interface AnchorOptions {
  /** At most one note in this time, the newest. @defaultValue `'1m'` */
  every?: Duration | undefined;
}

const DEFAULT_EVERY_MS = 60_000;
const checkAnchor = objectOf<AnchorOptions>({ every: optional(isDuration) });
const ignore = (): void => undefined;

/**
 * One JSON line on standard output with a checkpoint, `{"type":"strongroom.checkpoint","note":"..."}`: whoever keeps the logs keeps the anchor.
 * @throws OPTIONS_INVALID
 */
export function stdoutAnchor(options: AnchorOptions = {}): Anchor {
  assertOptions(checkAnchor(options, 'stdoutAnchor'));
  return throttle(options, (note) => {
    const { stdout } = process;
    const line = `${JSON.stringify({ type: 'strongroom.checkpoint', note })}\n`;
    return new Promise((done, fail) => {
      stdout.write(line, (error) => {
        // As the console does: a reader of the log that is gone must not end the process.
        if (error && stdout.listenerCount('error') === 0) stdout.once('error', ignore);
        if (error) fail(error);
        else done();
      });
    });
  });
}

/**
 * Appends checkpoints to a file, each followed by an empty line, flushed to the disk. Several processes may share it.
 * @throws OPTIONS_INVALID
 */
export function fileAnchor(path: string, options: AnchorOptions = {}): Anchor {
  assertOptions(isText(path, 'fileAnchor path') ?? checkAnchor(options, 'fileAnchor'));
  // The working directory may change later.
  const place = resolve(path);
  return {
    ...throttle(options, (note) => append(place, note)),
    latest: () => readLatest(place),
  };
}

/** Notes of 200 bytes: the newest of them are in the last part of a file. */
const TAIL_BYTES = 64 * 1024;

async function append(path: string, note: string): Promise<void> {
  const file = await open(path, 'a', 0o600);
  try {
    // An empty line first: what a crash tore off before it stays apart.
    await file.write(`\n${note}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Of several processes the one that is behind may write last. */
function newestOf(tail: string): string | null {
  // What a crash tore off can look like a note with a short signature: a whole one has an empty line behind it.
  const whole = tail.slice(0, tail.lastIndexOf('\n\n') + 2);
  let newest: string | null = null;
  let largest = -1;
  for (const note of readAnchorNotes(whole)) {
    const size = readNote(note)?.checkpoint.size ?? -1;
    if (size < largest) continue;
    [newest, largest] = [note, size];
  }
  return newest;
}

async function readLatest(path: string): Promise<string | null> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const tail = Buffer.alloc(length);
    await file.read(tail, 0, length, size - length);
    return newestOf(tail.toString());
  } finally {
    await file.close();
  }
}

/** Writes at most once in a time, the newest, one after the other; what is held back is written at the end of that time, or by `flush`. */
export function throttle(
  { every }: AnchorOptions,
  write: (note: string) => Promise<void>,
): Required<Pick<Anchor, 'put' | 'flush'>> {
  const throttled = new Throttled(readDuration(every) ?? DEFAULT_EVERY_MS, write);
  return { put: (note) => throttled.put(note), flush: () => throttled.flush() };
}

class Throttled {
  readonly #everyMs: number;
  readonly #write: (note: string) => Promise<void>;
  #held: string | undefined;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(everyMs: number, write: (note: string) => Promise<void>) {
    this.#everyMs = everyMs;
    this.#write = write;
  }

  async put(note: string): Promise<void> {
    this.#held = note;
    const waitMs = this.#writtenMs + this.#everyMs - performance.now();
    if (waitMs <= 0) return this.flush();
    this.#timer ??= setTimeout(() => void this.flush().catch(warnOfAnchor), waitMs).unref();
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const written = this.#writing.then(() => this.#writeHeld());
    this.#writing = written.catch(ignore);
    return written;
  }

  async #writeHeld(): Promise<void> {
    const note = this.#held;
    this.#held = undefined;
    if (note === undefined) return;
    const previousMs = this.#writtenMs;
    this.#writtenMs = performance.now();
    try {
      await this.#write(note);
    } catch (error) {
      // Not kept: the next one need not wait, and without a next one this is the newest.
      this.#writtenMs = previousMs;
      this.#held ??= note;
      throw error;
    }
  }
}

/** An anchor that fails is told once; sealing goes on. */
export function warnOfAnchor(error: unknown): void {
  const code = readCode(error);
  const cause = typeof code === 'string' ? ` (${code})` : '';
  warnOnce('ANCHOR_FAILED', `an anchor of the audit trail does not take checkpoints${cause}`);
}

/** An anchor is the app's: it may reject with nothing, or with what cannot be read. */
function readCode(error: unknown): unknown {
  try {
    return (error as { code?: unknown } | null | undefined)?.code;
  } catch {
    return undefined;
  }
}

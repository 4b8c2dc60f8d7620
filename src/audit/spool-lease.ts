/** Who owns what in the spool, and whether he still lives. A number of a process is used again: its start tells two of them apart. It knows no event. */
import { readFile, readlink, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createUlid } from './stream.js';

/** How often a living owner touches its lease. */
const TOUCH_MS = 10_000;
/** A lease of another machine, or of another container, that was not touched for so long is over. */
const SILENT_MS = 60_000;

/** What a lease says of its owner. */
interface Owner {
  readonly pid: number;
  /** When the process began, in ticks since the machine did; null where the system does not tell. */
  readonly started: string | null;
  /** The start of the machine, and the room in which its process numbers are unique: where both are ours, the process can be looked up. */
  readonly place: string;
}

/** The sign of life of one instance: a file that says which process it is. */
export class Lease {
  /** The owner's name. */
  readonly id: string;
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(folder: string, id: string) {
    this.id = id;
    this.#path = join(folder, id);
    this.#timer = setInterval(() => void this.#touch(), TOUCH_MS);
    this.#timer.unref();
  }

  /** Takes one. Rejects when the folder takes no file. */
  static async take(folder: string): Promise<Lease> {
    const id = createUlid(Date.now());
    const owner: Owner = { pid: process.pid, started: await readStart(process.pid), place: await readPlace() };
    await writeFile(join(folder, id), `${JSON.stringify(owner)}\n`, { mode: 0o600, flush: true });
    return new Lease(folder, id);
  }

  /** Gives it back: what is left belongs to whoever comes. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await unlink(this.#path).catch(() => undefined);
  }

  async #touch(): Promise<void> {
    const now = new Date();
    await utimes(this.#path, now, now).catch(() => undefined);
  }
}

/** Judges the owners of a folder. Owners that cannot be looked up are watched: whoever asks often hears the truth after a minute. */
export class Owners {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #seen = new Map<string, { touchedMs: number; sinceMs: number }>();

  /** `now`: a monotonic clock, ms. */
  constructor(folder: string, now: () => number = () => performance.now()) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Whether an owner lives, or may live. */
  async isAlive(id: string): Promise<boolean> {
    const path = join(this.#folder, id);
    const text = await readFile(path, 'utf8').catch((error: unknown) => (isAbsent(error) ? null : ''));
    if (text === null) return false;
    const owner = readOwner(text);
    // What cannot be looked up from here is told by its silence.
    if (owner === undefined || owner.started === null || owner.place !== (await readPlace()))
      return this.#isHeard(id, path);
    return (await readStart(owner.pid)) === owner.started;
  }

  /** Clocks of two machines differ: only whether the time of the last touch changes counts, by one's own clock. */
  async #isHeard(id: string, path: string): Promise<boolean> {
    const touchedMs = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    const known = this.#seen.get(id);
    if (known?.touchedMs !== touchedMs) {
      this.#seen.set(id, { touchedMs, sinceMs: this.#now() });
      return true;
    }
    return this.#now() - known.sinceMs < SILENT_MS;
  }
}

function isAbsent(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ENOENT';
}

function readOwner(text: string): Owner | undefined {
  try {
    const { pid, started, place } = JSON.parse(text) as Record<string, unknown>;
    if (typeof pid !== 'number' || typeof place !== 'string') return undefined;
    return { pid, started: typeof started === 'string' ? started : null, place };
  } catch {
    return undefined;
  }
}

/** Linux tells the start of a process in the 22nd field; its name, in brackets before, may hold anything. A zombie is dead. */
async function readStart(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? null : (fields[18] ?? null);
}

let place: Promise<string> | undefined;

function readPlace(): Promise<string> {
  place ??= Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readlink('/proc/self/ns/pid').catch(() => ''),
  ]).then(([boot, space]) => (boot === '' || space === '' ? `host ${hostname()}` : `${boot.trim()} ${space}`));
  return place;
}

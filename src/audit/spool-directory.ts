/** The directory that several processes share: whose log is whose, what dead ones left, what can never be stored. It knows no database. */
import { mkdir, readdir, rename, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditEvent } from '../event.js';
import { canonicalLine } from '../evidence/line.js';
import { Lease, Owners } from './spool-lease.js';
import { SENT, SpoolLog } from './spool-log.js';
import { readNamelessBytes } from './spool-nameless-file.js';
import { createUlid } from './stream.js';
import { syncFolder } from './sync-folder.js';

/** Where the spool is and how much it may take. */
export interface SpoolPlace {
  /** The user's directory. */
  readonly directory: string;
  /** The trail's collection: processes that share a directory may write to several. */
  readonly collection: string;
  /** Size from which a file is not appended to. */
  readonly segmentBytes: number;
}

/** Bytes, and how many of them are of failures that name no actor. */
export interface SpoolUse {
  readonly bytes: number;
  readonly namelessBytes: number;
}

/** A log is a folder `<log>@<owner>`; renaming it is what makes it one's own, and succeeds once. */
const LOG = /^([0-9A-Z]{26})@([0-9A-Z]{26})$/;
const OWNER = /^[0-9A-Z]{26}$/;
/** For so long it is remembered that a log was sent. */
const SENT_MS = 24 * 60 * 60 * 1000;
const PRIVATE = { recursive: true, mode: 0o700 } as const;

/** One trail's part of a spool directory, as one instance sees it. */
export class SpoolDirectory {
  readonly #paths: SpoolPaths;
  readonly #segmentBytes: number;
  readonly #lease: Lease;
  readonly #owners: Owners;

  private constructor(paths: SpoolPaths, { segmentBytes }: SpoolPlace, lease: Lease) {
    this.#paths = paths;
    this.#segmentBytes = segmentBytes;
    this.#lease = lease;
    this.#owners = new Owners(paths.owners);
  }

  /** Makes what is missing and says that this instance lives. Rejects where nothing can be written. */
  static async open(place: SpoolPlace): Promise<SpoolDirectory> {
    const paths = spoolPaths(place.directory, place.collection);
    // Of a disk that takes nothing the recursive one says that the folder is missing.
    await mkdir(place.directory, PRIVATE).catch(() => mkdir(place.directory, { mode: 0o700 }));
    for (const path of [paths.root, paths.owners, paths.logs, paths.quarantine]) await mkdir(path, PRIVATE);
    await syncFolder(paths.root);
    const directory = new SpoolDirectory(paths, place, await Lease.take(paths.owners));
    await directory.#sweep().catch(() => undefined);
    return directory;
  }

  /** Makes a log of one's own. */
  createLog(): Promise<SpoolLog> {
    return SpoolLog.create(this.#folderOf(createUlid(Date.now())), this.#segmentBytes);
  }

  /** Takes over the oldest log of an owner who is dead; undefined when there is none. */
  async adoptLog(): Promise<SpoolLog | undefined> {
    for (const name of (await readdir(this.#paths.logs)).sort()) {
      const [, log = '', owner = ''] = LOG.exec(name) ?? [];
      if (owner === '' || owner === this.#lease.id || (await this.#owners.isAlive(owner))) continue;
      const folder = this.#folderOf(log);
      const isOurs = await rename(join(this.#paths.logs, name), folder).then(
        () => true,
        // Someone else was faster.
        () => false,
      );
      if (isOurs) return SpoolLog.open(folder, this.#segmentBytes);
    }
    await this.#sweep();
    return undefined;
  }

  /** What each log takes, by its name, those of other processes included. Never rejects. */
  async measure(): Promise<Map<string, SpoolUse>> {
    const names = await readdir(this.#paths.logs).catch(() => []);
    const uses = names.map(async (name) => {
      const folder = join(this.#paths.logs, name);
      const bytes = await bytesBelow(folder);
      const namelessBytes = Math.min(bytes, await readNamelessBytes(folder));
      return [LOG.exec(name)?.[1] ?? name, { bytes, namelessBytes }] as const;
    });
    return new Map(await Promise.all(uses));
  }

  /** Keeps an event that can never be stored, for good. Rejects when the disk does not take it. */
  async quarantine(event: AuditEvent, reason: string): Promise<void> {
    const text = `${JSON.stringify({ at: new Date().toISOString(), reason, line: lineOf(event) })}\n`;
    const path = join(this.#paths.quarantine, `${event._id}.json`);
    // Written aside first: half a file must not stand for a whole one.
    await writeFile(`${path}.part`, text, { mode: 0o600, flush: true });
    await rename(`${path}.part`, path);
    await syncFolder(this.#paths.quarantine);
  }

  /** This instance is over. */
  release(): Promise<void> {
    return this.#lease.release();
  }

  #folderOf(log: string): string {
    return join(this.#paths.logs, `${log}@${this.#lease.id}`);
  }

  /** What dead processes left and nothing is in: those that die again and again must not fill the disk with that. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#paths.logs)) {
      const owner = LOG.exec(name)?.[2] ?? this.#lease.id;
      if (owner === this.#lease.id || (await this.#owners.isAlive(owner))) continue;
      // Refused where something is in it.
      await rmdir(join(this.#paths.logs, name)).catch(() => undefined);
    }
    await this.#forgetDead();
  }

  /** Leases of the dead, when no log is theirs any more. */
  async #forgetDead(): Promise<void> {
    const names = await readdir(this.#paths.logs);
    const logs = names.map((name) => LOG.exec(name)?.[2]);
    for (const id of await readdir(this.#paths.owners)) {
      if (!OWNER.test(id) || id === this.#lease.id || logs.includes(id)) continue;
      if (!(await this.#owners.isAlive(id))) await unlink(join(this.#paths.owners, id)).catch(() => undefined);
    }
    for (const name of names.filter((sent) => sent.endsWith(`@${SENT}`)))
      await forgetLater(join(this.#paths.logs, name));
  }
}

/** The folders of one trail. */
export interface SpoolPaths {
  readonly root: string;
  readonly owners: string;
  readonly logs: string;
  readonly quarantine: string;
}

/** Where things are in a spool directory. */
export function spoolPaths(directory: string, collection: string): SpoolPaths {
  const root = join(directory, encodeURIComponent(collection));
  return {
    root,
    owners: join(root, 'owners'),
    logs: join(root, 'logs'),
    quarantine: join(root, 'quarantine'),
  };
}

/** Bytes of all files below a folder; what goes meanwhile counts as nothing. */
export async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const sizes = entries.map((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return bytesBelow(path);
    return stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Removes the empty folder that stands for a log that was sent, when whoever wrote it is long over. */
async function forgetLater(folder: string): Promise<void> {
  const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
  if (Date.now() - mtimeMs > SENT_MS) await rmdir(folder).catch(() => undefined);
}

function lineOf(event: AuditEvent): string {
  try {
    return canonicalLine({ ...event });
  } catch {
    return JSON.stringify(event);
  }
}

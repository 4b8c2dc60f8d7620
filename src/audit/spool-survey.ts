/** What lies in a spool directory, for people: who waits, and what can never be stored. It changes nothing, and knows no database. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bytesBelow, spoolPaths } from './spool-directory.js';
import { Owners } from './spool-lease.js';
import { SENT } from './spool-log.js';

/** One event in quarantine. */
interface QuarantinedEvent {
  /** Its `_id`, which an `audit.gap` has in the trail. */
  readonly id: string;
  /** When it was put there, ISO 8601; null where the file is damaged. */
  readonly at: string | null;
  /** What MongoDB said. */
  readonly reason: string | null;
  /** The file. */
  readonly path: string;
}

/** One log. */
interface SpoolLogSurvey {
  /** Its folder. */
  readonly folder: string;
  /** Bytes that wait, those included that MongoDB has and that are not removed yet. */
  readonly bytes: number;
  /** Whether its process lives, as far as this one can tell. */
  readonly isOwned: boolean;
}

/** What lies there. */
export interface SpoolSurvey {
  readonly logs: readonly SpoolLogSurvey[];
  readonly quarantine: readonly QuarantinedEvent[];
}

/** Looks a trail's part of a directory over; a part that is missing is empty. Rejects when the directory cannot be read. */
export async function surveySpool(directory: string, collection: string): Promise<SpoolSurvey> {
  const paths = spoolPaths(directory, collection);
  await readdir(directory);
  const owners = new Owners(paths.owners);
  const names = (await namesIn(paths.logs)).filter((name) => !name.endsWith(`@${SENT}`));
  const logs = names.map(async (name) => {
    const folder = join(paths.logs, name);
    return {
      folder,
      bytes: await bytesBelow(folder),
      isOwned: await owners.isAlive(name.slice(name.indexOf('@') + 1)),
    };
  });
  const kept = (await namesIn(paths.quarantine)).filter((name) => name.endsWith('.json'));
  const quarantine = kept.map((name) => readQuarantined(join(paths.quarantine, name)));
  return { logs: await Promise.all(logs), quarantine: await Promise.all(quarantine) };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return [];
    throw error;
  }
}

async function readQuarantined(path: string): Promise<QuarantinedEvent> {
  const id = basename(path, '.json');
  try {
    const { at, reason } = JSON.parse(await readFile(path, 'utf8')) as { at?: unknown; reason?: unknown };
    return { id, path, at: textOrNull(at), reason: textOrNull(reason) };
  } catch {
    return { id, path, at: null, reason: null };
  }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

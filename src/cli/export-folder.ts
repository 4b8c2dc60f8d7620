/** A trail in an exported folder, as verification reads it: no database, memory flat. @see EVIDENCE, "Pinned names" */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvidenceSource } from '../evidence/source.js';
import { readExportedEvents } from './export-events.js';
import { ExportedLedger } from './export-ledger.js';
import { EXPORT_FILES } from './export-writer.js';

/** An export that is open. */
export interface ExportFolder {
  /** What verification reads. */
  readonly source: EvidenceSource;
  /** When the trail was as it is here: `at` of the newest entry, or the present where there is none. Tails and silent streams are judged as of then. */
  readonly now: Date;
  /** Closes its files. */
  close(): Promise<void>;
}

/** About the bytes of a line; only progress is told by it. */
const LINE_BYTES = 560;

/**
 * Opens an exported folder.
 * @throws OPTIONS_INVALID when a file is not whole; what Node throws when one is not there
 */
export async function openExportFolder(folder: string, present: Date): Promise<ExportFolder> {
  const files: FileHandle[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    for (const name of [EXPORT_FILES.events, EXPORT_FILES.ledger]) files.push(await open(join(folder, name), 'r'));
    const [events, entries] = files as [FileHandle, FileHandle];
    const ledger = await ExportedLedger.open(entries, EXPORT_FILES.ledger);
    return { source: createSource(events, ledger), now: ledger.newestAt ?? present, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function createSource(events: FileHandle, ledger: ExportedLedger): EvidenceSource {
  return {
    // A file does not grow: behind its end there is nothing to look for.
    ledger: (from) => (from === undefined ? ledger.documents() : none()),
    leaves: (numbers) => ledger.leaves(numbers),
    events: () => readExportedEvents(events, EXPORT_FILES.events),
    extent: async () => ({ entries: ledger.size, events: Math.round((await events.stat()).size / LINE_BYTES) }),
  };
}

async function* none(): AsyncGenerator<never, void, undefined> {}

/** `strongroom export`: the trail and its ledger as files that anybody can check without a database. */
import { readVerifierKeys } from '../evidence/keys.js';
import { ledgerOf } from '../mongo/excess.js';
import type { ExportLine } from '../mongo/export-lines.js';
import { type Call, type Command, COLLECTION_FLAG, JSON_FLAG, KEYS_FLAG, type Outcome, URI_FLAG } from './command.js';
import { findCollections, type Place, withDatabase } from './database.js';
import { beginExport, EXPORT_FILES, type ExportWriter } from './export-writer.js';
import { ExportReading } from './export-reading.js';
import { RefusalError } from './failure.js';
import { naming, readText } from './files.js';
import { counted, printable } from './output.js';
import { type Progress, withProgress } from './progress.js';

/** Exports a trail. */
export const exportCommand: Command = {
  name: 'export',
  summary: 'writes events and ledger to a folder that `verify --from` reads without a database',
  flags: {
    uri: URI_FLAG,
    collection: COLLECTION_FLAG,
    to: { value: 'FOLDER', isRequired: true, help: 'where to write; an export that is there is not overwritten' },
    keys: { ...KEYS_FLAG, help: 'vkeys to put beside it for convenience; who verifies uses his own' },
    json: JSON_FLAG,
  },
  run,
};

/** What became of it. */
interface Exported {
  readonly events: number;
  readonly entries: number;
  /** Events that were left to the next export. */
  readonly left: number;
  /** `_id`s of documents that are not what this package stores; at most 100. */
  readonly strange: readonly string[];
  readonly strangeCount: number;
}

const MAX_LISTED = 100;

async function run(call: Call): Promise<Outcome> {
  const folder = call.flags.required('to');
  const keys = await readKeys(call);
  const exported = await withDatabase(call, async (place) => {
    await assertThere(place);
    const writer = await naming(call.flags.path('to'), () => beginExport(folder));
    try {
      const done = await withProgress(call, 'export', (update) =>
        writeAll(place, writer, { keys, update, now: call.now }),
      );
      await writer.finish();
      return done;
    } finally {
      await writer.abandon();
    }
  });
  warn(call, exported);
  const text = `${counted(exported.events, 'event')} and ${counted(exported.entries, 'entry', 'entries')} of the ledger exported\n`;
  return { code: 0, result: { folder, ...exported }, text };
}

/** An empty export of a trail that is elsewhere would look like one of which nothing is wrong. */
async function assertThere(place: Place): Promise<void> {
  const { collection } = place;
  if ((await findCollections(place, [collection, ledgerOf(collection)])).length > 0) return;
  throw new RefusalError(
    `there is no collection "${collection}" in this database, and no ledger: nothing was exported`,
  );
}

/** They are read before anything is written: a file that holds none is a mistake. */
async function readKeys({ flags }: Call): Promise<string | undefined> {
  if (!flags.has('keys')) return undefined;
  const text = await readText(flags.path('keys'));
  readVerifierKeys([text], '--keys');
  return text;
}

interface Parts {
  readonly keys: string | undefined;
  readonly update: Progress['update'];
  readonly now: () => number;
}

/**
 * The ledger first: what it covers is durable, so the events that are read afterwards hold all of it, and what was recorded meanwhile is the
 * tail that no seal covers yet. The other way round a seal could cover events that were not yet there when they were read.
 */
async function writeAll(place: Place, writer: ExportWriter, { keys, update, now }: Parts): Promise<Exported> {
  const tally = new Tally(await countAll(place), update);
  const reading = new ExportReading(place, now);
  const entries = await writer.write(EXPORT_FILES.ledger, tally.texts(reading.ledger()));
  const events = await writer.write(EXPORT_FILES.events, tally.texts(reading.events()));
  await reading.assertNotPruned();
  if (keys !== undefined) await writer.write(EXPORT_FILES.keys, toLines(keys));
  return { events, entries, left: reading.left, strange: tally.strange, strangeCount: tally.strangeCount };
}

async function countAll({ db, collection }: Place): Promise<number> {
  const [events, entries] = await Promise.all(
    [collection, ledgerOf(collection)].map((name) => db.collection(name).estimatedDocumentCount()),
  );
  return (events ?? 0) + (entries ?? 0);
}

/** Counts what passes. */
class Tally {
  readonly strange: string[] = [];
  strangeCount = 0;
  #done = 0;
  readonly #total: number;
  readonly #update: Progress['update'];

  constructor(total: number, update: Progress['update']) {
    this.#total = total;
    this.#update = update;
  }

  async *texts(lines: AsyncIterable<ExportLine>): AsyncGenerator<string, void, undefined> {
    for await (const { text, id, isStrange } of lines) {
      if (isStrange) this.#note(id);
      this.#done += 1;
      this.#update({ done: this.#done, total: this.#total });
      yield text;
    }
  }

  #note(id: string): void {
    this.strangeCount += 1;
    if (this.strange.length < MAX_LISTED) this.strange.push(id);
  }
}

async function* toLines(text: string): AsyncGenerator<string, void, undefined> {
  yield* text.replace(/\n$/, '').split('\n');
}

function warn({ output }: Call, { events, entries, left, strange, strangeCount }: Exported): void {
  if (entries === 0 && events > 0) output.say('the ledger is empty: no seal covers what was exported');
  if (left > 0) {
    output.say(
      `${counted(left, 'event')} left to the next export: of streams that the ledger, when it was read, did not know to be alive`,
    );
  }
  for (const id of strange) {
    output.say(
      `not in the form that this package stores, exported as its bytes; verify will name it: ${printable(id)}`,
    );
  }
  if (strangeCount > strange.length) output.say(`and ${counted(strangeCount - strange.length, 'more', 'more')}`);
}

/** Reads a trail for an export while its writers go on: the ledger, then the events that belong to it. It knows no file. */
import { readEntry } from '../evidence/entry.js';
import { eventLines, type ExportLine, ledgerLines } from '../mongo/export-lines.js';
import type { Db, Place } from './database.js';
import { ExportScope } from './export-scope.js';
import { RefusalError } from './failure.js';

/** One export's way through a trail. */
export class ExportReading {
  readonly #db: Db;
  readonly #collection: string;
  readonly #scope: ExportScope;
  /** One past the last entry that was read. */
  #end = 0;
  /** Streams of entries behind those that were exported. */
  readonly #later = new Set<unknown>();
  #wasPruned = false;
  #left = 0;

  constructor({ db, collection }: Place, now: () => number) {
    this.#scope = new ExportScope({ now, isLater: (stream) => this.#isLater(stream) });
    this.#db = db;
    this.#collection = collection;
  }

  /** How many events were left to the next export, since only a later ledger can say whether they are in order. */
  get left(): number {
    return this.#left;
  }

  /** The lines of the ledger; all of them are to be read before the events. */
  async *ledger(): AsyncGenerator<ExportLine, void, undefined> {
    for await (const line of ledgerLines(this.#db, this.#collection, 0)) {
      this.#scope.take(line.document?.entry);
      this.#pass(line);
      yield line;
    }
    this.#scope.close();
  }

  /** The lines of the events. */
  async *events(): AsyncGenerator<ExportLine, void, undefined> {
    for await (const line of eventLines(this.#db, this.#collection)) {
      if (await this.#scope.includes(line.id)) yield line;
      else this.#left += 1;
    }
  }

  /** @throws RefusalError when events that the exported ledger covers may have gone meanwhile */
  async assertNotPruned(): Promise<void> {
    await this.#readOn();
    if (this.#wasPruned) throw new RefusalError('the trail was pruned while it was exported: export it again');
  }

  async #isLater(stream: string): Promise<boolean> {
    await this.#readOn();
    return this.#later.has(stream);
  }

  async #readOn(): Promise<void> {
    for await (const line of ledgerLines(this.#db, this.#collection, this.#end)) {
      this.#pass(line);
      this.#later.add(line.document?.stream);
      if (line.document?.kind === 'prune') this.#wasPruned = true;
    }
  }

  /** A document that is no entry may have any number, also one that no entry ever reaches. */
  #pass({ document }: ExportLine): void {
    const text = document?.entry;
    const entry = typeof text === 'string' ? readEntry(text) : undefined;
    if (entry !== undefined && entry.n === document?._id) this.#end = Math.max(this.#end, entry.n + 1);
  }
}

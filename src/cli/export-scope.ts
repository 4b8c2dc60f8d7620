/** Which events belong to an export whose ledger was read before them: all but those of streams that began, or came back, later. Pure. */
import { isSegmentEntry, readEntry, readEventId, streamTime } from '../evidence/entry.js';

/** What is known of one stream. */
interface Known {
  /** One past its last sealed event. */
  sealedTo: number;
  /** When its newest entry was appended, ms since 1970. */
  lastAt: number;
}

/** What deciding needs. */
export interface ScopeParts {
  /** The clock, ms since 1970. */
  readonly now: () => number;
  /** Whether the ledger by now has an entry about the stream behind those that were exported. */
  readonly isLater: (stream: string) => Promise<boolean>;
}

/** How long a stream may be silent, and how far clocks may differ. */
const DEAD_AFTER_MS = 300_000;

/**
 * Decides, event by event, in order of `_id`. An event that the exported ledger covers always belongs to it. So does the tail of a stream
 * that was alive: verification takes it for that. What nobody's ledger covers belongs to it too, so that verification names it. Left out are
 * events of which only a later ledger can say whether they are in order: the next export has them. Of a trail without a ledger nothing is left out.
 */
export class ExportScope {
  readonly #parts: ScopeParts;
  readonly #streams = new Map<string, Known>();
  /** `at` of the newest exported entry: by it verification of the export judges what is alive and what is new. */
  #newestAt = 0;
  #readAtMs = 0;
  /** The stream that was decided last, and how. */
  #decided = { stream: '', belongs: true };

  constructor(parts: ScopeParts) {
    this.#parts = parts;
  }

  /** Takes an entry of the exported ledger, in order. What is none is left to verification. */
  take(text: unknown): void {
    const entry = typeof text === 'string' ? readEntry(text) : undefined;
    if (entry === undefined || entry.kind === 'prune') return;
    const { sealedTo = 0 } = this.#streams.get(entry.stream) ?? {};
    const end = isSegmentEntry(entry) ? entry.from + entry.count : 0;
    this.#streams.set(entry.stream, { sealedTo: Math.max(sealedTo, end), lastAt: Date.parse(entry.at) });
    this.#newestAt = Math.max(this.#newestAt, Date.parse(entry.at));
  }

  /** The ledger was read to its end, now. */
  close(): void {
    this.#readAtMs = this.#parts.now();
  }

  /** Whether an event belongs to the export. */
  async includes(id: string): Promise<boolean> {
    const place = readEventId(id);
    if (place === undefined || this.#newestAt === 0) return true;
    const known = this.#streams.get(place.stream);
    if (known !== undefined && place.sequence < known.sealedTo) return true;
    if (known !== undefined && known.lastAt >= this.#newestAt - DEAD_AFTER_MS) return true;
    if (this.#decided.stream !== place.stream) {
      this.#decided = { stream: place.stream, belongs: await this.#decide(place.stream, known !== undefined) };
    }
    return this.#decided.belongs;
  }

  async #decide(stream: string, isKnown: boolean): Promise<boolean> {
    const { now, isLater } = this.#parts;
    if (await isLater(stream)) return false;
    if (isKnown) return true;
    // It may be so new that even the present ledger does not know it; what verification would not take for new is left to the next export.
    const began = streamTime(stream);
    const isNew = began >= this.#readAtMs - DEAD_AFTER_MS && began <= now() + DEAD_AFTER_MS;
    return !isNew || began <= this.#newestAt + DEAD_AFTER_MS;
  }
}

/** Checks all events, in order of their `_id`, against what the ledger says of their streams. Pure; memory stays flat. */
import { eventId, readEventId } from './entry.js';
import { Leftovers, type Life } from './leftovers.js';
import { SegmentWalk, type WalkParts } from './segment-walk.js';
import { NO_SEGMENT } from './segments.js';
import type { FoundEvent } from './source.js';

/** Behind every stream's name. */
const LAST = '~';

/** A pass over all events. */
export class EventCheck {
  readonly #parts: WalkParts;
  readonly #life: Life;
  readonly #visited = new Set<string>();
  #count = 0;
  #stream = '';
  /** The highest number that was seen of the current stream. */
  #highest = -1;
  #walk: SegmentWalk | undefined;
  #leftovers: Leftovers | undefined;
  #isFresh = false;

  constructor(parts: WalkParts, life: Life) {
    // What a batch shows was so before it was asked for: reading the ledger once a batch is enough.
    const refresh = async (): Promise<void> => {
      if (this.#isFresh) return;
      this.#isFresh = true;
      await parts.refresh();
    };
    this.#parts = { ...parts, refresh };
    this.#life = life;
  }

  /** Events that were looked at. */
  get count(): number {
    return this.#count;
  }

  /** Takes the next batch. */
  async take(batch: readonly FoundEvent[]): Promise<void> {
    this.#begin(batch.findLast(({ id }) => readEventId(id) !== undefined)?.id ?? '');
    for (const event of batch) {
      if (this.#walk?.take(event) !== true) await this.#place(event);
    }
    this.#count += batch.length;
  }

  /** Ends the pass: segments whose stream has no event at all are accounted for. */
  async end(): Promise<void> {
    this.#begin(LAST);
    await this.#leave();
    for (const record of this.#parts.streams.all()) {
      if (this.#visited.has(record.name) || record.first === NO_SEGMENT) continue;
      const walk = new SegmentWalk(record, this.#parts);
      await walk.start();
      await walk.end();
    }
  }

  #begin(lastId: string): void {
    this.#parts.streams.pass(lastId.split('.', 1)[0] ?? '');
    this.#isFresh = false;
  }

  async #place(event: FoundEvent): Promise<void> {
    const place = readEventId(event.id);
    if (place === undefined) {
      this.#judgeForeign(event);
      return;
    }
    const { stream, sequence } = place;
    if (stream > this.#stream) await this.#enter(stream);
    if (stream < this.#stream || sequence <= (this.#walk?.seen ?? this.#highest)) {
      this.#accuse(event, 'it stands twice, or behind a later one');
      return;
    }
    const where = this.#walk === undefined ? 'beyond' : await this.#walk.place(sequence, event);
    this.#highest = sequence;
    if (where === 'between') this.#judgeBetween(stream, sequence);
    if (where !== 'beyond') return;
    this.#leftovers ??= new Leftovers(stream, this.#life, this.#parts);
    await this.#leftovers.take(sequence, event);
  }

  async #enter(stream: string): Promise<void> {
    await this.#leave();
    this.#stream = stream;
    this.#highest = -1;
    this.#visited.add(stream);
    const record = this.#parts.streams.get(stream);
    if (record === undefined || record.first === NO_SEGMENT) return;
    this.#walk = new SegmentWalk(record, this.#parts);
    await this.#walk.start();
  }

  async #leave(): Promise<void> {
    await this.#walk?.end();
    this.#leftovers?.end();
    this.#walk = undefined;
    this.#leftovers = undefined;
  }

  /** An event between two segments: the hole is in the ledger. */
  #judgeBetween(stream: string, sequence: number): void {
    const record = this.#parts.streams.get(stream);
    if (record?.unknown.some(([from, to]) => sequence >= from && sequence < to) === true) return;
    const detail = 'no entry covers it, though events before and behind it are sealed';
    this.#parts.report.violations.add('event-unsealed', eventId(stream, sequence), detail);
  }

  #judgeForeign(event: FoundEvent): void {
    if (event.fault === 'unreadable') {
      const detail = event.detail ?? 'what stands there is no event';
      this.#parts.report.violations.add('event-malformed', event.id, detail);
    } else {
      this.#accuse(event, 'the package never gives such an _id');
    }
  }

  #accuse({ id }: FoundEvent, detail: string): void {
    this.#parts.report.violations.add('event-inserted', id, detail);
  }
}

/** The streams of other processes, as the ledger shows them: which live, and which may have left events that nobody sealed. Pure. */
import { type Entry, isSegmentEntry } from '../evidence/entry.js';

interface Stream {
  /** Number of the first event that no entry covers; undefined until its last entry was looked up. */
  next: number | undefined;
  /** Time of its newest entry, ms since 1970. */
  lastAt: number;
  /** When to look next for events that it left, ms since 1970. */
  lookAt: number;
  /** How long to wait after that look. */
  pauseMs: number;
}

/** A stream that never ends is looked at again and again, ever more rarely. */
const LONGEST_PAUSE_MS = 3_600_000;
/** Far more than ever live together: a ledger that names more does not fill the memory. */
export const MAX_OTHER_STREAMS = 10_000;

/** Follows the open streams of others. */
export class OtherStreams {
  readonly #deadAfterMs: number;
  readonly #streams = new Map<string, Stream>();

  constructor(deadAfterMs: number) {
    this.#deadAfterMs = deadAfterMs;
  }

  /** A stream that was open before this process looked; its last entry is not known yet. */
  note(stream: string): void {
    if (this.#streams.has(stream)) return;
    this.#set(stream, { next: undefined, lastAt: 0, lookAt: 0, pauseMs: this.#deadAfterMs });
  }

  /** Learns from an entry. Who adopts a stream takes it over as found: it was never open. */
  see(entry: Entry): void {
    if (entry.kind === 'prune' || entry.kind === 'adopt') return;
    if (entry.kind === 'close') {
      this.#streams.delete(entry.stream);
      return;
    }
    const lastAt = Date.parse(entry.at);
    const next = isSegmentEntry(entry) ? entry.from + entry.count : 0;
    const lookAt = lastAt + this.#deadAfterMs;
    this.#set(entry.stream, { next, lastAt, lookAt, pauseMs: this.#deadAfterMs });
  }

  /** What was learned of a stream may not be so: its last entry is looked up when it is due. */
  doubt(stream: string): void {
    this.#streams.delete(stream);
    this.note(stream);
  }

  /** Nothing is known any more. */
  clear(): void {
    this.#streams.clear();
  }

  /** It is none that could be recovered. */
  forget(stream: string): void {
    this.#streams.delete(stream);
  }

  /** More was stored of it than this process knew: it is due now. */
  hurry(stream: string): void {
    this.note(stream);
    const known = this.#streams.get(stream);
    if (known !== undefined) Object.assign(known, { lookAt: 0, pauseMs: this.#deadAfterMs });
  }

  /** How many streams had an entry lately. */
  countLive(now: number): number {
    let live = 0;
    for (const { lastAt } of this.#streams.values()) if (now - lastAt < this.#deadAfterMs) live += 1;
    return live;
  }

  /** Streams that it is time to look at, the longest overdue first. */
  due(now: number, limit: number): string[] {
    const due = [...this.#streams].filter(([, { lookAt }]) => lookAt <= now);
    return due
      .sort(([, a], [, b]) => a.lookAt - b.lookAt)
      .slice(0, limit)
      .map(([stream]) => stream);
  }

  /** Whether it is time to look at a stream. */
  isDue(stream: string, now: number): boolean {
    return (this.#streams.get(stream)?.lookAt ?? Number.POSITIVE_INFINITY) <= now;
  }

  /** First number that no entry covers; undefined when that is not known yet, or the stream is closed. */
  nextOf(stream: string): number | undefined {
    return this.#streams.get(stream)?.next;
  }

  /** It was looked at: the next look is later. */
  looked(stream: string, now: number): void {
    const known = this.#streams.get(stream);
    if (known === undefined) return;
    known.lookAt = now + known.pauseMs;
    known.pauseMs = Math.min(known.pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #set(name: string, stream: Stream): void {
    // The one that was heard of last stays longest.
    this.#streams.delete(name);
    this.#streams.set(name, stream);
    if (this.#streams.size <= MAX_OTHER_STREAMS) return;
    const [oldest = name] = this.#streams.keys();
    this.#streams.delete(oldest);
  }
}

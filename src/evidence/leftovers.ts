/** Judges the events of one stream that no segment covers: the tail that every live stream has, and what honest writers never leave. Pure. */
import { eventId, streamTime } from './entry.js';
import { faultOfUnsealed } from './event-fault.js';
import type { FoundEvent } from './source.js';
import type { WalkParts } from './segment-walk.js';
import type { StreamRecord, Streams } from './streams.js';

/** When a stream counts as dead. */
export interface Life {
  /** When the verification began, ms since 1970. */
  readonly nowMs: number;
  /** A stream whose newest entry is older is dead. */
  readonly deadAfterMs: number;
}

/** What events behind the last segment of a stream are. */
type Standing = 'tail' | 'closed' | 'dead' | 'unregistered';

const UNKNOWN_STREAM =
  'the ledger does not know its stream; history of yours that could not be sealed is taken over by `strongroom adopt`';
const AFTER_CLOSE = { count: 1, detail: 'its stream was closed before it' };
const AFTER_HOLE = 'there is a hole before it that no writer leaves';

/** The events of one stream behind its last segment, in order. */
export class Leftovers {
  readonly #parts: WalkParts;
  readonly #life: Life;
  readonly #name: string;
  #standing: Standing | undefined;
  /** One past the events that are accounted for. */
  #end = 0;
  #accepted = 0;
  #first = '';
  /** Events behind a hole: either they were put in, or what is missing was taken out. */
  #pending = { from: 0, count: 0 };

  constructor(name: string, life: Life, parts: WalkParts) {
    this.#name = name;
    this.#life = life;
    this.#parts = parts;
  }

  /** Takes the next one. */
  async take(sequence: number, event: FoundEvent): Promise<void> {
    const fault = faultOfUnsealed(event);
    if (fault !== undefined) this.#parts.report.violations.add(fault.kind, event.id, fault.detail);
    const standing = (this.#standing ??= await this.#stand());
    if (standing === 'unregistered') return this.#report(event.id);
    // Sealed while its stream was read, perhaps by the very entry that closed it.
    if (sequence < this.#sealedTo()) return this.#skip(sequence);
    if (standing === 'closed') return this.#accuse('event-inserted', sequence, AFTER_CLOSE);
    if (sequence === this.#end) return this.#accept(sequence, 1);
    const { from, count } = this.#pending;
    if (count > 0 && sequence === from + count) this.#pending = { from, count: count + 1 };
    else await this.#jump(sequence);
    this.#settle();
  }

  /** Says what there is to say of the whole tail. */
  end(): void {
    this.#drop();
    if (this.#standing !== 'tail' || this.#accepted === 0) return;
    const detail = `${this.#accepted} events from here on are not sealed yet`;
    this.#parts.report.warnings.add('unsealed-tail', this.#first, detail);
  }

  async #stand(): Promise<Standing> {
    let standing = this.#judge();
    if (standing === 'dead' || standing === 'unregistered') {
      await this.#parts.refresh();
      standing = this.#judge();
    }
    this.#end = this.#sealedTo();
    return standing;
  }

  #judge(): Standing {
    const { streams } = this.#parts;
    const record = streams.get(this.#name);
    if (record === undefined) return isYoung(this.#name, this.#life, streams) ? 'tail' : 'unregistered';
    if (record.isClosed) return 'closed';
    return isDead(record, this.#life) ? 'dead' : 'tail';
  }

  /** Up to where the stream is sealed by what is known now; a seal that came while events were read covers what it says. */
  #sealedTo(): number {
    return this.#parts.streams.get(this.#name)?.sealedTo ?? 0;
  }

  #skip(sequence: number): void {
    this.#end = Math.max(this.#end, sequence + 1);
  }

  async #jump(sequence: number): Promise<void> {
    this.#drop();
    await this.#parts.refresh();
    this.#end = Math.max(this.#end, this.#sealedTo());
    // A seal that came while events were read covers it.
    if (sequence < this.#end) return;
    this.#pending = { from: sequence, count: 1 };
  }

  /** The explanation that needs fewer changes is the likelier one: so many events put in, or so many taken out. */
  #settle(): void {
    const { from, count } = this.#pending;
    const hole = from - this.#end;
    if (count === 0 || count < hole) return;
    const start = this.#end;
    this.#parts.report.violations.addMany('event-missing', hole, (index) => ({
      where: eventId(this.#name, start + index),
      detail: 'it is not there, though later ones of its stream are',
    }));
    this.#pending = { from: 0, count: 0 };
    this.#accept(from, count);
  }

  /** The events behind a hole were put in. */
  #drop(): void {
    const { from, count } = this.#pending;
    this.#pending = { from: 0, count: 0 };
    this.#accuse('event-inserted', from, { count, detail: AFTER_HOLE });
  }

  #accept(sequence: number, count: number): void {
    this.#end = sequence + count;
    if (this.#accepted === 0) this.#first = eventId(this.#name, sequence);
    this.#accepted += count;
    if (this.#standing !== 'dead') return;
    this.#accuse('event-unsealed', sequence, { count, detail: 'no entry covers it, and its stream is dead' });
  }

  #accuse(kind: 'event-inserted' | 'event-unsealed', from: number, what: { count: number; detail: string }): void {
    this.#parts.report.violations.addMany(kind, what.count, (index) => ({
      where: eventId(this.#name, from + index),
      detail: what.detail,
    }));
  }

  /** One finding a stream is enough. */
  #report(id: string): void {
    this.#accepted += 1;
    if (this.#accepted > 1) return;
    this.#parts.report.violations.add('stream-unregistered', id, UNKNOWN_STREAM);
  }
}

/** Whether a stream's newest entry is too old for a living one. */
export function isDead({ lastAt }: StreamRecord, { nowMs, deadAfterMs }: Life): boolean {
  return lastAt < nowMs - deadAfterMs;
}

/** Whether a stream, by its name, began so short ago that its first entry need not be there; one from the future did not. */
function isYoung(name: string, { nowMs, deadAfterMs }: Life, streams: Streams): boolean {
  const began = streamTime(name);
  // A stream that began while events were read is later than `now`; how late it is by then only the ledger can say.
  const latest = Math.max(nowMs, streams.latestAt) + deadAfterMs;
  return began >= nowMs - deadAfterMs && began <= latest;
}

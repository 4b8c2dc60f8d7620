/** How much of the spool's bound is taken: by this process, which is known at any time, and by others, which is measured now and then. It knows no event's content. */
import type { Entry } from './outbox.js';
import { NAMELESS_SHARE, type Pending } from './pending.js';
import type { SpoolDirectory, SpoolUse } from './spool-directory.js';

/** What a log of this process takes, as of now. */
export interface SpoolUser extends SpoolUse {
  /** Its name in the directory. */
  readonly id: string;
}

/** What a room works with. */
export interface SpoolRoomParts {
  readonly maxBytes: number;
  /** The log that is written now. */
  readonly ownLog: () => SpoolUser | undefined;
}

/** Others write and send too. */
const MEASURE_EVERY_MS = 5000;
/** It is measured again as soon as this part of what was left is written: so many processes may fill a spool together and end at its bound. */
const STEP_SHARE = 1 / 8;
/** No more often than after this part of the bound. */
const LEAST_STEP_SHARE = 1 / 256;
const NOTHING: SpoolUse = { bytes: 0, namelessBytes: 0 };

/** The bound of one directory, as one instance sees it. */
export class SpoolRoom {
  readonly #parts: SpoolRoomParts;
  #directory: SpoolDirectory | undefined;
  #adopted: SpoolUser | undefined;
  #measured = new Map<string, SpoolUse>();
  #others: SpoolUse = NOTHING;
  /** Own bytes at which it is measured again. */
  #nextBytes = 0;
  #measuring: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SpoolRoomParts) {
    this.#parts = parts;
  }

  /** The directory is there; resolves when it is measured. Never rejects. */
  async begin(directory: SpoolDirectory): Promise<void> {
    this.end();
    this.#directory = directory;
    this.#timer = setInterval(() => void this.#measure(), MEASURE_EVERY_MS);
    this.#timer.unref();
    await this.#measure();
  }

  /** Measures no more. */
  end(): void {
    clearInterval(this.#timer);
  }

  /** This log of a dead process is ours now, and all that is written to it; undefined: it is gone. */
  adopt(log: SpoolUser | undefined): void {
    // What was measured of the one before is not there any more.
    this.#measured.delete(this.#adopted?.id ?? '');
    this.#adopted = log;
    this.#sum();
  }

  /** Something was written: when it was much, others may have taken the rest. */
  noteWritten(): void {
    if (this.#own().bytes > this.#nextBytes) void this.#measure();
  }

  /** Whether an event may be accepted, beside those that wait for the disk. One that is larger than the bound passes when nothing else is there. */
  fits({ bytes, isNameless = false }: { bytes: number; isNameless?: boolean }, waiting: SpoolUse): boolean {
    const { maxBytes } = this.#parts;
    const own = this.#own();
    const used = own.bytes + this.#others.bytes + waiting.bytes;
    if (used > 0 && used + bytes > maxBytes) return false;
    const nameless = own.namelessBytes + this.#others.namelessBytes + waiting.namelessBytes;
    return !isNameless || nameless === 0 || nameless + bytes <= maxBytes * NAMELESS_SHARE;
  }

  /** Takes out of the intake what was accepted and does not fit. */
  takeExcess(intake: Pending): Entry[] {
    let waiting = NOTHING;
    return intake.takeOut((entry) => {
      if (!this.fits(entry, waiting)) return true;
      const { bytes, isNameless } = entry;
      waiting = add(waiting, { bytes, namelessBytes: isNameless === true ? bytes : 0 });
      return false;
    });
  }

  #own(): SpoolUse {
    const log = this.#parts.ownLog();
    return add(log ?? NOTHING, this.#adopted ?? NOTHING);
  }

  /** One at a time. */
  #measure(): Promise<void> {
    this.#measuring ??= this.#read().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async #read(): Promise<void> {
    this.#measured = (await this.#directory?.measure()) ?? new Map<string, SpoolUse>();
    this.#sum();
  }

  /** Kept, since it is asked for with each event. */
  #sum(): void {
    const { maxBytes, ownLog } = this.#parts;
    const ours = [ownLog()?.id, this.#adopted?.id];
    const others = [...this.#measured].filter(([id]) => !ours.includes(id));
    this.#others = others.reduce((sum, [, use]) => add(sum, use), NOTHING);
    const { bytes } = this.#own();
    const left = Math.max(0, maxBytes - bytes - this.#others.bytes);
    this.#nextBytes = bytes + Math.max(left * STEP_SHARE, maxBytes * LEAST_STEP_SHARE);
  }
}

function add(a: SpoolUse, b: SpoolUse): SpoolUse {
  return { bytes: a.bytes + b.bytes, namelessBytes: a.namelessBytes + b.namelessBytes };
}

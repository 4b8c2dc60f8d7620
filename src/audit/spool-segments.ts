/** The files of one log: how full they are, and what in them is not stored yet. Sums are kept: they are asked for with each event. It knows no disk. */

/** One file. */
export interface SpoolSegment {
  readonly path: string;
  bytes: number;
  /** Those of failures that name no actor. */
  namelessBytes: number;
  /** Its events; undefined until a file that someone else wrote is read. */
  count: number | undefined;
  /** Those that are not stored yet. */
  left: number;
  /** Whether they were handed out. */
  isRead: boolean;
  /** The `_id` of its first event; '' until that is known. */
  first: string;
}

/** Files in the order of their numbers. */
export class SpoolSegments {
  #all: SpoolSegment[] = [];
  #bytes = 0;
  #namelessBytes = 0;

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Those of failures that name no actor. */
  get namelessBytes(): number {
    return this.#namelessBytes;
  }

  /** Events that are not stored yet; a file of someone else that was not read yet counts as one. */
  get size(): number {
    return this.#all.reduce((sum, { left }) => sum + left, 0);
  }

  /** Those of them that were not handed out. */
  get unread(): number {
    return this.#all.reduce((sum, { isRead, left }) => (isRead ? sum : sum + left), 0);
  }

  /** The last one. */
  get last(): SpoolSegment | undefined {
    return this.#all.at(-1);
  }

  /** Those of which nothing is needed any more. */
  get done(): SpoolSegment[] {
    return this.#all.filter((segment) => isDone(segment));
  }

  /** The first whose events were not handed out. */
  get nextUnread(): SpoolSegment | undefined {
    return this.#all.find(({ isRead, left }) => !isRead && left > 0);
  }

  /** The one behind another. */
  after(segment: SpoolSegment): SpoolSegment | undefined {
    return this.#all[this.#all.indexOf(segment) + 1];
  }

  /** Adds one behind all others. */
  add(segment: SpoolSegment): void {
    this.#all.push(segment);
    this.#bytes += segment.bytes;
    this.#namelessBytes += segment.namelessBytes;
  }

  /** It is gone. */
  remove(segment: SpoolSegment): void {
    this.resize(segment, { bytes: -segment.bytes, namelessBytes: -segment.namelessBytes });
    this.#all = this.#all.filter((other) => other !== segment);
  }

  /** It is larger, or smaller. */
  resize(segment: SpoolSegment, { bytes, namelessBytes }: Pick<SpoolSegment, 'bytes' | 'namelessBytes'>): void {
    segment.bytes += bytes;
    segment.namelessBytes += namelessBytes;
    this.#bytes += bytes;
    this.#namelessBytes += namelessBytes;
  }

  /** So many more are stored, in order. */
  settle(count: number): void {
    let rest = count;
    for (const segment of this.#all) {
      const taken = Math.min(segment.left, rest);
      segment.left -= taken;
      rest -= taken;
      if (rest === 0) break;
    }
  }
}

/** Whether nothing of a file is needed any more. */
export function isDone({ isRead, left }: SpoolSegment): boolean {
  return isRead && left === 0;
}

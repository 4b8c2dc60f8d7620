/** Who waits until what was recorded so far is stored, or at least on disk. It knows no event. */

interface Waiter {
  readonly position: number;
  readonly acceptsSpooled: boolean;
  readonly resolve: () => void;
}

/** What it works with. */
export interface SpoolWaitersParts {
  /** Events that are not stored yet, now. */
  readonly waiting: () => number;
  /** Those of them that are as durable as they get while the store takes nothing. */
  readonly onDisk: () => number;
  /** There are fewer now. */
  readonly onProgress: () => void;
}

/** Waits of one instance; positions count every event of it. */
export class SpoolWaiters {
  readonly #parts: SpoolWaitersParts;
  #waiters: Waiter[] = [];
  /** Events that nobody waits for any more. */
  #through = 0;
  #isHeldUp = false;

  constructor(parts: SpoolWaitersParts) {
    this.#parts = parts;
  }

  /** Waits until all that waits now is stored; `acceptsSpooled`: or is on disk and the store takes nothing. */
  wait(acceptsSpooled: boolean): Promise<void> {
    const position = this.#through + this.#parts.waiting();
    const through = new Promise<void>((resolve) => this.#waiters.push({ position, acceptsSpooled, resolve }));
    this.wake();
    return through;
  }

  /** So many more are stored. */
  noteStored(count: number): void {
    this.#isHeldUp = false;
    this.noteGone(count);
  }

  /** So many more are not here any more. */
  noteGone(count: number): void {
    this.#through += count;
    this.wake();
    this.#parts.onProgress();
  }

  /** The store takes nothing for now. */
  noteHeldUp(): void {
    this.#isHeldUp = true;
    this.wake();
  }

  /** Lets go who waits for what is through by now. */
  wake(): void {
    this.#letGo(this.#isHeldUp);
  }

  /** Lets go also who would take what is on disk, whatever the store does: the time is up. */
  hurry(): void {
    this.#letGo(true);
  }

  #letGo(isSpoolEnough: boolean): void {
    if (this.#waiters.length === 0) return;
    const durable = this.#through + (isSpoolEnough ? this.#parts.onDisk() : 0);
    const isDue = ({ position, acceptsSpooled }: Waiter): boolean =>
      position <= (acceptsSpooled ? durable : this.#through);
    const due = this.#waiters.filter(isDue);
    this.#waiters = this.#waiters.filter((waiter) => !isDue(waiter));
    for (const { resolve } of due) resolve();
  }
}

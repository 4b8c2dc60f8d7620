/** Who waits until what was recorded so far is stored, or at least on disk. Pure; it knows no event. */

interface Waiter {
  readonly position: number;
  readonly acceptsSpooled: boolean;
  readonly resolve: () => void;
}

/** How far events are; positions count every event of the instance. */
export interface Progress {
  /** Up to here they are stored. */
  readonly stored: number;
  /** Up to here they are as durable as they get for now. */
  readonly durable: number;
}

/** Waits of one instance. */
export class SpoolWaiters {
  #waiters: Waiter[] = [];

  /** Waits until a position is stored; `acceptsSpooled`: or durable. */
  wait(position: number, acceptsSpooled: boolean): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ position, acceptsSpooled, resolve }));
  }

  /** Lets go who has waited long enough. */
  wake({ stored, durable }: Progress): void {
    if (this.#waiters.length === 0) return;
    const isDue = ({ position, acceptsSpooled }: Waiter): boolean => position <= (acceptsSpooled ? durable : stored);
    const due = this.#waiters.filter(isDue);
    this.#waiters = this.#waiters.filter((waiter) => !isDue(waiter));
    for (const { resolve } of due) resolve();
  }
}

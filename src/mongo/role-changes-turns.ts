/** Lets writes to one document take turns within this process, so that none comes between another's reads. It knows no database. */
import { inTime } from './connection.js';

/** The turns of one collection. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /**
   * Runs the work when those before it are done; `waited` tells that there were any. Who waits that long goes on without a turn: the one
   * before may wait for a server that answers it never.
   */
  async take<T>(key: string, work: (waited: boolean) => Promise<T>, maxWaitMs: number): Promise<T> {
    const before = this.#last.get(key);
    const { promise: done, resolve } = withResolvers();
    this.#last.set(key, done);
    try {
      if (before !== undefined) await inTime(before, Math.max(0, maxWaitMs)).catch(() => undefined);
      return await work(before !== undefined);
    } finally {
      resolve();
      if (this.#last.get(key) === done) this.#last.delete(key);
    }
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

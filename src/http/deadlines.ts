/** Things that have the same time to wait, on one timer: what is in order needs no timer each. It knows no request. */

/** A set in the order of arrival whose members fall due, each once, the same time after they were added. */
export interface Deadlines<Item> {
  /** Adds one, or starts its time anew. */
  add(item: Item): void;
  /** Takes one out; false when it was not in. */
  delete(item: Item): boolean;
  /** Those that wait, the oldest first. */
  values(): Iterable<Item>;
  /** Nothing falls due any more; adding and deleting go on. */
  stop(): void;
  /** Whether `stop` was called. */
  readonly isStopped: boolean;
}

/** Creates deadlines; `fallDue` gets each item after `waitMs`, when it is no longer in. The timer keeps no process alive. */
export function createDeadlines<Item>(waitMs: number, fallDue: (item: Item) => void): Deadlines<Item> {
  const dueMs = new Map<Item, number>();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  function start(delayMs: number): void {
    timer = setTimeout(expire, delayMs).unref();
  }

  function expire(): void {
    timer = undefined;
    const nowMs = performance.now();
    const due: Item[] = [];
    for (const [item, at] of dueMs) {
      if (at > nowMs) break;
      due.push(item);
    }
    for (const item of due) dueMs.delete(item);
    for (const item of due) fallDue(item);
    const [next] = dueMs.values();
    // A millisecond more: a timer may fire a fraction early, and would then find nothing due.
    if (next !== undefined && timer === undefined && !isStopped) start(next - nowMs + 1);
  }

  return {
    add(item) {
      dueMs.delete(item);
      dueMs.set(item, performance.now() + waitMs);
      if (timer === undefined && !isStopped) start(waitMs + 1);
    },
    delete: (item) => dueMs.delete(item),
    values: () => dueMs.keys(),
    stop() {
      isStopped = true;
      clearTimeout(timer);
      timer = undefined;
    },
    get isStopped() {
      return isStopped;
    },
  };
}

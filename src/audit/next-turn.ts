/** Lets what else waits in the event loop have its turn. */

/** Resolves in the next turn, after I/O that is ready. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

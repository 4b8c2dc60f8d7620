/** How long the writer waits between two attempts: longer each time, with jitter, and cut short when the database is back. */

/** After no reply the server may be back in milliseconds; a wrong configuration takes a person. */
const FIRST_MS = 50;
const LONGEST_MS = { unknown: 2000, refused: 15_000 } as const;

/** The waits of one writer. */
export interface Backoff {
  /** Waits; the process stays alive meanwhile, since unwritten events depend on it. */
  wait(kind: 'unknown' | 'refused'): Promise<void>;
  /** Ends a wait that is under way. */
  skip(): void;
  /** An attempt succeeded: begin with the shortest wait again. */
  reset(): void;
}

/** Creates the backoff of one writer. */
export function createBackoff(): Backoff {
  let attempts = 0;
  let end: (() => void) | undefined;
  return {
    wait(kind) {
      const longest = Math.min(LONGEST_MS[kind], FIRST_MS * 2 ** attempts);
      attempts = Math.min(attempts + 1, 30);
      return new Promise((resolve) => {
        // Half fixed, half random: many processes must not come back in step.
        const timer = setTimeout(resolve, longest / 2 + (Math.random() * longest) / 2);
        end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    skip: () => end?.(),
    reset() {
      attempts = 0;
    },
  };
}

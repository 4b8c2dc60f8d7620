/** A time limit for what may hang: a signer, an anchor, a database. It knows none of them. */

/** The result, or a rejection with the error when it takes longer; the work itself goes on, and nobody hears of it any more. */
export async function inTime<T>(work: Promise<T>, timeoutMs: number, tooLate: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the work comes to its end in time; what `onLate` lets end counts. The work MUST NOT reject. */
export async function isInTime(work: Promise<unknown>, timeoutMs: number, onLate: () => void): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      onLate();
      setImmediate(resolve, false);
    }, timeoutMs);
  });
  const isThrough = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return isThrough;
}

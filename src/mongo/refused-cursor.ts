/** A cursor that never was: whatever reads from it gets the refusal. It must not know why. */
import { Readable } from 'node:stream';

const READING = new Set(['next', 'tryNext', 'hasNext', 'toArray', 'forEach', 'explain']);

/**
 * Stands in for a driver cursor whose pipeline was refused: reading rejects, streaming and iterating fail, closing
 * works, and every other method returns the cursor, so that a chain of them ends in the refusal too.
 * mongoose 8 calls `aggregate` where a synchronous throw would end the process: hence a cursor, not a throw.
 */
export function refusedCursor(refusal: Error): object {
  const cursor: object = new Proxy(
    {},
    {
      get(_target, name) {
        // A cursor is no promise: `await collection.aggregate(...)` must give the cursor.
        if (name === 'then') return undefined;
        if (name === Symbol.asyncIterator) return () => failingIterator(refusal);
        if (name === 'stream') return () => Readable.from({ [Symbol.asyncIterator]: () => failingIterator(refusal) });
        if (name === 'close') return () => Promise.resolve();
        if (name === 'closed' || name === 'killed') return false;
        return READING.has(String(name)) ? () => Promise.reject(refusal) : () => cursor;
      },
    },
  );
  return cursor;
}

function failingIterator(refusal: Error): AsyncIterator<never> {
  return { next: () => Promise.reject(refusal) };
}

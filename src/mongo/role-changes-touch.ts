/** Whether a write may change a watched path of a document that exists: read from the update as mongoose sends it. Pure; it knows no collection. */
import { isRecord } from '../settings.js';

/** What a path says of the place: positions in arrays (`0`, `$`, `$[]`, `$[admin]`) are left out, since any of them may be meant. */
type Place = readonly string[];

/** Decides for one list of paths. */
export type Touches = (update: unknown) => boolean;

/**
 * Prepares the decision for these paths. It errs on the side of yes: a yes too many costs a read, a no too many loses a change. A pipeline
 * and a replacement may change anything; `$setOnInsert` changes no document that exists.
 */
export function createTouches(paths: readonly string[]): Touches {
  const watched = paths.map(placeOf);

  function meets(path: string): boolean {
    const written = placeOf(path);
    return watched.some((place) => isWithin(place, written) || isWithin(written, place));
  }

  function operatorTouches(operator: string, fields: unknown): boolean {
    if (operator === '$setOnInsert' || !isRecord(fields)) return false;
    if (Object.keys(fields).some(meets)) return true;
    return operator === '$rename' && Object.values(fields).some((to) => typeof to === 'string' && meets(to));
  }

  return function touches(update) {
    if (!isRecord(update)) return true;
    for (const [key, value] of Object.entries(update)) {
      if (!key.startsWith('$') || operatorTouches(key, value)) return true;
    }
    return false;
  };
}

function placeOf(path: string): Place {
  return path.includes('.') || path.startsWith('$') ? path.split('.').filter(isNoPosition) : [path];
}

function isNoPosition(segment: string): boolean {
  return !segment.startsWith('$') && !/^\d+$/.test(segment);
}

function isWithin(outer: Place, inner: Place): boolean {
  return outer.every((segment, index) => inner[index] === segment);
}

/** Whether a write may change a watched path of a document that exists: read from the update as mongoose sends it. Pure; it knows no collection. */
import { isRecord } from '../settings.js';

/** What a path says of the place: positions in arrays (`0`, `$`, `$[]`, `$[admin]`) are left out, since any of them may be meant. */
type Place = readonly string[];

/** Decides for one list of paths. */
export type Touches = (update: unknown) => boolean;

/**
 * Prepares the decision for these paths. It errs on the side of yes: a yes too many costs a read, a no too many loses a change. A
 * replacement may change anything, and so may what is known only when it is sent; `$setOnInsert` changes no document that exists.
 */
export function createTouches(paths: readonly string[]): Touches {
  const watched = paths.map(placeOf);

  function meets(path: string): boolean {
    const written = placeOf(path);
    return watched.some((place) => isWithin(place, written) || isWithin(written, place));
  }

  function operatorTouches(operator: string, fields: unknown): boolean {
    if (operator === '$setOnInsert') return false;
    if (isOpaque(fields)) return true;
    if (!isRecord(fields)) return false;
    if (Object.keys(fields).some(meets)) return true;
    return operator === '$rename' && Object.values(fields).some((to) => typeof to === 'string' && meets(to));
  }

  /** In a pipeline an object is no value: its fields are set, and those beside them stay. */
  function fieldsTouch(fields: object, prefix: string): boolean {
    return Object.entries(fields).some(([name, value]) => {
      if (!meets(prefix + name)) return false;
      return !isOfFields(value) || fieldsTouch(value, `${prefix}${name}.`);
    });
  }

  function stageTouches(stage: unknown): boolean {
    if (!isRecord(stage) || isOpaque(stage)) return true;
    return Object.entries(stage).some(([operator, fields]) => {
      if (operator === '$unset') return [fields].flat().some((name) => typeof name !== 'string' || meets(name));
      const isSetting = operator === '$set' || operator === '$addFields';
      return !isSetting || !isRecord(fields) || isOpaque(fields) || fieldsTouch(fields, '');
    });
  }

  return function touches(update) {
    if (isOpaque(update)) return true;
    if (Array.isArray(update)) return update.some(stageTouches);
    if (!isRecord(update)) return true;
    return Object.entries(update).some(([key, value]) => !key.startsWith('$') || operatorTouches(key, value));
  };
}

/** What is sent is not what its own members say. */
function isOpaque(value: unknown): boolean {
  return value instanceof Map || typeof (value as { toBSON?: unknown } | null | undefined)?.toBSON === 'function';
}

/** An object of a pipeline's `$set` that names fields; any other value, an expression too, takes the place of what was there. */
function isOfFields(value: unknown): value is object {
  if (!isRecord(value) || isOpaque(value) || '_bsontype' in value) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  const names = Object.keys(value);
  const isPlain = prototype === Object.prototype || prototype === null;
  return isPlain && names.length > 0 && !names.some((name) => name.startsWith('$'));
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

/** Ids as text: what counts as the id of a user or a thing, whatever library made it. It knows no request. */
import { readBson } from '../evidence/exotic.js';

/** Text of an id: strings, whole numbers, bigints, Longs, ObjectIds and UUIDs; undefined for anything else. Never throws. */
export function readId(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (typeof value === 'bigint') return String(value);
  try {
    return readBsonId(value);
  } catch {
    // A getter or a Proxy of the caller threw: nobody is known by it.
    return undefined;
  }
}

/** By its shape, not by `instanceof`: several copies of bson may be around. */
function readBsonId(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const id = value as { _bsontype?: unknown; toHexString?: unknown };
  if (id._bsontype === 'Long') return readText(readBson(value));
  if (typeof id._bsontype !== 'string' || typeof id.toHexString !== 'function') return undefined;
  return readText((id.toHexString as () => unknown)());
}

function readText(text: unknown): string | undefined {
  return typeof text === 'string' ? text : undefined;
}

/** Ids of many documents in little memory, as keys, and whether a filter names just one. It knows no roles. */
import { readId } from '../audit/identity.js';
import { canonicalText } from '../evidence/line.js';
import { normalise } from '../evidence/normalise.js';
import { isRecord } from '../settings.js';

const OBJECT_ID_BYTES = 12;
const FIRST_ROOM = 64;

interface ObjectIdLike {
  readonly id: Uint8Array;
}
type ObjectIdClass = new (bytes: Uint8Array) => unknown;

/** Ids in the order in which they came. ObjectIds, ten times as large as objects, are kept as their 12 bytes. */
export class IdList {
  #bytes: Buffer = Buffer.alloc(0);
  #packed = 0;
  #ObjectId: ObjectIdClass | undefined;
  readonly #others: unknown[] = [];

  /** How many there are. */
  get size(): number {
    return this.#packed + this.#others.length;
  }

  /** Adds an id. */
  add(id: unknown): void {
    if (!isObjectId(id)) {
      this.#others.push(id);
      return;
    }
    // The app's own class: there may be several copies of bson, and a query takes only its own.
    this.#ObjectId ??= id.constructor as ObjectIdClass;
    const end = (this.#packed + 1) * OBJECT_ID_BYTES;
    if (end > this.#bytes.length) this.#grow();
    this.#bytes.set(id.id, end - OBJECT_ID_BYTES);
    this.#packed += 1;
  }

  /** The ids, so many at a time. */
  *batches(size: number): Generator<unknown[], void, undefined> {
    let batch: unknown[] = [];
    for (const id of this) {
      batch.push(id);
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  *[Symbol.iterator](): Generator<unknown, void, undefined> {
    for (let index = 0; index < this.#packed; index += 1) yield this.#unpack(index);
    yield* this.#others;
  }

  #unpack(index: number): unknown {
    const from = index * OBJECT_ID_BYTES;
    const bytes = Uint8Array.prototype.slice.call(this.#bytes, from, from + OBJECT_ID_BYTES);
    return this.#ObjectId && new this.#ObjectId(bytes);
  }

  #grow(): void {
    const bytes = Buffer.alloc(Math.max(FIRST_ROOM * OBJECT_ID_BYTES, this.#bytes.length * 2));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}

function isObjectId(id: unknown): id is ObjectIdLike {
  if (!isRecord(id) || id['_bsontype'] !== 'ObjectId') return false;
  return id['id'] instanceof Uint8Array && id['id'].length === OBJECT_ID_BYTES;
}

/** A key that tells ids of one collection apart: as text, ids of different kinds may be the same. */
export function idKey(id: unknown): string {
  return `${typeof id}:${readId(id) ?? canonicalText(normalise(id))}`;
}

/** Whether the filter can match one document at the most, by its `_id`. */
export function namesOne(filter: unknown, collation: unknown): filter is { readonly _id: unknown } {
  if (!isRecord(filter) || !Object.hasOwn(filter, '_id')) return false;
  const { _id: id } = filter;
  // With a collation `Ada` and `ada` may be the same.
  if (typeof id === 'string') return collation === undefined || collation === null;
  if (id === null || id === undefined || id instanceof RegExp || Array.isArray(id)) return false;
  return !isRecord(id) || id['_bsontype'] !== undefined || !Object.keys(id).some((key) => key.startsWith('$'));
}

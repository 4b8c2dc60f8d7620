/** The JavaScript and BSON types that are no JSON, each read to its fixed form. It imports no library: BSON types are known by what they say of themselves. */

/** The entries of a Map that are looked at. */
export interface ReadMap {
  /** The first entries, by the text of their key. */
  readonly members: Record<string, unknown>;
  /** How many entries the Map has. */
  readonly size: number;
}

/** The members of a Set that are looked at. */
export interface ReadSet {
  /** The first members. */
  readonly items: readonly unknown[];
  /** How many members the Set has. */
  readonly size: number;
}

const CLASS_NAME = /^[A-Za-z_$][\w$]{0,63}$/;
const DECIMAL = /^-?(?:\d+(?:\.\d+)?(?:E[+-]?\d+)?|NaN|Infinity)$/i;
const OBJECT_ID = /^[0-9a-f]{24}$/i;
const UUID_SUBTYPES: readonly unknown[] = [3, 4];

/** ISO text of a Date, null of an invalid one, `undefined` of anything else. */
export function readDate(value: object): string | null | undefined {
  if (tagOf(value) !== 'Date') return undefined;
  const time = branded(() => Date.prototype.getTime.call(value));
  if (time === undefined) return undefined;
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

/** The first `limit` entries of a Map; `undefined` of anything else. Keys that are objects are told by their kind. */
export function readMap(value: object, limit: number): ReadMap | undefined {
  if (tagOf(value) !== 'Map') return undefined;
  const entries = branded(() => Map.prototype.entries.call(value));
  if (entries === undefined) return undefined;
  const members = Object.create(null) as Record<string, unknown>;
  let seen = 0;
  for (const [key, member] of entries) {
    if ((seen += 1) > limit) break;
    let name = isNameable(key) ? String(key) : `[${typeof key}]`;
    while (name in members) name = `_${name}`;
    members[name] = member;
  }
  return { members, size: trueSize(Map.prototype, value) };
}

/** The first `limit` members of a Set; `undefined` of anything else. */
export function readSet(value: object, limit: number): ReadSet | undefined {
  if (tagOf(value) !== 'Set') return undefined;
  const members = branded(() => Set.prototype.values.call(value));
  if (members === undefined) return undefined;
  const items: unknown[] = [];
  for (const item of members) {
    if (items.length === limit) break;
    items.push(item);
  }
  return { items, size: trueSize(Set.prototype, value) };
}

/** Hex of an ObjectId or UUID, decimal text of a Long, Timestamp or Decimal128, the number of an Int32 or Double; `undefined` of anything else. */
export function readBson(value: object): string | number | undefined {
  const bson = value as Record<string, unknown>;
  switch (bson['_bsontype']) {
    case 'ObjectId':
    case 'ObjectID':
      return textOf(value, 'toHexString', OBJECT_ID);
    case 'Long':
    case 'Timestamp':
    case 'Decimal128':
      return textOf(value, 'toString', DECIMAL);
    case 'Int32':
    case 'Double':
      return typeof bson['value'] === 'number' ? bson['value'] : undefined;
    default:
      return undefined;
  }
}

/** Base64 of a Buffer, typed array, DataView, ArrayBuffer or BSON Binary, a marker when it is too long, a UUID's text; `undefined` of anything else. */
export function readBinary(value: object, limit: number): string | undefined {
  const binary = value as Record<string, unknown>;
  const isBson = binary['_bsontype'] === 'Binary';
  const bytes = bytesOf(isBson ? binary['buffer'] : value);
  if (bytes === undefined) return undefined;
  const held = isBson && typeof binary['position'] === 'number' ? bytes.subarray(0, binary['position']) : bytes;
  if (isBson && held.length === 16 && UUID_SUBTYPES.includes(binary['sub_type'])) return uuidText(held);
  return held.length <= limit ? held.toString('base64') : `[binary: ${held.length} bytes]`;
}

/** Source and flags of a RegExp; `undefined` of anything else. */
export function readRegExp(value: object): string | undefined {
  if (tagOf(value) !== 'RegExp') return undefined;
  // RegExp.prototype.toString takes any object; the getter of `source` does not.
  return branded(() => `/${String(Reflect.get(RegExp.prototype, 'source', value))}/${(value as RegExp).flags}`);
}

/** The class name of an Error, nothing more; `undefined` of anything else. */
export function readError(value: object): string | undefined {
  return tagOf(value) === 'Error' || value instanceof Error ? (classOf(value) ?? 'Error') : undefined;
}

/** What is in a boxed string, number, boolean or bigint; `undefined` of anything else. */
export function readPrimitive(value: object): string | number | boolean | bigint | undefined {
  switch (tagOf(value)) {
    case 'String':
      return branded(() => String.prototype.valueOf.call(value));
    case 'Number':
      return branded(() => Number.prototype.valueOf.call(value));
    case 'Boolean':
      return branded(() => Boolean.prototype.valueOf.call(value));
    case 'BigInt':
      return branded(() => BigInt.prototype.valueOf.call(value as unknown as bigint));
    default:
      return undefined;
  }
}

/** The class of an object that shows nothing else: `[Promise]`. */
export function describe(value: object): string {
  return `[${classOf(value) ?? 'Object'}]`;
}

function classOf(value: object): string | undefined {
  const { constructor } = value as { constructor?: { name?: unknown } };
  const name = constructor?.name;
  return typeof name === 'string' && CLASS_NAME.test(name) ? name : undefined;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** `Symbol.toStringTag` may lie: the built-in method that is called here throws on what is not of its type. */
function branded<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The size as the built-in getter tells it, whatever a subclass says. */
function trueSize(prototype: object, value: object): number {
  return Reflect.get(prototype, 'size', value) as number;
}

function isNameable(key: unknown): boolean {
  return key === null || ['string', 'number', 'boolean', 'bigint', 'undefined'].includes(typeof key);
}

/** What a method of the object says, when it has the form that is expected of it. */
function textOf(value: object, method: 'toHexString' | 'toString', form: RegExp): string | undefined {
  const call = (value as Record<string, unknown>)[method];
  const text: unknown = typeof call === 'function' ? call.call(value) : undefined;
  return typeof text === 'string' && text.length <= 64 && form.test(text) ? text : undefined;
}

function bytesOf(value: unknown): Buffer | undefined {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const isBuffer = value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
  return isBuffer ? Buffer.from(value as ArrayBuffer) : undefined;
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Any JavaScript value to the bounded value that JSON, BSON and a hash agree on. Pure: it knows no event, no redaction, no clock and no database. */
import { CUT, cutMarked, wellFormed } from './cut.js';
import {
  describe,
  readBinary,
  readBson,
  readDate,
  readError,
  readMap,
  readPrimitive,
  readRegExp,
  readSet,
} from './exotic.js';

/** What is stored and hashed: null, booleans, finite numbers, well-formed strings, arrays and plain objects. */
export type Canonical = null | boolean | number | string | readonly Canonical[] | { readonly [key: string]: Canonical };

/** How much of a value is kept. Beyond a limit an explicit marker stands in the place of what was cut. */
export interface Limits {
  /** Levels of arrays and objects, the outermost included; a deeper one becomes `[cut: too deep]`. */
  readonly depth: number;
  /** Members of one object, the marker `"[cut]": "[cut: 36 more keys]"` included. */
  readonly keys: number;
  /** Items of one array, the marker `"[cut: 36 more items]"` included. */
  readonly items: number;
  /** UTF-16 units of one string, the marker `[cut]` at its end included. */
  readonly textLength: number;
  /** UTF-16 units of one key, the marker `[cut]` at its end included. */
  readonly keyLength: number;
  /** Bytes of one Buffer or typed array that are kept as base64; a longer one becomes `[binary: 5000 bytes]`. */
  readonly binaryBytes: number;
  /** Bytes of the canonical text in all, give or take a few markers: what fits no more becomes `[cut: 5000 characters]` or is counted as more keys or items. */
  readonly bytes: number;
}

/** What may be stored. 56 KiB leave room for the other fields in a line of 64 KiB. */
export const STORED_LIMITS: Limits = {
  depth: 16,
  keys: 64,
  items: 100,
  textLength: 16_384,
  keyLength: 256,
  binaryBytes: 1024,
  bytes: 57_344,
};

/** UTF-16 units that are looked at beyond a limit, so that a token which crosses it is seen whole before the text is cut. */
export const SCAN_SLACK = 4096;

/**
 * What a snapshot keeps until it is redacted. A text that was cut here is longer than what redaction scans (limit plus slack): so it
 * can tell, and drops the end, where half a token may stand.
 */
export const SNAPSHOT_LIMITS: Limits = {
  ...STORED_LIMITS,
  textLength: STORED_LIMITS.textLength + SCAN_SLACK + 2 * CUT.length,
  keyLength: STORED_LIMITS.keyLength + SCAN_SLACK + 2 * CUT.length,
  bytes: 131_072,
};

const UNREADABLE = '[unreadable]';
const CIRCULAR = '[circular]';
const TOO_DEEP = '[cut: too deep]';
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;
const PLAIN_KEY = /^[A-Za-z][\w .:-]*$/;
// BSON takes any object with `_bsontype` for one of its own types and throws.
const RESERVED_KEY = /^\$|\0|^__proto__$|^_bsontype$/;
const BIGGEST = 2n ** 512n;

type Members = Readonly<Record<string, unknown>>;

/** One walk over a value: what is left of the budget, and the objects above the current one. */
interface Walk {
  readonly limits: Limits;
  readonly above: object[];
  left: number;
}

/**
 * A snapshot of any value by EVIDENCE.md section 2: later changes by the caller do not matter. Never throws: what throws or cannot be read
 * becomes `[unreadable]`, a cycle `[circular]`. The work is bounded by the limits, whatever the size of the input, but for the listing of
 * an object's own keys. Of an Error only the class name stays: messages, causes and `config` hold personal data and tokens.
 */
export function normalise(value: unknown, limits: Limits = STORED_LIMITS): Canonical {
  return take({ limits, above: [], left: limits.bytes }, value, 1) ?? null;
}

/** About the bytes that a canonical value takes in memory, rather too many: two for each UTF-16 unit, and 16 for each value and key. */
export function sizeOf(value: Canonical): number {
  if (typeof value === 'string') return 16 + value.length * 2;
  if (typeof value !== 'object' || value === null) return 16;
  let bytes = 16;
  for (const key of Object.keys(value)) bytes += 16 + key.length * 2 + sizeOf((value as Members)[key] as Canonical);
  return bytes;
}

/** The name, with a leading `_` for each time that it is taken. */
export function freeKey(taken: object, name: string): string {
  let free = name;
  while (Object.hasOwn(taken, free)) free = `_${free}`;
  return free;
}

function take(walk: Walk, value: unknown, depth: number): Canonical | undefined {
  if (typeof value === 'string') return takeText(walk, value);
  if (typeof value === 'number') return takeNumber(walk, value);
  if (value === null) return takeNull(walk);
  if (typeof value === 'object') return takeGuarded(walk, value, depth);
  if (typeof value === 'bigint') return takeText(walk, bigText(value));
  // Also what is dropped costs something: it bounds the work.
  walk.left -= 5;
  return typeof value === 'boolean' ? value : undefined;
}

/** Comparing costs nothing; the text of a bigint of a million digits does. */
function bigText(value: bigint): string {
  return value < BIGGEST && value > -BIGGEST ? value.toString() : '[cut: huge bigint]';
}

function takeNull(walk: Walk): null {
  walk.left -= 4;
  return null;
}

function takeNumber(walk: Walk, value: number): number | null {
  if (!Number.isFinite(value)) return takeNull(walk);
  walk.left -= String(value).length;
  // -0 and 0 are one number in JSON, two in BSON.
  return value === 0 ? 0 : value;
}

function takeText(walk: Walk, value: string): string {
  const text = cutMarked(value, walk.limits.textLength);
  if (PLAIN_TEXT.test(text)) {
    if (text.length + 2 <= walk.left) {
      walk.left -= text.length + 2;
      return text;
    }
  } else {
    const clean = wellFormed(text);
    const bytes = Buffer.byteLength(JSON.stringify(clean));
    if (bytes <= walk.left) {
      walk.left -= bytes;
      return clean;
    }
  }
  return takeMarker(walk, text.length < 32 ? CUT : `[cut: ${value.length} characters]`);
}

/** Markers are always written: there are few, and the budget leaves room for them. */
function takeMarker(walk: Walk, marker: string): string {
  walk.left -= marker.length + 2;
  return marker;
}

/** Proxies, getters and `toJSON` run the caller's code: whatever it throws ends here. */
function takeGuarded(walk: Walk, value: object, depth: number): Canonical | undefined {
  const height = walk.above.length;
  try {
    if (walk.above.includes(value)) return takeMarker(walk, CIRCULAR);
    walk.above.push(value);
    return takeObject(walk, value, depth);
  } catch {
    return takeMarker(walk, UNREADABLE);
  } finally {
    walk.above.length = height;
  }
}

function takeObject(walk: Walk, value: object, depth: number): Canonical | undefined {
  const known = takeKnown(walk, value, depth);
  if (known !== undefined) return known;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== 'function') return takeOwn(walk, value, depth);
  const said: unknown = toJSON.call(value, '');
  // An async toJSON: the call was ours, so its rejection must not end the process.
  if (said instanceof Promise) said.catch(() => undefined);
  if (typeof said !== 'object' || said === null) return take(walk, said, depth);
  // As in JSON.stringify, what toJSON gives is not asked again: it may be the object itself.
  if (said !== value) walk.above.push(said);
  return (said === value ? undefined : takeKnown(walk, said, depth)) ?? takeOwn(walk, said, depth);
}

/** Arrays and the types that have a fixed form; `undefined` for everything else. */
function takeKnown(walk: Walk, value: object, depth: number): Canonical | undefined {
  if (Array.isArray(value)) return takeItems(walk, value, { total: value.length, depth });
  if (isPlain(value)) return undefined;
  const map = readMap(value, walk.limits.keys);
  if (map) return takeMembers(walk, map.members, { total: map.size, depth });
  const set = readSet(value, walk.limits.items);
  if (set) return takeItems(walk, set.items, { total: set.size, depth });
  const date = readDate(value);
  if (date === null) return takeNull(walk);
  const primitive = date ?? readBson(value) ?? readBinary(value, walk.limits.binaryBytes) ?? readRegExp(value);
  const scalar = primitive ?? readError(value) ?? readPrimitive(value);
  return scalar === undefined ? undefined : take(walk, scalar, depth);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Own enumerable members, as JSON.stringify takes them; an instance that shows none is described by its class: `[Promise]`. */
function takeOwn(walk: Walk, value: object, depth: number): Canonical {
  const keys = Object.keys(value);
  if (keys.length === 0 && !isPlain(value)) {
    const description = describe(value);
    if (description !== '[Object]') return takeText(walk, description);
  }
  return takeMembers(walk, value as Members, { total: keys.length, depth, keys });
}

interface Extent {
  /** How many there are in all, also those that are not looked at. */
  readonly total: number;
  readonly depth: number;
  readonly keys?: readonly string[];
}

function takeMembers(walk: Walk, members: Members, extent: Extent): Canonical {
  const { total, depth, keys = Object.keys(members) } = extent;
  if (depth > walk.limits.depth) return takeMarker(walk, TOO_DEEP);
  const result: Record<string, Canonical> = {};
  const end = total > walk.limits.keys ? walk.limits.keys - 1 : keys.length;
  walk.left -= 2;
  let index = 0;
  for (; index < end && walk.left > 0; index += 1) {
    const key = keys[index] as string;
    const member = takeMember(walk, members, { key, depth });
    if (member !== undefined) result[takeKey(walk, result, key)] = member;
  }
  if (index < total) result[freeKey(result, CUT)] = takeMarker(walk, `[cut: ${total - index} more keys]`);
  return result;
}

function takeMember(
  walk: Walk,
  members: Members,
  { key, depth }: { key: string; depth: number },
): Canonical | undefined {
  let member: unknown;
  try {
    member = members[key];
  } catch {
    return takeMarker(walk, UNREADABLE);
  }
  return take(walk, member, depth + 1);
}

function takeItems(walk: Walk, items: readonly unknown[], { total, depth }: Extent): Canonical {
  if (depth > walk.limits.depth) return takeMarker(walk, TOO_DEEP);
  const result: Canonical[] = [];
  const end = total > walk.limits.items ? walk.limits.items - 1 : total;
  walk.left -= 2;
  let index = 0;
  for (; index < end && walk.left > 0; index += 1) {
    walk.left -= 1;
    result.push(takeItem(walk, items, { index, depth }) ?? takeNull(walk));
  }
  if (index < total) result.push(takeMarker(walk, `[cut: ${total - index} more items]`));
  return result;
}

function takeItem(
  walk: Walk,
  items: readonly unknown[],
  { index, depth }: { index: number; depth: number },
): Canonical | undefined {
  let item: unknown;
  try {
    item = items[index];
  } catch {
    return takeMarker(walk, UNREADABLE);
  }
  return take(walk, item, depth + 1);
}

function takeKey(walk: Walk, taken: object, key: string): string {
  let name = key;
  if (key.length > walk.limits.keyLength || !PLAIN_KEY.test(key)) {
    name = wellFormed(cutMarked(key, walk.limits.keyLength));
    if (RESERVED_KEY.test(name)) name = `_${name.replaceAll('\0', '\ufffd')}`;
    walk.left -= Buffer.byteLength(JSON.stringify(name)) - name.length;
  }
  walk.left -= name.length + 4;
  return freeKey(taken, name);
}

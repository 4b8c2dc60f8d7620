/** Canonical values as RFC 8785 text in UTF-8, written into a block of bytes that is given. Pure; it knows neither stream nor seal. */

/** From here on the engine's own search and copy are faster than a loop. */
const LONG_TEXT = 128;
/** From here on the engine's own sort is faster than one by insertion, which makes no garbage. */
const MANY_KEYS = 16;
// JSON.stringify would give the same text; for these, the common ones, quotes are all there is to add.
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Writes the line of a document from `at` on; gives where it ends. An end behind the block says how much is needed: what does not fit is
 * counted and not written.
 * @throws TypeError for anything that is no canonical value
 */
export function writeLine(bytes: Buffer, document: Readonly<Record<string, unknown>>, at: number): number {
  const { sorted, labels, nulls } = layoutOf(document);
  if (sorted.length === 0) return writeAscii(bytes, '{}', at);
  let end = at;
  for (let index = 0; index < sorted.length; index += 1) {
    const key = sorted[index] as string;
    const value = document[key];
    if (value === null) {
      end = writeBytes(bytes, nulls[index] as Uint8Array, end);
      continue;
    }
    end = writeBytes(bytes, labels[index] as Uint8Array, end);
    if (key === 'at' && isDate(value)) end = writeBytes(bytes, quotedTime(value), end);
    else end = writeValue(bytes, value, end);
  }
  bytes[end] = CLOSE_OBJECT;
  return end + 1;
}

/**
 * Writes a value from `at` on; gives where it ends, as {@link writeLine} does.
 * @throws TypeError for anything that is no canonical value
 */
export function writeValue(bytes: Buffer, value: unknown, at: number): number {
  if (typeof value === 'string') return writeText(bytes, value, at);
  if (value === null || typeof value === 'boolean') return writeAscii(bytes, String(value), at);
  // ECMAScript's number text is what the RFC prescribes.
  if (typeof value === 'number' && Number.isFinite(value)) return writeAscii(bytes, String(value), at);
  if (Array.isArray(value)) return writeItems(bytes, value, at);
  if (typeof value !== 'object' || !isPlain(value)) throw new TypeError('a value is not canonical: normalise it first');
  return writeMembers(bytes, value as Record<string, unknown>, at);
}

function writeItems(bytes: Buffer, items: readonly unknown[], at: number): number {
  let end = at;
  bytes[end++] = OPEN_LIST;
  for (let index = 0; index < items.length; index += 1) {
    if (index > 0) bytes[end++] = COMMA;
    end = writeValue(bytes, items[index], end);
  }
  bytes[end] = CLOSE_LIST;
  return end + 1;
}

function writeMembers(bytes: Buffer, members: Readonly<Record<string, unknown>>, at: number): number {
  const keys = Object.keys(members);
  sort(keys);
  let end = at;
  bytes[end++] = OPEN_OBJECT;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (index > 0) bytes[end++] = COMMA;
    end = writeText(bytes, key, end);
    bytes[end++] = COLON;
    end = writeValue(bytes, members[key], end);
  }
  bytes[end] = CLOSE_OBJECT;
  return end + 1;
}

/** By UTF-16 code units, as the RFC wants it. */
function sort(keys: string[]): void {
  if (keys.length >= MANY_KEYS) {
    keys.sort();
    return;
  }
  for (let index = 1; index < keys.length; index += 1) {
    const key = keys[index] as string;
    let place = index;
    for (; place > 0 && (keys[place - 1] as string) > key; place -= 1) keys[place] = keys[place - 1] as string;
    keys[place] = key;
  }
}

function writeText(bytes: Buffer, text: string, at: number): number {
  if (text.length >= LONG_TEXT) return writeLongText(bytes, text, at);
  let end = at;
  bytes[end++] = QUOTE;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH) return writeEscaped(bytes, text, at);
    bytes[end++] = unit;
  }
  bytes[end] = QUOTE;
  return end + 1;
}

function writeLongText(bytes: Buffer, text: string, at: number): number {
  if (!PLAIN_TEXT.test(text)) return writeEscaped(bytes, text, at);
  return writeNative(bytes, `"${text}"`, { at, length: text.length + 2 });
}

function writeEscaped(bytes: Buffer, text: string, at: number): number {
  // It has no UTF-8: MongoDB and a file would hold something else than what was hashed.
  if (LONE_SURROGATE.test(text)) throw new TypeError('a value is not canonical: a text holds half a surrogate pair');
  const quoted = JSON.stringify(text);
  return writeNative(bytes, quoted, { at, length: Buffer.byteLength(quoted) });
}

function writeNative(bytes: Buffer, text: string, { at, length }: { at: number; length: number }): number {
  const end = at + length;
  if (end <= bytes.length) bytes.write(text, at, 'utf8');
  return end;
}

function writeAscii(bytes: Buffer, text: string, at: number): number {
  for (let index = 0; index < text.length; index += 1) bytes[at + index] = text.charCodeAt(index);
  return at + text.length;
}

function writeBytes(bytes: Buffer, source: Uint8Array, at: number): number {
  for (let index = 0; index < source.length; index += 1) bytes[at + index] = source[index] as number;
  return at + source.length;
}

/** The members of a document in the order of its text, and what stands before their values. */
interface Layout {
  readonly keys: readonly string[];
  readonly sorted: readonly string[];
  readonly labels: readonly Uint8Array[];
  /** The same with a null behind it: a third of an event's members. */
  readonly nulls: readonly Uint8Array[];
}

/** That of the document before: all events have the same members, so that sorting and quoting them is done once. */
let lastLayout: Layout = { keys: [], sorted: [], labels: [], nulls: [] };

function layoutOf(document: Readonly<Record<string, unknown>>): Layout {
  const { keys } = lastLayout;
  let index = 0;
  for (const key in document) {
    if (key !== keys[index]) return createLayout(document);
    index += 1;
  }
  return index === keys.length ? lastLayout : createLayout(document);
}

function createLayout(document: Readonly<Record<string, unknown>>): Layout {
  const keys = Object.keys(document);
  const sorted = keys.toSorted();
  const labels = sorted.map((key, index) => (index === 0 ? '{' : ',') + quote(key) + ':');
  lastLayout = {
    keys,
    sorted,
    labels: labels.map((label) => Buffer.from(label)),
    nulls: labels.map((label) => Buffer.from(`${label}null`)),
  };
  return lastLayout;
}

function quote(key: string): string {
  if (LONE_SURROGATE.test(key)) throw new TypeError('a value is not canonical: a key holds half a surrogate pair');
  return JSON.stringify(key);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isDate(value: unknown): value is Date {
  return value instanceof Date || Object.prototype.toString.call(value) === '[object Date]';
}

/** Events come many to a millisecond. */
let lastTime = Number.NaN;
let lastTimeBytes: Uint8Array = new Uint8Array();

function quotedTime(value: Date): Uint8Array {
  const time = value.getTime();
  if (Number.isNaN(time)) throw new TypeError('the time of an event is not valid');
  if (time !== lastTime) {
    lastTimeBytes = Buffer.from(`"${value.toISOString()}"`);
    lastTime = time;
  }
  return lastTimeBytes;
}

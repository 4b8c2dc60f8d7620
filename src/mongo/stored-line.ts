/** The line of an event, straight from its BSON bytes, and whether the package would have stored those bytes. Pure; it knows no seal and no driver. @see https://bsonspec.org/spec.html */

/** A stored document, read. */
export interface StoredLine {
  /** Its `_id`; as text when it is no string, in a form that no `_id` of the package has. */
  readonly id: string;
  /** The byte 0x00 and its line; without a meaning when it is malformed. */
  readonly preimage: string;
  /** What is wrong with the bytes. */
  readonly fault?: 'event-malformed' | 'event-type' | undefined;
  /** The same in a few words. */
  readonly detail?: string | undefined;
}

/** Element types of BSON. */
const DOUBLE = 0x01;
const STRING = 0x02;
const DOCUMENT = 0x03;
const ARRAY = 0x04;
const OBJECT_ID = 0x07;
const BOOLEAN = 0x08;
const DATE = 0x09;
const NULL = 0x0a;
const INT32 = 0x10;
const INT64 = 0x12;

/** Types that only an `_id` of someone else has: what it is called, and the bytes of its value. */
const BINARY = 0x05;
const FOREIGN_IDS: ReadonlyMap<number, readonly [name: string, bytes: number]> = new Map([
  [BINARY, ['binary', 0]],
  [0x11, ['timestamp', 8]],
  [0x13, ['decimal128', 16]],
  [0x7f, ['MaxKey', 0]],
  [0xff, ['MinKey', 0]],
]);
const MAX_ID_BYTES = 64;

const OBJECT_ID_BYTES = 12;
const INT32_LIMIT = 2 ** 31;
/** Deeper than any event; the server allows 180. */
const MAX_DEPTH = 200;
/** Needs quotes around it and nothing more. In Latin-1 a byte above 0x7e begins or continues a longer character of UTF-8. */
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

/** No line can be made of the document. */
class Malformed extends Error {}

/**
 * Reads one document. What the package does not write is either told as `event-type`, when it still has one meaning as a line: a number of
 * another width, `at` as text, a key twice (the last one counts, as it does for drivers); or as `event-malformed`.
 */
export function readStoredLine(bytes: Uint8Array): StoredLine {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new LineReader(buffer);
  try {
    const line = reader.document(0, 0);
    if (reader.end !== buffer.length) throw new Malformed('there are bytes behind it');
    const { id, strange } = reader;
    const fault = strange === undefined ? {} : { fault: 'event-type' as const, detail: strange };
    return { id: id ?? foreignId(buffer), preimage: `\0${line}`, ...fault };
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof RangeError)) throw error;
    const detail = error instanceof Malformed ? error.message : 'its bytes end too early';
    return { id: reader.id ?? foreignId(buffer), preimage: '\0', fault: 'event-malformed', detail };
  }
}

/** Length, type and name of the first element, which for the server is always the `_id`. */
const ID_HEAD = /^.{4}(.)_id\0/s;
const ID_VALUE_AT = 9;

/** An `_id` of a type that no line can hold, so that a person can find the document: its type and, where it has a value, that in hex. */
function foreignId(buffer: Buffer): string {
  const type = ID_HEAD.exec(buffer.toString('latin1', 0, ID_VALUE_AT))?.[1]?.charCodeAt(0);
  const [name, bytes] = FOREIGN_IDS.get(type ?? 0) ?? ['[none]', 0];
  const isBinary = type === BINARY && buffer.length >= ID_VALUE_AT + 5;
  const start = ID_VALUE_AT + (isBinary ? 5 : 0);
  const length = isBinary ? Math.min(buffer.readUInt32LE(ID_VALUE_AT), MAX_ID_BYTES) : bytes;
  return length === 0 ? name : `${name}:${buffer.toString('hex', start, start + length)}`;
}

/** The text of an `_id` that is no string and that a line can hold, from its canonical text. */
export function writeForeignId(canonical: string): string {
  return canonical.replaceAll('"', '').slice(0, MAX_ID_BYTES);
}

/** Walks the bytes once; the text of the whole document is decoded once, as Latin-1, and cut into pieces. */
class LineReader {
  /** Text of the `_id`. */
  id: string | undefined;
  /** What the package does not write, if anything; the last that was found. */
  strange: string | undefined;
  /** Where the last document, or value, ended. */
  end = 0;
  readonly #bytes: Buffer;
  readonly #text: string;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#text = bytes.toString('latin1');
  }

  /** Text of a document; `depth` 0 is the event itself. */
  document(start: number, depth: number): string {
    const names: string[] = [];
    const values: string[] = [];
    this.#elements(start, depth, (type, name, at) => {
      names.push(name);
      const value = depth === 0 && name === 'at' ? this.#time(type, at) : this.#value(type, at, depth);
      if (depth === 0 && name === '_id') this.id = idOf(type, value);
      values.push(value);
    });
    return this.#join(names, values);
  }

  #array(start: number, depth: number): string {
    const items: string[] = [];
    this.#elements(start, depth, (type, name, at) => {
      if (name !== String(items.length)) this.strange = 'the items of a list are not numbered from 0';
      items.push(this.#value(type, at, depth));
    });
    return `[${items.join(',')}]`;
  }

  #elements(start: number, depth: number, take: (type: number, name: string, at: number) => void): void {
    if (depth > MAX_DEPTH) throw new Malformed('it is too deep');
    const end = start + this.#bytes.readInt32LE(start);
    let at = start + 4;
    for (let type = this.#bytes.readUInt8(at); type !== 0; type = this.#bytes.readUInt8(at)) {
      const zero = this.#text.indexOf('\0', at + 1);
      if (zero === -1) throw new Malformed('a name does not end');
      take(type, this.#text.slice(at + 1, zero), zero + 1);
      at = this.end;
    }
    this.end = at + 1;
    if (this.end !== end) throw new Malformed('its length is wrong');
  }

  #value(type: number, at: number, depth: number): string {
    switch (type) {
      case STRING:
        return this.#string(at);
      case NULL:
        this.end = at;
        return 'null';
      case INT32:
        this.end = at + 4;
        return String(this.#bytes.readInt32LE(at));
      case DOCUMENT:
        return this.document(at, depth + 1);
      case ARRAY:
        return this.#array(at, depth + 1);
      case BOOLEAN:
        this.end = at + 1;
        return this.#boolean(this.#bytes.readUInt8(at));
      case DOUBLE:
        this.end = at + 8;
        return this.#double(this.#bytes.readDoubleLE(at));
      default:
        return this.#foreign(type, at);
    }
  }

  /** The time of the event; a date anywhere else is foreign. */
  #time(type: number, at: number): string {
    if (type !== DATE) {
      this.strange = 'its time is no date';
      return this.#value(type, at, 0);
    }
    this.end = at + 8;
    const time = new Date(Number(this.#bytes.readBigInt64LE(at)));
    if (Number.isNaN(time.getTime())) throw new Malformed('its time is none');
    return `"${time.toISOString()}"`;
  }

  #string(at: number): string {
    const length = this.#bytes.readInt32LE(at);
    const end = at + 4 + length;
    if (length < 1 || this.#bytes.readUInt8(end - 1) !== 0) throw new Malformed('a text does not end');
    this.end = end;
    return this.#quote(at + 4, end - 1);
  }

  #boolean(byte: number): string {
    if (byte > 1) throw new Malformed('a truth value is neither 0 nor 1');
    return byte === 1 ? 'true' : 'false';
  }

  #double(value: number): string {
    if (!Number.isFinite(value)) throw new Malformed('a number is not finite');
    const isSmall = Number.isInteger(value) && value >= -INT32_LIMIT && value < INT32_LIMIT;
    if (isSmall) this.strange = 'a whole number is stored as a double';
    return String(value);
  }

  /** Types that the package never writes. */
  #foreign(type: number, at: number): string {
    this.strange = `a value has the BSON type ${type}, which is never written there`;
    switch (type) {
      case INT64:
        this.end = at + 8;
        return String(this.#bytes.readBigInt64LE(at));
      case OBJECT_ID:
        this.end = at + OBJECT_ID_BYTES;
        if (this.end > this.#bytes.length) throw new Malformed('its bytes end too early');
        return `"${this.#bytes.toString('hex', at, this.end)}"`;
      case DATE:
        return this.#time(type, at);
      default:
        throw new Malformed(this.strange);
    }
  }

  #join(names: readonly string[], values: readonly string[]): string {
    if (names.length === 0) return '{}';
    const { order, heads, isTwice } = layoutOf(names);
    if (isTwice) this.strange = 'a key stands twice';
    let text = '';
    for (let place = 0; place < order.length; place += 1) text += `${heads[place]}${values[order[place] as number]}`;
    return `${text}}`;
  }

  #quote(start: number, end: number): string {
    const text = this.#text.slice(start, end);
    return PLAIN_TEXT.test(text) ? `"${text}"` : JSON.stringify(this.#decodeUtf8(start, end));
  }

  #decodeUtf8(start: number, end: number): string {
    return decodeUtf8(this.#bytes.subarray(start, end));
  }
}

/** How the members of a document stand in its line. */
interface Layout {
  /** Places of the members, in the order of RFC 8785. */
  readonly order: readonly number[];
  /** What stands before each value: a brace or a comma, and the name. */
  readonly heads: readonly string[];
  /** Whether a name stands twice; then the last one counts. */
  readonly isTwice: boolean;
}

/** Most documents have the same members in the same order: sorting them each time would take half of all time. */
const layouts = new Map<string, Layout>();
const MAX_LAYOUTS = 1000;

/** Names are as they are stored, each byte a character. */
function layoutOf(stored: readonly string[]): Layout {
  const key = stored.join('\0');
  const known = layouts.get(key);
  if (known !== undefined) return known;
  const layout = createLayout(stored.map((name) => decodeUtf8(Buffer.from(name, 'latin1'))));
  if (layouts.size === MAX_LAYOUTS) layouts.clear();
  layouts.set(key, layout);
  return layout;
}

function createLayout(names: readonly string[]): Layout {
  const sorted = [...names.keys()].sort((a, b) => compare(names[a] as string, names[b] as string) || a - b);
  const order = sorted.filter((index, place) => names[index] !== names[sorted[place + 1] ?? -1]);
  const heads = order.map((index, place) => `${place === 0 ? '{' : ','}${JSON.stringify(names[index])}:`);
  return { order, heads, isTwice: order.length < names.length };
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF_8.decode(bytes);
  } catch {
    throw new Malformed('a text is not UTF-8');
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** By UTF-16 code units. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function idOf(type: number, value: string): string {
  if (type !== STRING) return writeForeignId(value);
  return value.includes('\\') ? (JSON.parse(value) as string) : value.slice(1, -1);
}

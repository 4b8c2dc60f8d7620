/** The canonical text of a stored document: RFC 8785 (JCS), the line of an export, what a leaf hashes. Pure; it knows neither stream nor seal. */
import type { Canonical } from './normalise.js';

// JSON.stringify would give the same text; for these, the common ones, quotes are all there is to add.
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The line of a stored document: RFC 8785 text of all its members, the top-level `at`, a Date, as ISO-8601 UTC with milliseconds. No line
 * feed at its end.
 * @throws TypeError for anything that `normalise` does not give: another Date, a BSON type, a class instance, `undefined`, NaN, a lone surrogate.
 * @see https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalLine(document: Readonly<Record<string, unknown>>): string {
  const { sorted, labels, nulls } = layoutOf(Object.keys(document));
  if (sorted.length === 0) return '{}';
  let text = '';
  for (let index = 0; index < sorted.length; index += 1) {
    const key = sorted[index] as string;
    const value = document[key];
    if (value === null) text += nulls[index] as string;
    else text += (labels[index] as string) + (key === 'at' && isDate(value) ? quotedTime(value) : write(value));
  }
  return text + '}';
}

/** The members of a document in the order of its text, and what stands before their values. */
interface Layout {
  readonly keys: readonly string[];
  readonly sorted: readonly string[];
  readonly labels: readonly string[];
  /** The same with a null behind it: a third of an event's members. */
  readonly nulls: readonly string[];
}

/** That of the document before: all events have the same members, so that sorting and quoting them is done once. */
let lastLayout: Layout = { keys: [], sorted: [], labels: [], nulls: [] };

function layoutOf(keys: readonly string[]): Layout {
  const { keys: last } = lastLayout;
  if (keys.length !== last.length || keys.some((key, index) => key !== last[index])) {
    // Without a comparator it is by UTF-16 code units, as the RFC wants it.
    const sorted = keys.toSorted();
    const labels = sorted.map((key, index) => `${index === 0 ? '{' : ','}${quote(key)}:`);
    lastLayout = { keys, sorted, labels, nulls: labels.map((label) => `${label}null`) };
  }
  return lastLayout;
}

/**
 * RFC 8785 text of a canonical value.
 * @throws TypeError for anything that is no canonical value.
 */
export function canonicalText(value: Canonical): string {
  return write(value);
}

function write(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (value === null || typeof value === 'boolean') return String(value);
  // ECMAScript's number text is what the RFC prescribes.
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return `[${Array.from(value, write).join(',')}]`;
  if (typeof value !== 'object' || !isPlain(value)) throw new TypeError('a value is not canonical: normalise it first');
  return writeMembers(value as Record<string, unknown>);
}

function writeMembers(members: Readonly<Record<string, unknown>>): string {
  const keys = Object.keys(members);
  if (keys.length === 0) return '{}';
  // By UTF-16 code units, see above; of sorted keys it is a walk.
  keys.sort();
  let text = '';
  let separator = '{';
  for (const key of keys) {
    text += separator + quote(key) + ':' + write(members[key]);
    separator = ',';
  }
  return text + '}';
}

function quote(text: string): string {
  if (PLAIN_TEXT.test(text)) return `"${text}"`;
  // It has no UTF-8: MongoDB and a file would hold something else than what was hashed.
  if (LONE_SURROGATE.test(text)) throw new TypeError('a value is not canonical: a text holds half a surrogate pair');
  return JSON.stringify(text);
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
let lastTimeText = '';

function quotedTime(value: Date): string {
  const time = value.getTime();
  if (Number.isNaN(time)) throw new TypeError('the time of an event is not valid');
  if (time !== lastTime) {
    lastTimeText = quote(value.toISOString());
    lastTime = time;
  }
  return lastTimeText;
}

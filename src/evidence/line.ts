/** The canonical text of a stored document: RFC 8785 (JCS), the line of an export, what a leaf hashes. Pure; it knows neither stream nor seal. */
import { writeLine, writeValue } from './canonical-bytes.js';
import type { Canonical } from './normalise.js';

/** RFC 6962 hashes a leaf behind the byte 0x00: it stands at the front of the block, so that no line is copied. */
const LEAF_PREFIX_BYTES = 1;
/** Lines of events fit many times; a longer one gets a block of its own. */
const block = Buffer.alloc(128 * 1024);
/** Beginnings of the block by their length: making one costs a fifth of its hash. */
const views: (Buffer | undefined)[] = Array.from({ length: 4096 });

/**
 * The line of a stored document: RFC 8785 text of all its members, the top-level `at`, a Date, as ISO-8601 UTC with milliseconds. No line
 * feed at its end.
 * @throws TypeError for anything that `normalise` does not give: another Date, a BSON type, a class instance, `undefined`, NaN, a lone surrogate.
 * @see https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalLine(document: Readonly<Record<string, unknown>>): string {
  return linePreimage(document).toString('utf8', LEAF_PREFIX_BYTES);
}

/**
 * What the leaf of a stored document hashes: the byte 0x00 and its line in UTF-8. It is valid until the next call of a function of this file: recording
 * runs it for every event, and a text in between would be four times as much for the garbage collector.
 * @throws TypeError as {@link canonicalLine}
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1
 */
export function linePreimage(document: Readonly<Record<string, unknown>>): Buffer {
  return preimageOf(writeLine, document);
}

/**
 * RFC 8785 text of a canonical value.
 * @throws TypeError for anything that is no canonical value.
 */
export function canonicalText(value: Canonical): string {
  return preimageOf(writeValue, value).toString('utf8', LEAF_PREFIX_BYTES);
}

function preimageOf<T>(write: (bytes: Buffer, value: T, at: number) => number, value: T): Buffer {
  const end = write(block, value, LEAF_PREFIX_BYTES);
  if (end < views.length) return (views[end] ??= block.subarray(0, end));
  if (end <= block.length) return block.subarray(0, end);
  const large = Buffer.alloc(end);
  write(large, value, LEAF_PREFIX_BYTES);
  return large;
}

/** Lines of a large file, cut from big reads without a copy each. It knows nothing of what they say. */
import type { FileHandle } from 'node:fs/promises';
import { OptionsError } from '../errors.js';

/** Some lines of a file; good until the next ones are asked for. */
export interface LineBatch {
  /** What the places below point into. */
  readonly bytes: Buffer;
  /** Where each line begins. The byte before it belongs to nobody, also before the first one. */
  readonly starts: readonly number[];
  /** Where each line ends, without its line feed. */
  readonly ends: readonly number[];
  /** Place of `bytes[0]` in the file, as if it went back before its begin. */
  readonly offset: number;
  /** Lines before these. */
  readonly before: number;
}

const READ_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Reads all lines.
 * @throws {@link OptionsError} OPTIONS_INVALID when the file ends within a line, or its ends of lines were converted
 */
export async function* readLines(file: FileHandle, name: string): AsyncGenerator<LineBatch, void, undefined> {
  let bytes = Buffer.allocUnsafe(1 + READ_BYTES);
  let kept = 0;
  let position = 0;
  let before = 0;
  for (;;) {
    // A line that is longer than the buffer: there is room for as much again.
    if (1 + kept === bytes.length) bytes = Buffer.concat([bytes, Buffer.allocUnsafe(bytes.length)]);
    const { bytesRead } = await file.read(bytes, 1 + kept, bytes.length - 1 - kept, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const end = 1 + kept + bytesRead;
    const { starts, ends, rest } = split(bytes, 1 + kept, end);
    assertUnconverted(bytes, ends, name);
    if (ends.length > 0) yield { bytes, starts, ends, offset: position - end, before };
    before += ends.length;
    bytes.copyWithin(1, rest, end);
    kept = end - rest;
  }
  if (kept > 0) throw new OptionsError(`${name} ends within a line: the copy is not whole`);
}

/** Ends of lines are looked for from `from` on; the first line begins at 1. */
function split(bytes: Buffer, from: number, end: number): { starts: number[]; ends: number[]; rest: number } {
  const starts: number[] = [];
  const ends: number[] = [];
  let rest = 1;
  for (let feed = bytes.indexOf(LINE_FEED, from); feed !== -1 && feed < end; feed = bytes.indexOf(LINE_FEED, rest)) {
    starts.push(rest);
    ends.push(feed);
    rest = feed + 1;
  }
  return { starts, ends, rest };
}

function assertUnconverted(bytes: Buffer, ends: readonly number[], name: string): void {
  if (!ends.some((end) => bytes[end - 1] === CARRIAGE_RETURN)) return;
  throw new OptionsError(`${name} has lines that end with CR LF: something converted it, export the trail anew`);
}

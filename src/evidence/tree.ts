/** The Merkle tree of RFC 6962: leaf and node hashes, roots, a compact range that grows at its end, and proofs. Pure; it knows not what a leaf says. */
import { hash } from 'node:crypto';

/** Bytes of a hash. */
export const HASH_BYTES = 32;

const LEAF_PREFIX = Buffer.from([0]);
const NODE_BYTES = 1 + 2 * HASH_BYTES;

/** Root of a tree without leaves: SHA-256 of nothing. @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1 */
export const EMPTY_ROOT: Buffer = sha256('');

/** SHA-256(0x00 || line); a text is hashed as UTF-8. */
export function leafHash(line: string | Uint8Array): Buffer {
  // The character U+0000 is the byte 0x00 in UTF-8.
  return sha256(typeof line === 'string' ? `\0${line}` : Buffer.concat([LEAF_PREFIX, line]));
}

/** Leaf hash of a line that already has the byte 0x00 before it: large trails are verified without a copy of each line. */
export function hashPreimage(preimage: string | Uint8Array): Buffer {
  return sha256(preimage);
}

/** As {@link hashPreimage}, written to a place: recording makes no Buffer a leaf, which is half of the time. */
export function writePreimageHash(preimage: Uint8Array, target: Buffer, offset: number): void {
  target.write(hash('sha256', preimage, 'binary'), offset, HASH_BYTES, 'latin1');
}

/** SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const node = Buffer.allocUnsafe(NODE_BYTES);
  node[0] = 1;
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return sha256(node);
}

/** The hash that stands at `index` in hashes that lie one behind the other. */
export function hashAt(hashes: Buffer, index: number): Buffer {
  return hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
}

/** Splits hashes that lie one behind the other; undefined when the length is no multiple of 32. */
export function splitHashes(hashes: Buffer): Buffer[] | undefined {
  if (hashes.length % HASH_BYTES !== 0) return undefined;
  return Array.from({ length: hashes.length / HASH_BYTES }, (_, index) => hashAt(hashes, index));
}

/** Root over leaf hashes that lie one behind the other. */
export function rootOf(leaves: Buffer): Buffer {
  let count = leaves.length / HASH_BYTES;
  if (count === 0) return EMPTY_ROOT;
  const level = Buffer.from(leaves);
  const node = Buffer.allocUnsafe(NODE_BYTES);
  node[0] = 1;
  // Level by level in place: a lone hash at the end goes up as it is, which gives RFC 6962's left-heavy tree.
  while (count > 1) {
    const pairs = count >> 1;
    for (let pair = 0; pair < pairs; pair += 1) {
      level.copy(node, 1, pair * 2 * HASH_BYTES, (pair + 1) * 2 * HASH_BYTES);
      // Latin-1 keeps every byte and spares a Buffer a node: a third of the time.
      level.write(hash('sha256', node, 'binary'), pair * HASH_BYTES, HASH_BYTES, 'latin1');
    }
    if (count % 2 === 1) level.copy(level, pairs * HASH_BYTES, (count - 1) * HASH_BYTES, count * HASH_BYTES);
    count = pairs + (count % 2);
  }
  return level.subarray(0, HASH_BYTES);
}

/** The whole subtrees of a tree that grows at its end: all that appending, and the root at any time, needs. */
export class CompactRange {
  #size: number;
  readonly #peaks: Buffer[];

  /** An empty tree, or one whose peaks are known. @throws RangeError when their number does not fit the size. */
  constructor(size = 0, peaks: readonly Buffer[] = []) {
    if (peaks.length !== peakCount(size)) throw new RangeError('the number of peaks does not fit the size of the tree');
    this.#size = size;
    this.#peaks = [...peaks];
  }

  /** How many leaves. */
  get size(): number {
    return this.#size;
  }

  /** Roots of the whole subtrees, largest first. */
  get peaks(): readonly Buffer[] {
    return this.#peaks;
  }

  /** Adds a leaf at the end. */
  append(leaf: Buffer): void {
    let top = leaf;
    // Each trailing one bit of the size is a subtree that the new leaf completes.
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      top = nodeHash(this.#peaks.pop() as Buffer, top);
    }
    this.#peaks.push(top);
    this.#size += 1;
  }

  /** Root of the whole. */
  root(): Buffer {
    const last = this.#peaks.at(-1);
    if (last === undefined) return EMPTY_ROOT;
    return this.#peaks.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last);
  }

  /** Another one of the same leaves. */
  copy(): CompactRange {
    return new CompactRange(this.#size, this.#peaks);
  }
}

/** How many whole subtrees a tree of this size has: the one bits of the size. */
export function peakCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/** The proof that the leaf at `index` is in the tree over these leaves: siblings from the leaf up. */
export function inclusionPath(leaves: Buffer, index: number): Buffer[] {
  const size = leaves.length / HASH_BYTES;
  if (size <= 1) return [];
  const split = largestPowerBelow(size);
  const [left, right] = [leaves.subarray(0, split * HASH_BYTES), leaves.subarray(split * HASH_BYTES)];
  return index < split
    ? [...inclusionPath(left, index), rootOf(right)]
    : [...inclusionPath(right, index - split), rootOf(left)];
}

/** A leaf, its place, and the size of its tree. */
export interface Inclusion {
  /** The leaf's hash. */
  readonly leaf: Buffer;
  /** Its place, from 0. */
  readonly index: number;
  /** Leaves of the tree. */
  readonly size: number;
}

/** Root that a proof of inclusion leads to; undefined when the proof does not fit the place. @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2 */
export function rootFromInclusion({ leaf, index, size }: Inclusion, path: readonly Buffer[]): Buffer | undefined {
  if (!(index >= 0 && index < size) || path.some((step) => step.length !== HASH_BYTES)) return undefined;
  let [place, last, root] = [index, size - 1, leaf];
  for (const step of path) {
    if (last === 0) return undefined;
    if (place % 2 === 1 || place === last) {
      root = nodeHash(step, root);
      while (place % 2 === 0 && place > 0) [place, last] = [place / 2, Math.floor(last / 2)];
    } else {
      root = nodeHash(root, step);
    }
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 ? root : undefined;
}

/** Path of the newest leaf of a tree, from the peaks before it: the leaf's siblings are exactly those subtrees that it joins or ends. */
export function pathOfNewest(before: CompactRange): Buffer[] {
  return [...before.peaks].reverse();
}

function largestPowerBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function sha256(data: string | Uint8Array): Buffer {
  return hash('sha256', data, 'buffer');
}

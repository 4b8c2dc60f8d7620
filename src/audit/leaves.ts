/** Leaf hashes that wait for their seal, in order, in one growing block of bytes. It knows no event. */
import { HASH_BYTES, writePreimageHash } from '../evidence/tree.js';

const FIRST_CAPACITY = 1024;

/** A queue of hashes of 32 bytes. */
export class LeafQueue {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY * HASH_BYTES);
  #start = 0;
  #end = 0;

  /** How many hashes wait. */
  get size(): number {
    return (this.#end - this.#start) / HASH_BYTES;
  }

  /** Adds the hash of a line, which has the byte 0x00 before it, at the end. */
  push(preimage: Uint8Array): void {
    if (this.#end === this.#bytes.length) this.#makeRoom();
    writePreimageHash(preimage, this.#bytes, this.#end);
    this.#end += HASH_BYTES;
  }

  /** A copy of the first ones; they stay. */
  peek(count: number): Buffer {
    return Buffer.from(this.#bytes.subarray(this.#start, this.#start + count * HASH_BYTES));
  }

  /** Forgets the first ones. */
  drop(count: number): void {
    this.#start += count * HASH_BYTES;
  }

  #makeRoom(): void {
    const waiting = this.#end - this.#start;
    const isHalfEmpty = waiting <= this.#bytes.length / 2;
    const target = isHalfEmpty ? this.#bytes : Buffer.allocUnsafe(this.#bytes.length * 2);
    this.#bytes.copy(target, 0, this.#start, this.#end);
    this.#bytes = target;
    this.#start = 0;
    this.#end = waiting;
  }
}

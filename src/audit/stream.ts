/** The numbers of one instance: a ULID that sorts by time, and a sequence without holes. It knows no event. */
import { randomBytes } from 'node:crypto';
import { eventId, readEventId } from '../evidence/entry.js';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Numbers the events of one instance. */
export interface Stream {
  /** The ULID of the stream that is numbered now. */
  readonly id: string;
  /** The next `_id`; a number is never given twice and never given up. */
  next(): string;
  /** Goes on in a new stream, from 0. */
  leave(): void;
  /** Gives all from this `_id` on, inclusive, the numbers of a new stream from 0 on; gives that stream's ULID. */
  move(from: string): string;
}

/** Opens a stream that begins now, with the sequence number 0. */
export function createStream(): Stream {
  let id = createUlid(Date.now());
  let sequence = 0;
  return {
    get id() {
      return id;
    },
    next() {
      sequence += 1;
      return eventId(id, sequence - 1);
    },
    leave() {
      id = createUlid(Date.now());
      sequence = 0;
    },
    move(from) {
      const place = readEventId(from);
      const moved = createUlid(Date.now());
      // What was numbered last goes along, and what comes follows it; another stream is over already.
      if (place?.stream === id) {
        id = moved;
        sequence -= place.sequence;
      }
      return moved;
    },
  };
}

/** The stream of an `_id`. */
export function streamOf(id: string): string {
  return id.slice(0, id.indexOf('.'));
}

/** A ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32. @see https://github.com/ulid/spec */
export function createUlid(nowMs: number): string {
  let value = BigInt(nowMs);
  for (const byte of randomBytes(10)) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (let index = 0; index < 26; index += 1) {
    text = (CROCKFORD[Number(value & 31n)] ?? '') + text;
    value >>= 5n;
  }
  return text;
}

/** The numbers of one stream: a ULID that sorts by time, and a sequence without holes. */
import { randomBytes } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const SEQUENCE_DIGITS = 12;

/** Numbers the events of one instance. */
export interface Stream {
  /** The stream's ULID. */
  readonly id: string;
  /** The next `_id`; a number is never given twice and never given up. */
  next(): string;
}

/** Opens a stream that begins now, with the sequence number 0. */
export function createStream(): Stream {
  const id = createUlid(Date.now());
  let sequence = 0;
  return {
    id,
    next() {
      const digits = String(sequence).padStart(SEQUENCE_DIGITS, '0');
      sequence += 1;
      return `${id}.${digits}`;
    },
  };
}

/** A ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32. @see https://github.com/ulid/spec */
function createUlid(nowMs: number): string {
  let value = BigInt(nowMs);
  for (const byte of randomBytes(10)) value = (value << 8n) | BigInt(byte);
  let text = '';
  for (let index = 0; index < 26; index += 1) {
    text = (CROCKFORD[Number(value & 31n)] ?? '') + text;
    value >>= 5n;
  }
  return text;
}

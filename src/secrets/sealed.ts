/** A secret that can be handed around and printed without being seen. It knows neither where it came from nor how old it is. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

/** A secret that prints as `[secret NAME]` everywhere: in logs, templates, JSON and `inspect` with any option. */
export interface SealedSecret {
  /** The value itself. */
  reveal(): string;
  /** Whether the candidate is the value, in a time that tells nothing about it; false for anything but a string. */
  equals(candidate: string): boolean;
}

/** Compares digests under a key of this process: their length is fixed, and what could be timed is of no use elsewhere. */
const DIGEST_KEY = randomBytes(32);

/** Seals a value under its name. */
export function sealSecret(name: string, value: string): SealedSecret {
  return Object.freeze(new Sealed(name, value));
}

/** Private fields are the only place that inspect, spread, Reflect.ownKeys and structuredClone cannot reach. */
class Sealed implements SealedSecret {
  readonly #name: string;
  readonly #value: string;

  constructor(name: string, value: string) {
    this.#name = name;
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  equals(candidate: string): boolean {
    return typeof candidate === 'string' && timingSafeEqual(digest(candidate), digest(this.#value));
  }

  toString(): string {
    return `[secret ${this.#name}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.toPrimitive](): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }

  static {
    Object.defineProperty(this, 'name', { value: 'SealedSecret' });
  }
}

/** UTF-16, as in UTF-8 all lone surrogates are the same. */
function digest(text: string): Buffer {
  return createHmac('sha256', DIGEST_KEY).update(Buffer.from(text, 'utf16le')).digest();
}

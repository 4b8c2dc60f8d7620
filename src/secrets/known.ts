/** The values that must not appear in audited text: the latest of each secret, and the last ones that were replaced. It knows no freshness. */
import { MAX_ENTRIES } from './cache.js';

/** Shorter values are words that texts hold by chance; masking them would ruin the texts and show the value by its gaps. */
const MIN_MASKED_LENGTH = 8;
/** How many replaced values are kept: an old password that is logged a moment after its rotation is still a leak. */
export const MAX_FORMER = 100;

/** Values this process has seen, bounded. */
export class KnownValues {
  readonly #latest = new Map<string, string>();
  readonly #former = new Set<string>();
  #list: readonly string[] | undefined;

  /** Takes the value that a secret has now; whether it had another one before. */
  learn(name: string, value: string): boolean {
    const before = this.#latest.get(name);
    if (before === value) return false;
    this.#latest.delete(name);
    this.#latest.set(name, value);
    this.#former.delete(value);
    this.#list = undefined;
    if (before !== undefined) this.glimpse(before);
    this.#forgetOldest();
    return before !== undefined;
  }

  /** Takes a value that is not, or not yet, the latest of its secret. */
  glimpse(value: string): void {
    if (value.length < MIN_MASKED_LENGTH) return;
    if (!this.#former.delete(value)) this.#list = undefined;
    this.#former.add(value);
    for (const oldest of this.#former) {
      if (this.#former.size <= MAX_FORMER) break;
      this.#former.delete(oldest);
    }
  }

  /** Every value of {@link MIN_MASKED_LENGTH} characters or more, each once; the same array while none came or went. */
  list(): readonly string[] {
    this.#list ??= Object.freeze(
      [...new Set([...this.#latest.values(), ...this.#former])].filter((value) => value.length >= MIN_MASKED_LENGTH),
    );
    return this.#list;
  }

  #forgetOldest(): void {
    for (const [name, value] of this.#latest) {
      if (this.#latest.size <= MAX_ENTRIES) break;
      this.#latest.delete(name);
      this.glimpse(value);
    }
  }
}

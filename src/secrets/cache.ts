/** The node-cache layer, with that library's traps closed. It keeps entries and knows neither providers nor what makes an entry fresh. */
import NodeCache from 'node-cache';

/** One value and how long it counts. The value is private: an inspected cache shows names and times. */
export class CacheEntry {
  readonly #value: string;
  readonly #resolved: Promise<string>;
  /** Fresh while the clock is below. */
  expiresAt: number;
  /** May stand in for a failed provider while the clock is below. */
  readonly staleUntil: number;
  /** When the provider last failed while this value was there; NaN: it did not. */
  failedAt: number = Number.NaN;

  constructor(value: string, times: { expiresAt: number; staleUntil: number }) {
    this.#value = value;
    this.#resolved = Promise.resolve(value);
    this.expiresAt = times.expiresAt;
    this.staleUntil = times.staleUntil;
  }

  /** The secret. */
  get value(): string {
    return this.#value;
  }

  /** The same, resolved once: what every read of a fresh value returns, so that the hot path makes no promise. */
  get resolved(): Promise<string> {
    return this.#resolved;
  }
}

/** The most entries that are kept; beyond it the one stored longest ago goes, and is fetched again when asked for. */
export const MAX_ENTRIES: number = 10_000;

/** Entries by name. */
export class SecretCache {
  /**
   * No expiry of its own: node-cache would go by the wall clock, and call an entry a hit at the instant of its expiry. No clones, which cost and
   * break what is not plain; no timer; no `maxKeys`, which throws on overwriting. Private, since inspecting it prints every value.
   */
  readonly #cache = new NodeCache({ stdTTL: 0, checkperiod: 0, useClones: false });
  /**
   * Name to key, in the order of storing. node-cache keeps keys on a plain object, so that they need a prefix against `__proto__` and its kin;
   * making it anew costs three times the look-up itself, as V8 cannot intern it.
   */
  readonly #keys = new Map<string, string>();

  /** How many there are. */
  get size(): number {
    return this.#keys.size;
  }

  /** The entry of a name, whatever its age. */
  get(name: string): CacheEntry | undefined {
    const key = this.#keys.get(name);
    return key === undefined ? undefined : this.#cache.get<CacheEntry>(key);
  }

  /** Stores an entry, as the newest. */
  put(name: string, entry: CacheEntry): void {
    const key = this.#keys.get(name) ?? `$${name}`;
    this.#keys.delete(name);
    this.#keys.set(name, key);
    this.#cache.set(key, entry, 0);
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= MAX_ENTRIES) break;
      this.remove(oldest);
    }
  }

  /** Removes an entry; whether there was one. */
  remove(name: string): boolean {
    const key = this.#keys.get(name);
    if (key === undefined) return false;
    this.#keys.delete(name);
    return this.#cache.del(key) === 1;
  }

  /** Removes all. */
  clear(): void {
    this.#keys.clear();
    this.#cache.flushAll();
  }

  /** Removes what may no longer even stand in. */
  sweep(now: number): void {
    for (const name of [...this.#keys.keys()]) {
      const entry = this.get(name);
      if (entry !== undefined && !(now < entry.staleUntil)) this.remove(name);
    }
  }
}

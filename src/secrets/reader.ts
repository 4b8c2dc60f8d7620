/** Cache first, one flight per name, and what stands in during an outage. It knows outcomes only: no defaults, no errors, no callers. */
import type { HookBus } from '../hooks.js';
import { CacheEntry, SecretCache } from './cache.js';
import type { Answer, ProviderChain } from './chain.js';
import { KnownValues } from './known.js';
import type { ResolvedSecretsOptions } from './options.js';

/** What became of one read. */
export type Outcome = Answer | { readonly kind: 'stale'; readonly value: string };

/** What a manager counts; see `SecretManager.stats`. */
export interface ReadCounts {
  /** Fresh from the cache. */
  readonly hits: number;
  /** Reads that had to ask the providers. */
  readonly misses: number;
  /** Reads that got an older value while the provider was down. */
  readonly staleHits: number;
  /** Reads that joined one that was asking already. */
  readonly coalesced: number;
}

/** While an older value stands in, the providers are asked again at most this often per secret. */
const RETRY_MS = 1000;

const CLOSED: Outcome = { kind: 'closed' };

/** One question to the providers and all who wait for it. Its identity is its generation: it is current while the map of flights holds it. */
class Flight {
  readonly outcome: Promise<Outcome>;
  land!: (outcome: Outcome) => void;

  constructor() {
    this.outcome = new Promise((resolve) => {
      this.land = resolve;
    });
  }
}

/** What a reader is made of. */
export interface ReaderParts {
  /** Asked when the cache does not know. */
  readonly chain: ProviderChain;
  /** Durations and clock. */
  readonly options: ResolvedSecretsOptions;
  /** Told of rotations. */
  readonly hooks: HookBus;
}

/** Reads secrets for any number of concurrent callers. */
export class SecretReader {
  readonly #chain: ProviderChain;
  readonly #options: ResolvedSecretsOptions;
  readonly #hooks: HookBus;
  readonly #now: () => number;
  readonly #cache = new SecretCache();
  readonly #flights = new Map<string, Flight>();
  readonly #counts = { hits: 0, misses: 0, staleHits: 0, coalesced: 0 };
  #closed = false;
  /** Values to mask. */
  readonly known: KnownValues = new KnownValues();

  constructor({ chain, options, hooks }: ReaderParts) {
    this.#chain = chain;
    this.#options = options;
    this.#hooks = hooks;
    this.#now = options.now;
  }

  /** The counters, as they are now. */
  get counts(): ReadCounts {
    return this.#counts;
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The entry when it is fresh, counted as a hit; nothing is counted otherwise. The hot path: one look-up, one clock read. */
  fresh(name: string): CacheEntry | undefined {
    const entry = this.#cache.get(name);
    if (entry === undefined || !(this.#now() < entry.expiresAt)) return undefined;
    this.#counts.hits += 1;
    return entry;
  }

  /** Reads; `refresh` asks the providers even when the value is fresh. Never rejects. */
  async read(name: string, refresh: boolean): Promise<Outcome> {
    if (this.#closed) return CLOSED;
    if (!refresh) {
      const entry = this.fresh(name);
      if (entry !== undefined) return { kind: 'value', value: entry.value };
    }
    const outcome = this.#rested(name, refresh) ?? (await this.#join(name).outcome);
    if (outcome.kind === 'stale') this.#counts.staleHits += 1;
    return outcome;
  }

  /** Drops a name, or all of them; who reads from now on asks anew. How many usable entries went. */
  invalidate(name: string | undefined): number {
    const before = this.entries();
    if (name === undefined) {
      this.#flights.clear();
      this.#cache.clear();
    } else {
      this.#flights.delete(name);
      this.#cache.remove(name);
    }
    return before - this.#cache.size;
  }

  /** A value was written: the next read asks for it, whatever is under way. */
  replace(name: string, value: string): void {
    this.invalidate(name);
    this.known.learn(name, value);
  }

  /** A write failed and may have come through all the same: the next read asks, but the old value may stand in. */
  doubt(name: string): void {
    this.#flights.delete(name);
    const entry = this.#cache.get(name);
    if (entry !== undefined) Object.assign(entry, { expiresAt: Number.NEGATIVE_INFINITY, failedAt: Number.NaN });
  }

  /** How many entries may still be given out. */
  entries(): number {
    this.#cache.sweep(this.#now());
    return this.#cache.size;
  }

  /** Ends every flight; nothing is read afterwards. */
  close(): void {
    this.#closed = true;
    this.#cache.clear();
    this.#flights.clear();
    this.#chain.cancel();
  }

  /** The older value, while it is too early to ask again. */
  #rested(name: string, refresh: boolean): Outcome | undefined {
    const entry = this.#cache.get(name);
    if (refresh || entry === undefined) return undefined;
    const now = this.#now();
    const tooEarly = now >= entry.failedAt && now < entry.failedAt + RETRY_MS;
    return tooEarly ? standIn(entry, now) : undefined;
  }

  #join(name: string): Flight {
    const under = this.#flights.get(name);
    if (under !== undefined) {
      this.#counts.coalesced += 1;
      return under;
    }
    this.#counts.misses += 1;
    const flight = new Flight();
    // In the map before the provider is called: a provider that reads the same name through this manager must not recurse.
    this.#flights.set(name, flight);
    void this.#chain.ask(name).then((answer) => flight.land(this.#arrive(name, flight, answer)));
    return flight;
  }

  #arrive(name: string, flight: Flight, answer: Answer): Outcome {
    if (this.#closed) return CLOSED;
    if (this.#flights.get(name) !== flight) return this.#arriveLate(answer);
    this.#flights.delete(name);
    if (answer.kind === 'value') return this.#store(name, answer);
    if (answer.kind === 'failed' && answer.failure.code !== 'SECRET_DENIED') return this.#weather(name, answer);
    this.#cache.remove(name);
    return answer;
  }

  /** Something was set or invalidated meanwhile: those who wait may have the value, the cache may not. */
  #arriveLate(answer: Answer): Outcome {
    if (answer.kind === 'value') this.known.glimpse(answer.value);
    return answer;
  }

  #store(name: string, answer: Extract<Answer, { kind: 'value' }>): Outcome {
    const { value } = answer;
    const ttlMs = this.#options.ttlsMs.get(name) ?? this.#options.ttlMs;
    if (ttlMs > 0) {
      const expiresAt = this.#now() + ttlMs;
      const staleUntil = expiresAt + this.#options.staleIfErrorMs;
      this.#cache.put(name, new CacheEntry(value, { expiresAt, staleUntil }));
    }
    if (this.known.learn(name, value)) this.#hooks.emit('secret:rotated', { name, source: 'provider' });
    return answer;
  }

  #weather(name: string, answer: Answer): Outcome {
    const entry = this.#cache.get(name);
    if (entry === undefined) return answer;
    const now = this.#now();
    entry.failedAt = now;
    return standIn(entry, now) ?? answer;
  }
}

function standIn(entry: CacheEntry, now: number): Outcome | undefined {
  return now < entry.staleUntil ? { kind: 'stale', value: entry.value } : undefined;
}

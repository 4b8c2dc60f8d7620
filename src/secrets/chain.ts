/** Asks the providers in order until one has the secret. It knows neither the cache nor who waits. */
import type { HookBus } from '../hooks.js';
import { callProvider } from './call.js';
import { type Failure, failureOf, worstOf } from './failure.js';
import type { OpenedProvider } from './choose.js';

/** What the providers said, together. */
export type Answer =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'closed' };

/** What a chain is made of. */
export interface ChainParts {
  /** Asked in this order. */
  readonly providers: readonly OpenedProvider[];
  /** Limit of one call. */
  readonly timeoutMs: number;
  /** Told of each answer and each failure. */
  readonly hooks: HookBus;
}

/** The providers in order, and what became of the calls to them. */
export class ProviderChain {
  readonly #parts: ChainParts;
  readonly #cancels = new Set<() => void>();
  #closed = false;
  #calls = 0;
  #errors = 0;

  constructor(parts: ChainParts) {
    this.#parts = parts;
  }

  /** How often a provider was asked for a secret. */
  get calls(): number {
    return this.#calls;
  }

  /** How often a call to a provider failed. */
  get errors(): number {
    return this.#errors;
  }

  /** The first value; else `failed` when one of them could not tell; else `missing`. Never rejects. The first call is made at once. */
  async ask(name: string): Promise<Answer> {
    const failures: Failure[] = [];
    for (const provider of this.#parts.providers) {
      const answer = await this.#askOne(provider, name);
      if (answer.kind === 'value' || answer.kind === 'closed') return answer;
      if (answer.kind === 'failed') failures.push(answer.failure);
    }
    return failures.length === 0 ? { kind: 'missing' } : { kind: 'failed', failure: worstOf(failures) };
  }

  /** Counts a failed call and tells of it. */
  failed(name: string, provider: string, failure: Failure): void {
    this.#errors += 1;
    this.#parts.hooks.emit('secret:failed', { name, provider, code: `ERR_STRONGROOM_${failure.code}` });
  }

  /** Ends the calls that are under way, and makes no further ones: their signals are aborted, their askers hear `closed`. */
  cancel(): void {
    this.#closed = true;
    for (const cancel of this.#cancels) cancel();
  }

  async #askOne({ name: asked, provider }: OpenedProvider, name: string): Promise<Answer> {
    if (this.#closed) return { kind: 'closed' };
    const { timeoutMs, hooks } = this.#parts;
    const startedMs = performance.now();
    this.#calls += 1;
    const reply = await callProvider((signal) => provider.get(name, { signal }), timeoutMs, this.#cancels);
    if (reply.kind === 'cancelled') return { kind: 'closed' };
    if (reply.kind === 'answered' && reply.value === undefined) return { kind: 'missing' };
    if (reply.kind !== 'answered' || typeof reply.value !== 'string') {
      const failure = failureOf(asked, reply);
      this.failed(name, asked, failure);
      return { kind: 'failed', failure };
    }
    hooks.emit('secret:fetched', { name, provider: asked, ms: performance.now() - startedMs });
    return { kind: 'value', value: reply.value };
  }
}

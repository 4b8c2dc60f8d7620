/** What changes or ends the providers: `set` through the first of them, and `close`. It knows no reading and no room. */
import { OptionsError, SecretError } from '../errors.js';
import { kindOf } from '../settings.js';
import { assertName, closedError, handled } from './accessor.js';
import { callProvider } from './call.js';
import type { ProviderChain } from './chain.js';
import { failureOf } from './failure.js';
import type { OpenedProvider } from './choose.js';
import type { SecretProvider } from './provider.js';
import type { SecretReader } from './reader.js';

/** What the writing side is made of. */
export interface WriterParts {
  /** The first is written to; all are closed. */
  readonly providers: readonly OpenedProvider[];
  /** Counts and tells failed writes. */
  readonly chain: ProviderChain;
  /** Forgets what was written over. */
  readonly reader: SecretReader;
  /** Limit of one call. */
  readonly timeoutMs: number;
  /** Called after each successful write. */
  readonly onSet: (name: string) => void;
}

/** The writing half of a manager. */
export class SecretWriter {
  readonly #parts: WriterParts;
  readonly #pending = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /** See `SecretManager.set`. */
  set(name: string, value: string): Promise<void> {
    const write = handled(this.#write(name, value));
    this.#pending.add(write);
    const done = (): boolean => this.#pending.delete(write);
    write.then(done, done);
    return write;
  }

  /** See `SecretManager.close`. */
  close(): Promise<void> {
    this.#closing ??= handled(this.#close());
    return this.#closing;
  }

  async #write(name: string, value: string): Promise<void> {
    const { providers, chain, reader, timeoutMs, onSet } = this.#parts;
    assertName(name);
    if (typeof value !== 'string') throw new OptionsError(`the secret's value must be a string, got ${kindOf(value)}`);
    if (reader.closed) throw closedError();
    const [first] = providers;
    if (typeof first?.provider.set !== 'function')
      throw new SecretError('SECRET_READ_ONLY', `the provider "${first?.name}" cannot write`);
    // Masked before it is known to be stored: a write that fails half-way may have stored it.
    reader.known.glimpse(value);
    const reply = await callProvider(() => this.#attempt(first.provider, name, value), timeoutMs);
    if (reply.kind === 'answered') {
      reader.replace(name, value);
      onSet(name);
      return;
    }
    reader.doubt(name);
    const failure = failureOf(first.name, reply);
    chain.failed(name, first.name, failure);
    throw new SecretError(
      failure.code,
      `secret ${JSON.stringify(name.slice(0, 128))} could not be set (${failure.detail})`,
    );
  }

  /** The doubt comes at its end, whenever that is: a write that comes through after its timeout still makes the next read ask. */
  async #attempt(provider: SecretProvider, name: string, value: string): Promise<void> {
    try {
      await provider.set?.(name, value);
    } finally {
      this.#parts.reader.doubt(name);
    }
  }

  /** Reads end at once, writes are waited for: a write cut off leaves a secret that nobody knows. */
  async #close(): Promise<void> {
    const { providers, reader, timeoutMs } = this.#parts;
    reader.close();
    await Promise.allSettled(this.#pending);
    const closed = await Promise.all(
      [...new Map(providers.map((opened) => [opened.provider, opened.name]))].map(async ([provider, name]) => ({
        name,
        reply: await callProvider(() => provider.close?.(), timeoutMs),
      })),
    );
    const details = closed.flatMap(({ name, reply }) =>
      reply.kind === 'answered' ? [] : [failureOf(name, reply).detail],
    );
    if (details.length > 0) throw new SecretError('SECRET_PROVIDER_FAILED', `could not close (${details.join('; ')})`);
  }
}

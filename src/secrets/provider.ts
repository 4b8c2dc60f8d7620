/** What a place that holds secrets must do. It knows nothing of caching, chains or who asks. */

/** What goes with every read. */
export interface SecretContext {
  /** Aborted when the answer is no longer awaited: `secrets.timeout` is over, or the manager was closed. */
  readonly signal: AbortSignal;
}

/**
 * A place that holds secrets: an object of yours for a vault or a cloud store, or one of the built-in ones.
 *
 * Its members are called as methods of this object, several at once, in any order. It MUST NOT log values. Nothing of it is
 * visible through a manager, a room or a request, and of what it throws only the class name and `code` are ever shown.
 *
 * @example
 * ```ts
 * const vault: SecretProvider = {
 *   name: 'vault',
 *   async get(name, { signal }) {
 *     const answer = await fetch(`https://vault.internal/${encodeURIComponent(name)}`, { signal });
 *     if (answer.status === 404) return undefined;
 *     if (answer.status === 403) throw Object.assign(new Error('denied'), { code: 'DENIED' });
 *     if (!answer.ok) throw new Error('unavailable');
 *     return answer.text();
 *   },
 * };
 * ```
 */
export interface SecretProvider {
  /** Shown in errors and events; not empty, the same for the object's whole life. */
  readonly name: string;
  /** Whether production may use it; `false` is refused there at construction. @defaultValue `true` */
  readonly productionSafe?: boolean | undefined;
  /**
   * Resolves with the exact value, the empty string included, or with `undefined` when the secret is not there.
   * MUST throw when it could not tell; a throw whose `code` is `'DENIED'` says that this process has no right to the secret, so that
   * no older value stands in either. MAY heed the signal. Anything else than a string or `undefined` counts as a failure.
   */
  get(name: string, context: SecretContext): Promise<string | undefined>;
  /** Stores a value; a `get` that starts after it resolved MUST give that value. Without this member the provider is read-only. */
  set?: ((name: string, value: string) => Promise<void>) | undefined;
  /** Releases what it holds. Called once, when the manager closes. */
  close?: (() => Promise<void>) | undefined;
}

/** The built-in providers by name: the environment, a `.env` file, a directory of mounted files, this process' memory. */
export type ProviderName = 'env' | 'dotenv' | 'file' | 'memory';

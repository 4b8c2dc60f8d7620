/** A clock and a vault that a test holds in its hands, and the environment put back after each test. */
import type { EventMap } from '../../src/hooks.js';
import { createSecretManager, type SecretManager, type SecretManagerOptions } from '../../src/secrets/manager.js';
import type { SecretContext, SecretProvider } from '../../src/secrets/provider.js';

/** A clock that stands still until it is told. */
export class Clock {
  ms: number;
  readonly now = (): number => this.ms;

  constructor(ms = 1_000_000) {
    this.ms = ms;
  }
}

/** One call that waits for the test to end it. */
export interface HeldCall {
  readonly name: string;
  readonly signal: AbortSignal;
  answer(value: unknown): void;
  fail(error: unknown): void;
}

/** A vault: answers from `values`, or throws `down`, or holds its calls. */
export class Vault implements SecretProvider {
  readonly name: string;
  readonly values: Map<string, string>;
  readonly held: HeldCall[] = [];
  readonly asked: string[] = [];
  down: unknown;
  holding = false;
  closes = 0;

  constructor(values: Record<string, string> = {}, name = 'vault') {
    this.name = name;
    this.values = new Map(Object.entries(values));
  }

  async get(name: string, { signal }: SecretContext): Promise<string | undefined> {
    this.asked.push(name);
    if (this.holding) return this.#hold(name, signal);
    if (this.down !== undefined) throw this.down;
    return this.values.get(name);
  }

  set = async (name: string, value: string): Promise<void> => {
    if (this.down !== undefined) throw this.down;
    this.values.set(name, value);
  };

  close = async (): Promise<void> => {
    this.closes += 1;
  };

  #hold(name: string, signal: AbortSignal): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      this.held.push({ name, signal, answer: (value) => resolve(value as string), fail: reject });
    });
  }
}

/** A read-only provider from a function, however badly it behaves. */
export function providerOf(get: (name: string, context: SecretContext) => unknown, name = 'fake'): SecretProvider {
  return { name, get: get as SecretProvider['get'] };
}

/** A manager on these options in the environment `test`, with a clock and the events it told. */
export function open(options: SecretManagerOptions): {
  manager: SecretManager;
  clock: Clock;
  told: [string, object][];
} {
  const clock = new Clock();
  const told: [string, object][] = [];
  const tell = <E extends keyof EventMap>(event: E) => ({
    [event]: (payload: object) => void told.push([event, payload]),
  });
  const events = {
    ...tell('secret:fetched'),
    ...tell('secret:rotated'),
    ...tell('secret:failed'),
    ...tell('hook:failed'),
  };
  const manager = createSecretManager({ environment: 'test', now: clock.now, hooks: { events }, ...options });
  return { manager, clock, told };
}

/** What a promise rejected with; fails when it did not. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string; status?: number }> {
  const value = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (value === undefined) throw new Error('expected a rejection');
  return value.error as Error;
}

/** What a call threw; fails when it did not. */
export function thrown(call: () => unknown): Error & { code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected a throw');
}

const VARIABLES = ['NODE_ENV', 'APP_ENV', 'SECRETS_PROVIDER', 'SECRETS_DIR'];

/** Empties the variables that decide about providers, and puts them back after each test of the suite that calls it. */
export function isolateEnvironment(): void {
  const saved = new Map<string, string | undefined>();
  beforeEach(function empty() {
    for (const name of VARIABLES) {
      saved.set(name, process.env[name]);
      delete process.env[name];
    }
    process.env['NODE_ENV'] = 'test';
  });
  afterEach(function putBack() {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}

/** Lets everything that is ready to run do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

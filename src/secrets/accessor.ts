/** What `req.secrets` offers, over a reader: arguments checked, outcomes turned into values and errors. It knows no request and no writing. */
import { assertOptions, SecretError, StateError } from '../errors.js';
import { arrayOf, isBoolean, isRecord, isText, matches, objectOf, optional } from '../settings.js';
import type { Outcome, SecretReader } from './reader.js';
import { type SealedSecret, sealSecret } from './sealed.js';

/** Options of one `get`. */
export interface GetSecretOptions {
  /** Given when the secret is missing, or when the provider is down and no older value may stand in. Never cached. */
  default?: string | undefined;
  /** Asks the provider even when the cached value is fresh. During an outage it gives the value that is there. @defaultValue `false` */
  refresh?: boolean | undefined;
  /** Ends the wait of this caller only, with the signal's own reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Reading secrets. The members need no `this`. A rejection that nobody awaits never becomes an unhandled one.
 * After `close()` each of them rejects with CLOSED; a name that is no string, or empty, with OPTIONS_INVALID.
 */
export interface SecretsAccessor {
  /**
   * The exact value.
   * @throws {@link SecretError} SECRET_NOT_FOUND, SECRET_PROVIDER_FAILED, SECRET_TIMEOUT, SECRET_DENIED
   */
  get(name: string, options?: GetSecretOptions): Promise<string>;
  /** Several at once, as an object without prototype. Rejects naming all that are missing. @throws {@link SecretError} as `get` does */
  getMany(names: readonly string[]): Promise<Record<string, string>>;
  /** Whether it is there. @throws {@link SecretError} as `get` does when nobody could tell */
  has(name: string): Promise<boolean>;
  /** The value in a shape that does not print. @throws {@link SecretError} as `get` does */
  sealed(name: string): Promise<SealedSecret>;
}

const checkGetOptions = objectOf<GetSecretOptions>({
  default: optional(matches((value) => typeof value === 'string', 'a string')),
  refresh: optional(isBoolean),
  // By its members: a signal of another realm (Jest, jsdom) is no instance of this one's class.
  signal: optional(
    matches(
      (value) =>
        isRecord(value) && typeof value['aborted'] === 'boolean' && typeof value['addEventListener'] === 'function',
      'an AbortSignal',
    ),
  ),
});
const checkNames = arrayOf(isText);

/** Reads names for one accessor; a hidden name is not there. */
type Read = (name: string, refresh: boolean) => Promise<Outcome>;

/** The accessor over a reader; `asked` names the providers in errors, `hidden` are names that count as missing. */
export function createAccessor(
  reader: SecretReader,
  asked: string,
  hidden: ReadonlySet<string> = new Set(),
): SecretsAccessor {
  const read: Read = (name, refresh) =>
    hidden.has(name) && !reader.closed ? Promise.resolve({ kind: 'missing' }) : reader.read(name, refresh);

  async function getSlowly(name: string, options: GetSecretOptions | undefined): Promise<string> {
    assertName(name);
    if (options !== undefined) assertOptions(checkGetOptions(options, 'options'));
    const outcome = await withSignal(() => read(name, options?.refresh === true), options?.signal);
    if ('value' in outcome) return outcome.value;
    if (outcome.kind !== 'closed' && options?.default !== undefined) return options.default;
    throw errorOf([[name, outcome]], asked);
  }
  async function getAll(names: readonly string[]): Promise<Record<string, string>> {
    assertOptions(checkNames(names, 'names'));
    if (reader.closed) throw closedError();
    return readMany(names, read, asked);
  }
  async function has(name: string): Promise<boolean> {
    assertName(name);
    const outcome = await read(name, false);
    if (outcome.kind === 'failed' || outcome.kind === 'closed') throw errorOf([[name, outcome]], asked);
    return outcome.kind !== 'missing';
  }
  async function seal(name: string): Promise<SealedSecret> {
    return sealSecret(name, await getSlowly(name, undefined));
  }
  return Object.freeze<SecretsAccessor>({
    get(name, options) {
      const plain = (options === undefined || isDefaultOnly(options)) && !hidden.has(name);
      return (plain ? reader.fresh(name)?.resolved : undefined) ?? handled(getSlowly(name, options));
    },
    getMany: (names) => handled(getAll(names)),
    has: (name) => handled(has(name)),
    sealed: (name) => handled(seal(name)),
  });
}

/** The options that a warm read need not look at, in a tenth of the time of the whole check. */
function isDefaultOnly(options: GetSecretOptions): boolean {
  if (!isRecord(options)) return false;
  for (const key in options) if (key !== 'default') return false;
  return options.default === undefined || typeof options.default === 'string';
}

/** Marks a promise as handled, for callers who start it, do something else and await it too late. */
export function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

/** @throws {@link OptionsError} OPTIONS_INVALID for anything but a string that is not empty. */
export function assertName(name: unknown): asserts name is string {
  assertOptions(isText(name, "the secret's name"));
}

/** What a closed manager answers. */
export function closedError(): StateError {
  return new StateError('CLOSED', 'the secret manager is closed');
}

async function readMany(names: readonly string[], read: Read, asked: string): Promise<Record<string, string>> {
  const wanted = [...new Set(names)];
  const outcomes = await Promise.all(wanted.map(async (name) => [name, await read(name, false)] as const));
  const values: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, outcome] of outcomes) if ('value' in outcome) values[name] = outcome.value;
  const troubles = outcomes.filter(([, outcome]) => !('value' in outcome));
  if (troubles.length > 0) throw errorOf(troubles, asked);
  return values;
}

/** Waits no longer than the signal allows; the read itself goes on for the others. */
async function withSignal(read: () => Promise<Outcome>, signal: AbortSignal | undefined): Promise<Outcome> {
  if (signal === undefined) return read();
  if (signal.aborted) throw signal.reason;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    void read()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

/** One error for everything that could not be given. Names are the caller's own; no other secret's name is hinted at. */
function errorOf(troubles: readonly (readonly [string, Outcome])[], asked: string): Error {
  if (troubles.some(([, outcome]) => outcome.kind === 'closed')) return closedError();
  const missing = troubles.filter(([, outcome]) => outcome.kind === 'missing').map(([name]) => name);
  const failures = troubles.flatMap(([name, outcome]) =>
    outcome.kind === 'failed' ? [{ name, ...outcome.failure }] : [],
  );
  const lines = failures.map(({ name, detail }) => `${quoted([name])} could not be read (${detail})`);
  if (missing.length > 0) lines.push(`${quoted(missing)} not found (asked: ${asked})`);
  const [code = 'SECRET_NOT_FOUND', ...others] = new Set(failures.map((failure) => failure.code));
  return new SecretError(others.length > 0 ? 'SECRET_PROVIDER_FAILED' : code, lines.join('; '));
}

/** JSON escapes line breaks but not what turns a line around or hides in it; a name may come from a client, and go to a log. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\xa1-\u02ff\u0370-\u05ff\u0904-\u1fff\u2c00-\ud7ff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function quoted(names: readonly string[]): string {
  const list = names.map((name) => printable(JSON.stringify(name.slice(0, 128)))).join(', ');
  return `${names.length === 1 ? 'secret' : 'secrets'} ${list}`;
}

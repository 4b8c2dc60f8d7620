/** Takes secrets and addresses out of what is recorded: by key, by the look of the value, and by being a secret. It knows no request and no database. */
import { CUT, cutMarked, cutText } from '../evidence/cut.js';
import { SCAN_SLACK, STORED_LIMITS, freeKey } from '../evidence/normalise.js';
import type { Json } from '../event.js';
import { type Check, type Shape, arrayOf, either, isText, matches, objectOf, optional } from '../settings.js';
import { isCardNumber, maskCredentials } from './credentials.js';
import { createSecretMask } from './secret-mask.js';
import { isAmountKey, isSensitiveKey, squash } from './sensitive-keys.js';
import { cleanText } from './text.js';

/** What else to redact; added to the built-in keys and patterns, which cannot be switched off. */
export interface RedactOptions {
  /**
   * Names of members whose value is replaced, at any depth of `meta`: a text is a whole name, compared without case, `_` and `-`; a
   * RegExp is tested against the name as written. Unlike under the built-in names, true and false are replaced too.
   * @defaultValue none
   */
  keys?: readonly (string | RegExp)[] | undefined;
  /**
   * Patterns whose every match in any text is replaced. They are run on text of up to 20,000 characters that a client may have chosen: keep them linear.
   * @defaultValue none
   */
  values?: readonly RegExp[] | undefined;
}

const isPattern: Check = matches((value) => value instanceof RegExp, 'a RegExp');

const SHAPE: Shape<RedactOptions> = {
  keys: optional(arrayOf(either([isText, isPattern], 'a name or a RegExp'))),
  values: optional(arrayOf(isPattern)),
};

/** Checks the option `audit.redact`. */
export const redactShape: Check = objectOf(SHAPE);

/** An app has few such texts; a client may send many. */
const MAX_FREQUENT_TEXTS = 1000;
const MAX_FREQUENT_LENGTH = 256;

/** What stands in the place of what was taken out. */
export const REDACTED = '[redacted]';

/** What a redactor is made of. */
export interface RedactorParts extends RedactOptions {
  /** The values of the secrets that are cached now. MUST give the same array as long as nothing changed. */
  readonly secretValues: () => readonly string[];
}

/** Redacts what is about to be stored. Never throws; its time is linear in the text. */
export interface Redactor {
  /**
   * The text as it may be stored: redacted, cleaned (`cleanText`) and cut to `maxLength` UTF-16 units. 4,096 units beyond `maxLength` are
   * looked at, so give the whole text, or at least that much of it: a token that the limit cuts is seen whole. Where even that was too short, as
   * much is dropped from the end, since half a token may stand there.
   * @defaultValue `maxLength`: 16,384
   */
  text(value: string, maxLength?: number): string;
  /** As `text`, for what comes again and again, such as user agents: what was clean once is known as long as no secret changes. */
  frequentText(value: string, maxLength: number): string;
  /** A snapshot of `meta` with every key and text in it redacted, cleaned and cut. */
  meta(value: Json): Json;
}

type KeyTest = (key: string) => boolean;
type Bounded = (value: string, limit: number) => { readonly text: string; readonly isCut: boolean };

/** Creates the redactor of one instance. */
export function createRedactor(parts: RedactorParts): Redactor {
  const bounded = createBounded(parts);
  const meta = createMetaRedactor(bounded, keyTest(parts.keys ?? []));
  const text = (value: string, maxLength: number = STORED_LIMITS.textLength): string =>
    cleanText(bounded(value, maxLength).text, maxLength);
  return { text, frequentText: createMemory(text, parts.secretValues), meta };
}

/** Remembers texts in which nothing was found; what holds a secret is never kept. */
function createMemory(text: Redactor['text'], secretValues: () => readonly string[]): Redactor['frequentText'] {
  const clean = new Set<string>();
  let source: readonly string[] | undefined;
  return function frequentText(value, maxLength) {
    const values = secretValues();
    if (values !== source || clean.size > MAX_FREQUENT_TEXTS) clean.clear();
    source = values;
    if (value.length <= maxLength && clean.has(value)) return value;
    const redacted = text(value, maxLength);
    if (redacted === value && value.length <= MAX_FREQUENT_LENGTH) clean.add(value);
    return redacted;
  };
}

/** Redacts as much of a text as may matter for the limit, and drops the end where half a token may stand. */
function createBounded(parts: RedactorParts): Bounded {
  const maskSecrets = createSecretMask(parts.secretValues, REDACTED);
  const own = (parts.values ?? []).map((pattern) => withFlags(pattern, 'g'));

  function redact(text: string, isCut: boolean): string {
    let redacted = maskSecrets(text, isCut);
    // A pattern that matches nothing at all, such as /x*/, would put a mark between any two characters.
    for (const pattern of own) redacted = redacted.replace(pattern, (match: string) => (match === '' ? '' : REDACTED));
    return maskCredentials(redacted, REDACTED);
  }

  return function bounded(value, limit) {
    const reach = limit + SCAN_SLACK;
    if (value.length < reach) return { text: redact(value, false), isCut: false };
    const redacted = redact(cutText(value, reach), true);
    // A mask at the end: what the cut runs through was recognised.
    const kept = redacted.endsWith(REDACTED) ? redacted.length : Math.max(0, redacted.length - SCAN_SLACK);
    return { text: cutText(redacted, kept), isCut: true };
  };
}

function createMetaRedactor(bounded: Bounded, isOwnKey: KeyTest): (value: Json) => Json {
  function marked(value: string, limit: number): string {
    const { text, isCut } = bounded(value, limit);
    const clean = cleanText(text, limit + 1);
    return isCut ? cutText(clean, limit - CUT.length) + CUT : cutMarked(clean, limit);
  }

  function json(value: Json): Json {
    if (typeof value === 'string') return marked(value, STORED_LIMITS.textLength);
    if (typeof value === 'number') return isLongNumber(value) && isCardNumber(String(value)) ? REDACTED : value;
    if (typeof value !== 'object' || value === null) return value;
    return Array.isArray(value) ? value.map(json) : members(value as Readonly<Record<string, Json>>);
  }

  function members(value: Readonly<Record<string, Json>>): Json {
    const result: Record<string, Json> = {};
    for (const key of Object.keys(value)) {
      const name = freeKey(result, marked(key, STORED_LIMITS.keyLength));
      result[name] = member(key, value[key] as Json);
    }
    return result;
  }

  function member(key: string, value: Json): Json {
    if (value === null) return value;
    if (isOwnKey(key)) return REDACTED;
    const stays = typeof value === 'boolean' || (typeof value === 'number' && isAmountKey(key));
    return !stays && isSensitiveKey(key) ? REDACTED : json(value);
  }

  return json;
}

function isLongNumber(value: number): boolean {
  return value >= 1e12 && Number.isSafeInteger(value);
}

function keyTest(keys: readonly (string | RegExp)[]): KeyTest {
  if (keys.length === 0) return () => false;
  const names = new Set(keys.filter((key) => typeof key === 'string').map(squash));
  const patterns = keys.filter((key) => typeof key !== 'string').map((pattern) => withFlags(pattern, ''));
  return (key) => names.has(squash(key)) || patterns.some((pattern) => pattern.test(key));
}

/** A copy without `g` and `y`, whose `lastIndex` would make every second answer a different one. */
function withFlags(pattern: RegExp, added: string): RegExp {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '') + added);
}

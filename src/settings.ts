/** Checks that every options object shares: durations, kinds, unknown keys with the nearest known name. Pure; it knows no error class and throws nothing. */

/** A number of milliseconds, or a number with its unit: `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** Says what is wrong with the value at `path`, or `undefined` when nothing is. MUST NOT put the value into the text, unless it is a number where one belongs. */
export type Check = (value: unknown, path: string) => string | undefined;

/** One check for every member of an options object; the compiler keeps the list complete. */
export type Shape<Options> = { readonly [Key in keyof Required<Options>]: Check };

/** The longest delay that Node's timers can hold: 2^31-1 ms. */
const MAX_TIMER_MS: number = 2 ** 31 - 1;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Milliseconds of a duration, or `undefined` when it is none, negative or not finite. */
export function readDuration(value: unknown): number | undefined {
  const match = typeof value === 'string' ? DURATION.exec(value) : null;
  const ms = match ? Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN) : value;
  return typeof ms === 'number' && ms >= 0 && Number.isFinite(ms) ? ms : undefined;
}

/** Names the kind of a value without showing it: `a string`, `null`, `an array`. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'function' ? 'a function' : `a ${typeof value}`;
}

/** The known name nearest to a mistyped one, when it is near enough to be meant. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(name.length / 3));
  const ranked = known
    .map((candidate) => ({ candidate, steps: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps);
  const best = ranked[0];
  return best && best.steps <= limit ? best.candidate : undefined;
}

/** `"x" is unknown; did you mean "y"?` or, with nothing near, the known names. */
export function unknownName(name: string, known: readonly string[]): string {
  const shown = name.slice(0, 64);
  const nearest = nearestName(shown, known);
  const hint = nearest === undefined ? `known: ${known.join(', ')}` : `did you mean "${nearest}"?`;
  return `"${shown}" is unknown; ${hint}`;
}

/** As {@link unknownName} for a value: it is shown only when it is nearly a known word, since anything else may be a secret in the wrong place. */
export function unknownWord(word: string, known: readonly string[]): string {
  const shown = word.slice(0, 64);
  return nearestName(shown, known) === undefined
    ? ` must be one of ${known.join(', ')}, got another string`
    : `: ${unknownName(shown, known)}`;
}

/** Passes when the check does, or when the value is left out (`undefined`). */
export function optional(check: Check): Check {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

/** Passes what the test accepts; `form` ends the sentence "path must be ...". */
export function matches(test: (value: unknown) => boolean, form: string): Check {
  return (value, path) => (test(value) ? undefined : `${path} must be ${form}, got ${kindOf(value)}`);
}

/** Passes when one of the checks does; `form` names the alternatives. */
export function either(checks: readonly Check[], form: string): Check {
  return (value, path) =>
    checks.some((check) => check(value, path) === undefined)
      ? undefined
      : `${path} must be ${form}, got ${kindOf(value)}`;
}

/** Passes one of a few words. A wrong word is shown with the nearest right one, so use it for names only. */
export function oneOf(words: readonly string[]): Check {
  return (value, path) => {
    if (typeof value !== 'string') return `${path} must be one of ${words.join(', ')}, got ${kindOf(value)}`;
    return words.includes(value) ? undefined : `${path}${unknownWord(value, words)}`;
  };
}

/** Passes an array whose every item passes. */
export function arrayOf(item: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) return `${path} must be an array, got ${kindOf(value)}`;
    for (const [index, entry] of value.entries()) {
      const problem = item(entry, `${path}[${index}]`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** Passes an object whose every own value passes. */
export function recordOf(item: Check): Check {
  return (value, path) => {
    if (!isRecord(value)) return `${path} must be an object, got ${kindOf(value)}`;
    for (const [key, entry] of Object.entries(value)) {
      const problem = item(entry, `${path}.${key}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** Passes an object that has no other keys than the shape's, each value passing its check. */
export function objectOf<Options extends object>(shape: Shape<Options>): Check {
  const checks = new Map(Object.entries<Check>(shape));
  return (value, path) => {
    if (!isRecord(value)) return `${path} must be an object, got ${kindOf(value)}`;
    const stranger = Object.keys(value).find((key) => !checks.has(key));
    if (stranger !== undefined) return `${path}: option ${unknownName(stranger, [...checks.keys()])}`;
    for (const [key, check] of checks) {
      const problem = check(value[key], path === '' ? key : `${path}.${key}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** Passes a duration between the bounds, in milliseconds. */
export function durationBetween(minMs: number, maxMs: number = MAX_TIMER_MS): Check {
  return (value, path) => {
    const ms = readDuration(value);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return undefined;
    return `${path} must be a duration of ${minMs} to ${maxMs} ms: milliseconds, or a number with its unit like '250ms', '30s', '5m', '1h', '7d'; got ${kindOf(value)}`;
  };
}

/** Passes a whole number between the bounds. A wrong number is shown. */
export function integerBetween(min: number, max: number): Check {
  return (value, path) => {
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return undefined;
    const got = typeof value === 'number' ? String(value) : kindOf(value);
    return `${path} must be a whole number from ${min} to ${max}, got ${got}`;
  };
}

/** Passes a string that is not empty. */
export const isText: Check = matches(
  (value) => typeof value === 'string' && value !== '',
  'a string that is not empty',
);
/** Passes true and false. */
export const isBoolean: Check = matches((value) => typeof value === 'boolean', 'true or false');
/** Passes a function. */
export const isFunction: Check = matches((value) => typeof value === 'function', 'a function');
/** Passes any duration that a timer can hold, from 0. */
export const isDuration: Check = durationBetween(0);
/** Passes any duration from 0: for times that are compared and need no timer. */
export const isAge: Check = durationBetween(0, Number.MAX_SAFE_INTEGER);
/** Passes anything: the value is checked elsewhere, or may be anything. */
export const isAnything: Check = () => undefined;

/** Whether a value is an object with string keys: no array, not null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Levenshtein's distance, one row at a time; names are short. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

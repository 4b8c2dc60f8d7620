/** Masks the values of the secrets that this process holds, wherever they stand in a text. It keeps them out of everything but its own closure. */
import { wellFormed } from '../evidence/cut.js';

/** Shorter values are words of everyday: masking them would take them out of every text. */
const MIN_SECRET_LENGTH = 8;

/** Replaces each secret value in a text; with `isCut`, also one that the end of the text cuts off. */
export type SecretMask = (text: string, isCut: boolean) => string;

/** The forms to look for, by a hash of their first three UTF-16 units. */
interface SecretIndex {
  readonly marks: Uint8Array;
  readonly forms: ReadonlyMap<number, readonly string[]>;
}

const MARKS = 4096;

/**
 * Creates the mask. `secretValues` gives the values that are cached now; as long as it gives the same array, nothing is built anew.
 * Looked for are values of 8 and more UTF-16 units: as they are, without white space around them, percent- and form-encoded, escaped as
 * in JSON, in base64 and base64url.
 */
export function createSecretMask(secretValues: () => readonly string[], mask: string): SecretMask {
  let source: readonly string[] | undefined;
  let index: SecretIndex | undefined;
  return function maskSecrets(text, isCut) {
    const values = secretValues();
    if (values !== source) {
      source = values;
      index = buildIndex(values);
    }
    return index === undefined || text.length < MIN_SECRET_LENGTH ? text : replaceForms(text, index, { mask, isCut });
  };
}

function buildIndex(values: readonly string[]): SecretIndex | undefined {
  const all = new Set(values.flatMap(formsOf).filter((form) => form.length >= MIN_SECRET_LENGTH));
  if (all.size === 0) return undefined;
  const marks = new Uint8Array(MARKS);
  const forms = new Map<number, string[]>();
  // The longest first: it may begin like a shorter one.
  for (const form of [...all].sort((a, b) => b.length - a.length)) {
    const hash = hashOf(form.charCodeAt(0), form.charCodeAt(1), form.charCodeAt(2));
    marks[hash] = 1;
    forms.set(hash, [...(forms.get(hash) ?? []), form]);
  }
  return { marks, forms };
}

function formsOf(value: string): string[] {
  if (value.length < MIN_SECRET_LENGTH) return [];
  const percent = encodeURIComponent(wellFormed(value));
  const bytes = Buffer.from(value);
  return [
    value,
    value.trim(),
    percent,
    percent.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    percent.replaceAll('%20', '+'),
    JSON.stringify(value).slice(1, -1),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
  ];
}

function replaceForms(text: string, index: SecretIndex, how: { mask: string; isCut: boolean }): string {
  const { marks, forms } = index;
  let masked = '';
  let done = 0;
  let hash = hashOf(0, text.charCodeAt(0), text.charCodeAt(1));
  const end = text.length - MIN_SECRET_LENGTH;
  for (let at = 0; at <= end; at += 1) {
    // Rolls on by one unit: the loop runs over every unit of every text.
    hash = ((hash << 4) ^ text.charCodeAt(at + 2)) & (MARKS - 1);
    if (at < done || marks[hash] === 0) continue;
    const length = lengthAt(text, at, { forms: forms.get(hash) ?? [], isCut: how.isCut });
    if (length === 0) continue;
    masked += text.slice(done, at) + how.mask;
    done = at + length;
  }
  return done === 0 ? text : masked + text.slice(done);
}

function lengthAt(text: string, at: number, { forms, isCut }: { forms: readonly string[]; isCut: boolean }): number {
  const rest = text.length - at;
  for (const form of forms) {
    if (text.startsWith(form, at)) return form.length;
    if (isCut && rest < form.length && form.startsWith(text.slice(at))) return rest;
  }
  return 0;
}

/** Of 12 bits: what stands more than three units back has been shifted out. */
function hashOf(first: number, second: number, third: number): number {
  return ((first << 8) ^ (second << 4) ^ third) & (MARKS - 1);
}

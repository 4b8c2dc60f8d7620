/** What a verification leaves for the next one: the head of the ledger it saw, and which notes and keys it checked. Pure. */
import { hash } from 'node:crypto';
import { OptionsError } from '../errors.js';
import { integerBetween, isRecord, matches, objectOf } from '../settings.js';
import { decodeBase64 } from './base64.js';
import { isKeyName, type VerifierKey } from './keys.js';
import type { VerifyState } from './report.js';
import { EMPTY_ROOT, HASH_BYTES } from './tree.js';

/** A state, read. */
export interface SavedState {
  /** Entries of the ledger. */
  readonly size: number;
  /** Root over them. */
  readonly root: Buffer;
  /** Name of the log; null when it was empty. */
  readonly origin: string | null;
  /** SHA-256 over the notes of these entries, base64; null unless every signature was good. */
  readonly notes: string | null;
  /** SHA-256 over the keys that were trusted, base64. */
  readonly keys: string;
}

const isHash = matches(isHashText, 'the base64 of 32 bytes');

const STATE = objectOf<SavedState & { v: 1 }>({
  v: matches((value) => value === 1, '1'),
  size: integerBetween(0, Number.MAX_SAFE_INTEGER),
  root: isHash,
  origin: matches((value) => value === null || (typeof value === 'string' && isKeyName(value)), 'a name or null'),
  notes: matches((value) => value === null || isHashText(value), 'the base64 of 32 bytes, or null'),
  keys: isHash,
});

/** Reads a saved state. @throws {@link OptionsError} OPTIONS_INVALID when it is not exactly what {@link writeState} gives. */
export function readState(state: VerifyState): SavedState {
  const problem = STATE(state, 'state') ?? findContradiction(state);
  if (problem !== undefined) throw new OptionsError(problem);
  const { size, origin, notes, keys, root } = state as unknown as Omit<SavedState, 'root'> & { root: string };
  return { size, origin, notes, keys, root: Buffer.from(root, 'base64') };
}

/** Writes a state as JSON. */
export function writeState({ size, root, origin, notes, keys }: SavedState): VerifyState {
  return { v: 1, size, root: root.toString('base64'), origin, notes, keys };
}

/** Stands for a set of keys with their ends, in any order. */
export function digestKeys(keys: readonly VerifierKey[]): string {
  const texts = keys.map(({ name, publicKey, until }) => {
    return `${name}\n${publicKey.export({ format: 'der', type: 'spki' }).toString('base64')}\n${until ?? ''}\n`;
  });
  return hash('sha256', texts.sort().join('\n'), 'base64');
}

function findContradiction(state: unknown): string | undefined {
  const { size, root } = state as { size: number; root: string };
  const isEmptyRoot = root === EMPTY_ROOT.toString('base64');
  return isRecord(state) && (size === 0) !== isEmptyRoot ? 'state.root does not belong to state.size' : undefined;
}

function isHashText(value: unknown): boolean {
  return typeof value === 'string' && decodeBase64(value)?.length === HASH_BYTES;
}

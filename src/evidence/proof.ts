/** The proof of one event, `.tlog-proof`: its place in a sealed segment, the segment's place in the ledger, and who signed that. Pure. @see https://c2sp.org/tlog-proof */
import { OptionsError } from '../errors.js';
import { decodeBase64 } from './base64.js';
import { type Entry, isSegmentEntry, readEntry, type SegmentEntry } from './entry.js';
import type { VerifierKey } from './keys.js';
import { canonicalText } from './line.js';
import { judgeNote, type Note, readNote } from './note.js';
import { HASH_BYTES, leafHash, rootFromInclusion } from './tree.js';

/** A proof, read or to be written. */
export interface EventProof {
  /** Place of the event in its segment, from 0. */
  readonly index: number;
  /** Siblings of the event in the tree of its segment, from the leaf up. */
  readonly path: readonly Buffer[];
  /** Text of the entry that sealed the segment. */
  readonly seal: string;
  /** Place of that entry in the ledger. */
  readonly entry: number;
  /** Siblings of the entry in the tree of the ledger. */
  readonly entryPath: readonly Buffer[];
  /** The signed checkpoint. */
  readonly note: string;
}

/** What a proof proves, once checked. */
export interface ProvenEvent {
  /** The entry that sealed the event. */
  readonly entry: SegmentEntry;
  /** Whether the event's line is the one that was sealed, and the entry in a ledger that a trusted key signed. */
  readonly proven: boolean;
  /** One sentence: what does not fit; empty when proven. */
  readonly detail: string;
}

const HEADER = 'c2sp.org/tlog-proof@v1';

/** Text of a proof. */
export function writeProof(proof: EventProof): string {
  const extra = canonicalText({ index: proof.index, path: proof.path.map(toBase64), seal: proof.seal });
  const head = [HEADER, `extra ${toBase64(Buffer.from(extra))}`, `index ${proof.entry}`];
  return `${[...head, ...proof.entryPath.map(toBase64)].join('\n')}\n\n${proof.note}`;
}

/** Reads a proof. @throws {@link OptionsError} OPTIONS_INVALID when anything is not exactly in its form. */
export function readProof(text: string): EventProof {
  const split = text.indexOf('\n\n');
  const [header, extra = '', index = '', ...hashes] = text.slice(0, Math.max(split, 0)).split('\n');
  const entry = /^index (0|[1-9]\d{0,15})$/.exec(index)?.[1];
  const inner = readExtra(extra);
  const entryPath = readHashes(hashes);
  if (header !== HEADER || entry === undefined || inner === undefined || entryPath === undefined) {
    throw new OptionsError(`the proof is malformed: it must be a ${HEADER} with "extra" and "index"`);
  }
  return { ...inner, entry: Number(entry), entryPath, note: text.slice(split + 2) };
}

/**
 * Checks a proof against the event's line, as it stands in an export, without a line feed.
 * @throws {@link OptionsError} OPTIONS_INVALID when the seal or the note in the proof are malformed.
 */
export function checkProof(proof: EventProof, line: string, keys: readonly VerifierKey[]): ProvenEvent {
  const note = readNote(proof.note);
  const entry = readEntry(proof.seal);
  if (note === undefined) throw new OptionsError('the proof is malformed: its checkpoint is no signed note');
  if (entry === undefined || !isSegmentEntry(entry)) {
    throw new OptionsError('the proof is malformed: its seal is no entry that covers events');
  }
  const detail = findFault({ proof, note, entry, line, keys });
  return { entry, proven: detail === '', detail };
}

interface Question {
  readonly proof: EventProof;
  readonly note: Note;
  readonly entry: SegmentEntry;
  readonly line: string;
  readonly keys: readonly VerifierKey[];
}

function findFault({ proof, note, entry, line, keys }: Question): string {
  const inSegment = { leaf: leafHash(line), index: proof.index, size: entry.count };
  if (rootFromInclusion(inSegment, proof.path)?.toString('base64') !== entry.root) {
    return 'the event is not the one that was sealed';
  }
  const inLedger = { leaf: leafHash(proof.seal), index: proof.entry, size: note.checkpoint.size };
  const isInLedger = rootFromInclusion(inLedger, proof.entryPath)?.equals(note.checkpoint.root) === true;
  if (!isInLedger || (entry as Entry).n !== proof.entry) return 'the seal is not in the signed ledger';
  // A key is trusted for the log that it is named after: the owner of another log must not vouch for this one.
  const own = keys.filter(({ name }) => name === note.checkpoint.origin);
  return JUDGEMENTS[judgeNote(note, own)];
}

const JUDGEMENTS = {
  trusted: '',
  retired: 'the key that signed the ledger was retired before',
  'bad-signature': 'the signature of the ledger is wrong',
  unknown: 'no trusted key signed the ledger',
} as const;

function readExtra(line: string): Pick<EventProof, 'index' | 'path' | 'seal'> | undefined {
  const [, text = ''] = /^extra ([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
  try {
    const json = decodeBase64(text)?.toString() ?? '';
    const value = JSON.parse(json) as { index?: unknown; path?: unknown; seal?: unknown };
    const { index, seal } = value;
    const path = Array.isArray(value.path) ? readHashes(value.path) : undefined;
    const isWhole = canonicalText(value as never) === json && Object.keys(value).length === 3;
    if (!isWhole || path === undefined || typeof seal !== 'string' || !Number.isSafeInteger(index)) return undefined;
    return { index: index as number, path, seal };
  } catch {
    return undefined;
  }
}

function readHashes(texts: readonly unknown[]): Buffer[] | undefined {
  const hashes = texts.map((text) => (typeof text === 'string' ? decodeBase64(text) : undefined));
  return hashes.every((bytes): bytes is Buffer => bytes?.length === HASH_BYTES) ? hashes : undefined;
}

function toBase64(bytes: Buffer): string {
  return bytes.toString('base64');
}

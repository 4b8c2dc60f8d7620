/** A signed note that holds a checkpoint: origin, size and root of a log, and who signed them. Pure. @see https://c2sp.org/tlog-checkpoint */
import { verify } from 'node:crypto';
import { decodeBase64 } from './base64.js';
import { isKeyName, type Signer, type VerifierKey } from './keys.js';
import { HASH_BYTES } from './tree.js';

/** The head of a log. */
export interface Checkpoint {
  /** Name of the log. */
  readonly origin: string;
  /** How many entries. */
  readonly size: number;
  /** RFC 6962 root over them. */
  readonly root: Buffer;
}

/** One signature line. */
interface NoteSignature {
  readonly name: string;
  readonly id: string;
  readonly bytes: Buffer;
}

/** A note as it was read: nothing is verified yet. */
export interface Note {
  /** What is signed. */
  readonly body: string;
  /** The body, read. */
  readonly checkpoint: Checkpoint;
  /** The signatures, unverified. */
  readonly signatures: readonly NoteSignature[];
}

/** What the signatures of a note are worth. */
export type Trust = 'trusted' | 'retired' | 'bad-signature' | 'unknown';

const SIGNATURE_LINE = /^— (\S+) ([A-Za-z0-9+/=]+)$/u;
const KEY_ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** As Go's note package: a note with more is an attack on whoever reads it. */
const MAX_SIGNATURES = 100;

/** Text that is signed: three lines, each with its line feed. */
export function writeCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** Signs a checkpoint. @throws Error when the signer gives something else than 64 bytes, or what it throws. */
export async function signCheckpoint(checkpoint: Checkpoint, signer: Signer): Promise<string> {
  const body = writeCheckpoint(checkpoint);
  const signature = Buffer.from(await signer.sign(Buffer.from(body)));
  if (signature.length !== SIGNATURE_BYTES) throw new Error('the signer gave no Ed25519 signature of 64 bytes');
  const [name = '', id = ''] = signer.vkey.split('+');
  const line = Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64');
  return `${body}\n— ${name} ${line}\n`;
}

/** Reads a note without extension lines; undefined when anything is not exactly in its form. */
export function readNote(text: string): Note | undefined {
  const split = text.indexOf('\n\n');
  if (split === -1 || !text.endsWith('\n')) return undefined;
  const body = text.slice(0, split + 1);
  const lines = text.slice(split + 2, -1).split('\n');
  const checkpoint = readCheckpoint(body);
  if (checkpoint === undefined || lines.length > MAX_SIGNATURES) return undefined;
  const signatures = lines.map(readSignature);
  if (signatures.includes(undefined)) return undefined;
  return { body, checkpoint, signatures: signatures as NoteSignature[] };
}

/** Whether a key that is trusted for a log of this size signed the note. A bad signature by a trusted key outweighs good ones. */
export function judgeNote(note: Note, keys: readonly VerifierKey[]): Trust {
  let trust: Trust = 'unknown';
  for (const { name, id, bytes } of note.signatures) {
    const key = keys.find((known) => known.name === name && known.id === id);
    if (key === undefined) continue;
    if (!verify(null, Buffer.from(note.body), key.publicKey, bytes)) return 'bad-signature';
    const isRetired = key.until !== undefined && note.checkpoint.size > key.until;
    if (!isRetired) trust = 'trusted';
    else if (trust === 'unknown') trust = 'retired';
  }
  return trust;
}

function readCheckpoint(body: string): Checkpoint | undefined {
  const [origin = '', size = '', root = '', ...rest] = body.split('\n');
  const bytes = decodeBase64(root);
  // The last line feed leaves one empty text behind it; more would be extension lines.
  if (rest.length !== 1 || !isKeyName(origin) || bytes?.length !== HASH_BYTES) return undefined;
  if (!/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) return undefined;
  return { origin, size: Number(size), root: bytes };
}

function readSignature(line: string): NoteSignature | undefined {
  const [, name = '', text = ''] = SIGNATURE_LINE.exec(line) ?? [];
  const bytes = decodeBase64(text);
  // The length is the signer's business: a witness' cosignature carries a time before it.
  if (!isKeyName(name) || bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined;
  return { name, id: bytes.subarray(0, KEY_ID_BYTES).toString('hex'), bytes: bytes.subarray(KEY_ID_BYTES) };
}

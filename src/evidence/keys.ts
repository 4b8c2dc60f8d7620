/** Ed25519 keys in the text form of Go's note package: `name+id+base64` to verify, `PRIVATE+KEY+...` to sign. Pure; it reads no file and no secret. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import { OptionsError } from '../errors.js';
import { decodeBase64 } from './base64.js';

/** Signs checkpoints: a key in memory, or a KMS. */
export interface Signer {
  /** The public key as a vkey, `<name>+<id>+<base64>`; its name is the log's origin. */
  readonly vkey: string;
  /** The 64 bytes of the Ed25519 signature over the bytes. MAY be called again with the same bytes after a failure; MUST NOT hash them first. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** A public key that is trusted. */
export interface VerifierKey {
  /** The origin that it signs for. */
  readonly name: string;
  /** First 4 bytes of SHA-256(name, LF, 0x01, public key), as hex. */
  readonly id: string;
  /** The key. */
  readonly publicKey: KeyObject;
  /** Largest size of the log that it may sign; undefined: no end. */
  readonly until: number | undefined;
}

/** Both halves of a new key. */
export interface KeyPair {
  /** The secret half; belongs into a secret store. */
  readonly signingKey: string;
  /** The public half; belongs to whoever verifies. */
  readonly vkey: string;
}

const ED25519 = 1;
const SEED_BYTES = 32;
/** The fixed head of an Ed25519 key in DER. @see https://www.rfc-editor.org/rfc/rfc8410 */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const VKEY_FORM = 'a vkey: <name>+<8 hex digits>+<base64>';
const SIGNING_KEY_FORM = 'PRIVATE+KEY+<name>+<8 hex digits>+<base64>, as `strongroom keygen` prints it';
/** No space of any kind, no plus, no control character, no byte order mark, no `#` in front, which would make a comment of its line in a file. @see https://c2sp.org/signed-note */
const NAME = /^(?!#)[^\p{White_Space}\p{Cc}\p{Surrogate}\ufeff+]{1,255}$/u;

/** Whether a text may name a log. */
export function isKeyName(name: string): boolean {
  return NAME.test(name);
}

/** Makes a new key; nothing is stored. @throws {@link OptionsError} OPTIONS_INVALID for a name with a space or a plus, or a `#` in front. */
export function generateKey(name: string): KeyPair {
  if (!isKeyName(name))
    throw new OptionsError(
      'the name of a log must be without spaces and "+", not begin with "#", and be at most 255 long',
    );
  const pair = generateKeyPairSync('ed25519');
  const seed = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_HEAD.length);
  const raw = rawPublicKey(pair.publicKey);
  const body = Buffer.concat([Buffer.from([ED25519]), seed]).toString('base64');
  return { signingKey: `PRIVATE+KEY+${name}+${keyId(name, raw)}+${body}`, vkey: writeVkey(name, raw) };
}

/**
 * Reads a signing key and checks that its id belongs to it.
 * @throws {@link OptionsError} OPTIONS_INVALID naming what is wrong, never the key.
 */
export function readSigningKey(text: string, path: string): Signer {
  const [, name, id, body] = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = body === undefined ? undefined : decodeBase64(body);
  if (name === undefined || !isKeyName(name) || bytes?.length !== 1 + SEED_BYTES || bytes[0] !== ED25519) {
    throw new OptionsError(`${path} must be a signing key: ${SIGNING_KEY_FORM}`);
  }
  const der = Buffer.concat([PKCS8_HEAD, bytes.subarray(1)]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const raw = rawPublicKey(createPublicKey(privateKey));
  if (keyId(name, raw) !== id) throw new OptionsError(`${path} is damaged: its id does not belong to its key`);
  return { vkey: writeVkey(name, raw), sign: (message) => Promise.resolve(sign(null, message, privateKey)) };
}

/** Reads a vkey, with `until=<size>` behind it or without. @throws {@link OptionsError} OPTIONS_INVALID */
export function readVerifierKey(text: string, path: string): VerifierKey {
  const [vkey = '', ...rest] = text.trim().split(/\s+/);
  const [, name, id, body] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(vkey) ?? [];
  const bytes = body === undefined ? undefined : decodeBase64(body);
  if (name === undefined || !isKeyName(name) || bytes?.length !== 1 + SEED_BYTES || bytes[0] !== ED25519) {
    throw new OptionsError(`${path} must be ${VKEY_FORM}`);
  }
  const raw = bytes.subarray(1);
  if (keyId(name, raw) !== id) throw new OptionsError(`${path} is damaged: its id does not belong to its key`);
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
  return { name, id, publicKey, until: readUntil(rest, path) };
}

/**
 * Reads vkeys, one a line; lines that are empty or begin with `#` are skipped.
 * @throws {@link OptionsError} OPTIONS_INVALID when there is none, or one twice with different ends.
 */
export function readVerifierKeys(texts: readonly string[], path: string): VerifierKey[] {
  const lines = texts.flatMap((text) => text.split('\n')).map((line) => line.replace(/(^|\s)#.*$/s, '').trim());
  const keys = new Map<string, VerifierKey>();
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const key = readVerifierKey(line, `${path} (line ${index + 1})`);
    const place = `${key.name}+${key.id}`;
    const known = keys.get(place);
    if (known !== undefined && (known.until !== key.until || !known.publicKey.equals(key.publicKey))) {
      throw new OptionsError(`${path} (line ${index + 1}) says something else of a key that stands there before`);
    }
    keys.set(place, key);
  }
  if (keys.size === 0) throw new OptionsError(`${path} must hold at least one vkey`);
  return [...keys.values()];
}

function readUntil(rest: readonly string[], path: string): number | undefined {
  if (rest.length === 0) return undefined;
  const [, digits] = /^until=(0|[1-9]\d{0,15})$/.exec(rest.join(' ')) ?? [];
  const until = Number(digits);
  if (!Number.isSafeInteger(until)) {
    throw new OptionsError(`${path}: after the vkey only until=<size of the log> may stand`);
  }
  return until;
}

function writeVkey(name: string, raw: Buffer): string {
  return `${name}+${keyId(name, raw)}+${Buffer.concat([Buffer.from([ED25519]), raw]).toString('base64')}`;
}

function keyId(name: string, raw: Buffer): string {
  const text = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ED25519]), raw]);
  return hash('sha256', text, 'hex').slice(0, 8);
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length);
}

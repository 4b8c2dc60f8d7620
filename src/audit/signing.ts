/** Who signs: the user's signer, the key among the secrets, a throw-away key outside production, or nobody. It knows no ledger. */
import { verify } from 'node:crypto';
import {
  generateKey,
  readSigningKey,
  readVerifierKey,
  readVerifierKeys,
  type Signer,
  type VerifierKey,
} from '../evidence/keys.js';
import { AuditWriteError, OptionsError, warnOnce } from '../errors.js';
import type { ResolvedEvidenceOptions } from './evidence-options.js';
import { inTime } from './time-limit.js';

/** What deciding needs. */
export interface SigningParts {
  readonly options: ResolvedEvidenceOptions;
  readonly isProduction: boolean;
  /** The trail's collection, for the name of a throw-away key. */
  readonly collection: string;
  /** The secret with the key; null where there is none. Rejects when that could not be told. */
  readonly readKey: () => Promise<string | null>;
}

/** Who signs, and whom one trusts. */
export interface Signing {
  readonly mode: 'signed' | 'throwaway';
  readonly signer: Signer;
  readonly origin: string;
  /** Keys of all writers. */
  readonly keys: readonly VerifierKey[];
}

/**
 * Finds who signs; null: nobody, and that is allowed.
 * @throws AUDIT_KEY_MISSING; OPTIONS_INVALID for a damaged key or a foreign origin; what reading the secret throws
 */
export async function findSigning(parts: SigningParts): Promise<Signing | null> {
  const { options } = parts;
  if (options.signer !== undefined) return sign(options.signer, 'signed', options);
  const text = await parts.readKey();
  if (text !== null) return sign(readSigningKey(text, `the secret "${options.key}"`), 'signed', options);
  if (options.required ?? parts.isProduction) {
    throw new AuditWriteError(
      'AUDIT_KEY_MISSING',
      `the secret "${options.key}" with the key that signs the trail is not there`,
    );
  }
  return parts.isProduction ? warnUnsealed(options.key) : sign(createThrowaway(parts), 'throwaway', options);
}

function sign(signer: Signer, mode: Signing['mode'], options: ResolvedEvidenceOptions): Signing {
  const own = readVerifierKey(signer.vkey, 'audit.evidence.signer.vkey');
  if (options.origin !== undefined && options.origin !== own.name && mode === 'signed') {
    throw new OptionsError('audit.evidence.origin must be the name of the signing key');
  }
  const others = options.keys.length === 0 ? [] : readVerifierKeys(options.keys, 'audit.evidence.keys');
  // One's own key is trusted without an end, whatever the list says of it.
  const keys = [own, ...others.filter(({ name, id }) => name !== own.name || id !== own.id)];
  return { mode, signer: guardSigner(signer, own), origin: own.name, keys };
}

/** The signer gave no signature: the database may be fine. */
export class SignerError extends AuditWriteError {
  constructor(message: string) {
    super('AUDIT_UNAVAILABLE', message);
  }
}

/** A signer that hangs must not hold the sealing for ever. */
const SIGNER_TIMEOUT_MS = 5000;

/** What is signed wrongly must not reach the ledger: nobody could seal behind it, and it can never be taken back. */
function guardSigner(signer: Signer, { publicKey }: VerifierKey): Signer {
  return {
    vkey: signer.vkey,
    async sign(bytes) {
      const signature = await askSigner(signer, bytes);
      if (verify(null, bytes, publicKey, signature)) return signature;
      throw new SignerError('the signer gave no Ed25519 signature of 64 bytes by the key of its vkey');
    },
  };
}

async function askSigner(signer: Signer, bytes: Uint8Array): Promise<Buffer> {
  try {
    const asked = Promise.resolve(signer.sign(bytes));
    const tooLate = (): Error => new SignerError(`the signer gave no answer within ${SIGNER_TIMEOUT_MS} ms`);
    return Buffer.from(await inTime(asked, SIGNER_TIMEOUT_MS, tooLate));
  } catch (error) {
    if (error instanceof SignerError) throw error;
    // A KMS client's own message may quote what it was given, such as a token.
    const { name } = error as { name?: unknown };
    throw new SignerError(`the signer failed (${typeof name === 'string' ? name : 'no error'})`);
  }
}

function createThrowaway({ options, collection }: SigningParts): Signer {
  // Never the app's own origin: nobody shall take its notes for those of production.
  const name = `localhost/${collection}`;
  const { signingKey, vkey } = generateKey(name);
  warnOnce(
    'THROWAWAY_KEY',
    `the audit trail is signed by a throw-away key that ends with this process; make one with \`npx strongroom keygen --name ${name}\` and put it into the secret "${options.key}"`,
  );
  return { ...readSigningKey(signingKey, 'the throw-away key'), vkey };
}

function warnUnsealed(key: string): null {
  warnOnce(
    'UNSEALED',
    `the audit trail is not sealed: the secret "${key}" is not there and audit.evidence.required is false`,
  );
  return null;
}

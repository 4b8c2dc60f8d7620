/** The options of evidence: the key, how often to seal, where checkpoints go. It knows no database. */
import { type Signer, readVerifierKey, readVerifierKeys } from '../evidence/keys.js';
import { OptionsError } from '../errors.js';
import {
  arrayOf,
  type Check,
  type Duration,
  durationBetween,
  either,
  isBoolean,
  isFunction,
  isRecord,
  isText,
  matches,
  objectOf,
  optional,
  readDuration,
  type Shape,
} from '../settings.js';
import type { Anchor } from './anchors.js';

/** How the trail is sealed and signed. */
export interface EvidenceOptions {
  /** Name of the log, such as `audit.example.com/prod`; one that differs from the key's name is OPTIONS_INVALID. @defaultValue the key's name */
  origin?: string | undefined;
  /** Name of the secret that holds the signing key, as `strongroom keygen` prints it. @defaultValue `'AUDIT_SIGNING_KEY'` */
  key?: string | undefined;
  /** Signs instead of a key: a KMS, an HSM. */
  signer?: Signer | undefined;
  /** vkeys of the other writers of this ledger: a rotation under way, several signers. One's own is always trusted. */
  keys?: readonly string[] | undefined;
  /** How often new events are sealed; with many live streams on one ledger less often, 40 ms for each. @defaultValue `'1s'` */
  sealEvery?: Duration | undefined;
  /** After this time without an entry the process of a stream is taken for dead, and what it left is sealed by another one. @defaultValue `'5m'` */
  deadAfter?: Duration | undefined;
  /** Where checkpoints go. @defaultValue in production `stdoutAnchor({ every: '1m' })`, else none */
  anchors?: readonly Anchor[] | undefined;
  /**
   * Whether there must be a key. True: without one `ready()` rejects with AUDIT_KEY_MISSING and nothing is sealed. False: without one, history is
   * signed by a throw-away key outside production, and stays unsealed in production. @defaultValue true in production, else false
   */
  required?: boolean | undefined;
}

/** The options with their defaults; what depends on the environment is decided elsewhere. */
export interface ResolvedEvidenceOptions {
  readonly origin: string | undefined;
  readonly key: string;
  readonly signer: Signer | undefined;
  readonly keys: readonly string[];
  readonly sealEveryMs: number;
  readonly deadAfterMs: number;
  readonly anchors: readonly Anchor[] | undefined;
  readonly required: boolean | undefined;
}

const DEFAULTS = { key: 'AUDIT_SIGNING_KEY', sealEveryMs: 1000, deadAfterMs: 300_000 } as const;

const isSigner: Check = matches(
  (value) => isRecord(value) && typeof value['vkey'] === 'string' && typeof value['sign'] === 'function',
  'a signer: { vkey, sign(bytes) }',
);

const isAnchor: Check = objectOfAnchor();

const checkEvidenceObject = objectOf<EvidenceOptions>({
  origin: optional(isText),
  key: optional(isText),
  signer: optional(isSigner),
  keys: optional(arrayOf(isText)),
  sealEvery: optional(durationBetween(1)),
  deadAfter: optional(durationBetween(1)),
  anchors: optional(arrayOf(isAnchor)),
  required: optional(isBoolean),
});

const checkEvidence: Check = (value, path) => {
  if (value === false) return undefined;
  if (!isRecord(value)) return either([], 'an object or false')(value, path);
  return checkEvidenceObject(value, path) ?? findKeyFault(value, path);
};

/** One check per option. */
export const evidenceShape: Shape<{ evidence?: EvidenceOptions | false | undefined }> = {
  evidence: optional(checkEvidence),
};

/** Fills the defaults of checked options. */
export function resolveEvidenceOptions(options: EvidenceOptions): ResolvedEvidenceOptions {
  return {
    origin: options.origin,
    key: options.key ?? DEFAULTS.key,
    signer: options.signer,
    keys: options.keys ?? [],
    sealEveryMs: readDuration(options.sealEvery) ?? DEFAULTS.sealEveryMs,
    deadAfterMs: readDuration(options.deadAfter) ?? DEFAULTS.deadAfterMs,
    anchors: options.anchors,
    required: options.required,
  };
}

/** Anchors may be objects of a class: only the methods count. */
function objectOfAnchor(): Check {
  return (value, path) => {
    if (typeof value !== 'object' || value === null) return `${path} must be an anchor: { put(note), latest?() }`;
    const { put, latest, flush } = value as Partial<Record<string, unknown>>;
    return (
      isFunction(put, `${path}.put`) ??
      optional(isFunction)(latest, `${path}.latest`) ??
      optional(isFunction)(flush, `${path}.flush`)
    );
  };
}

function findKeyFault(options: EvidenceOptions, path: string): string | undefined {
  try {
    if (options.keys !== undefined && options.keys.length > 0) readVerifierKeys(options.keys, `${path}.keys`);
    if (options.signer === undefined) return undefined;
    if (options.key !== undefined) return `${path} takes key or signer, not both`;
    const { name } = readVerifierKey(options.signer.vkey, `${path}.signer.vkey`);
    const isOther = options.origin !== undefined && options.origin !== name;
    return isOther ? `${path}.origin must be the name of the signer's key` : undefined;
  } catch (error) {
    if (error instanceof OptionsError) return error.message;
    throw error;
  }
}

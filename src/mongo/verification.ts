/** `verify()` of a live trail: checks what it is asked, then lets the verifier read the database. It writes nothing and needs no signing key. */
import type { Connection } from 'mongoose';
import { readVerifierKeys } from '../evidence/keys.js';
import type { VerifyProgress, VerifyReport, VerifyState } from '../evidence/report.js';
import type { EvidenceSource } from '../evidence/source.js';
import { verifyEvidence } from '../evidence/verify.js';
import { assertOptions, AuditWriteError, StrongroomError } from '../errors.js';
import { arrayOf, isFunction, isRecord, isText, matches, objectOf, optional } from '../settings.js';
import type { Link } from './connection.js';
import { createEvidenceSource } from './evidence-source.js';
import { describeError } from './server-error.js';

type Db = NonNullable<Connection['db']>;

/** What to verify against. */
export interface VerifyOptions {
  /** The vkeys that are trusted, each with `until=<size>` behind it or without: from a file of yours, never from the database. At least one. */
  keys: readonly string[];
  /** Notes that were kept elsewhere, or what `fileAnchor` and `stdoutAnchor` wrote. */
  anchors?: readonly string[] | undefined;
  /** `state` of an earlier report: an anchor, and signatures that need no second check. It never hides an edit. */
  state?: VerifyState | undefined;
  /** Told now and then how far it is. */
  onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

const checkVerify = objectOf<VerifyOptions>({
  keys: arrayOf(isText),
  anchors: optional(arrayOf(isText)),
  state: optional(matches(isRecord, 'the state of an earlier report')),
  onProgress: optional(isFunction),
});

/** Where the trail is, and how long a silent stream counts as alive. */
export interface VerifiedPlace {
  readonly link: Link;
  readonly collection: string;
  readonly deadAfterMs: number;
}

const TIMEOUT_MS = 30_000;

/**
 * Creates the `verify()` of a trail; null: there is none, and its report is that of an empty one.
 * @throws OPTIONS_INVALID without keys, or for a malformed key, `until` or state; AUDIT_UNAVAILABLE when the database cannot be read
 */
export function createVerify(place: VerifiedPlace | null): (o: VerifyOptions) => Promise<VerifyReport> {
  return async (o) => {
    assertOptions(checkVerify(o, 'verify'));
    const { anchors, state, onProgress } = o;
    const keys = readVerifierKeys(o.keys, 'verify.keys');
    const source = place === null ? EMPTY : createEvidenceSource(await reach(place.link), place.collection);
    const deadAfterMs = place?.deadAfterMs;
    return verifyEvidence(source, { keys, anchors, state, onProgress, now: new Date(), deadAfterMs });
  };
}

async function reach(link: Link): Promise<Db> {
  try {
    return await link.database(TIMEOUT_MS);
  } catch (error) {
    if (error instanceof StrongroomError) throw error;
    throw new AuditWriteError('AUDIT_UNAVAILABLE', `the trail cannot be read: ${describeError(error)}`);
  }
}

const EMPTY: EvidenceSource = {
  async *ledger() {},
  leaves: () => Promise.resolve([]),
  async *events() {},
  extent: () => Promise.resolve({ entries: 0, events: 0 }),
};

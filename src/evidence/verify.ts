/** Verification: the ledger first, then every event, then what is left over. Pure: it reads what a source gives, and knows no clock. @see EVIDENCE, "Verify" */
import { OptionsError } from '../errors.js';
import { type Anchored, judgeAnchors, readAnchors } from './anchors.js';
import { EventCheck } from './event-check.js';
import { Findings } from './findings.js';
import type { VerifierKey } from './keys.js';
import { isDead, type Life } from './leftovers.js';
import { LedgerCheck } from './ledger-check.js';
import type { VerifyProgress, VerifyReport, VerifyState, ViolationKind, WarningKind } from './report.js';
import type { EvidenceSource, Extent } from './source.js';
import type { Report } from './streams.js';
import { digestKeys, readState, type SavedState, writeState } from './verify-state.js';

/** What to verify against. */
export interface VerifyEvidenceOptions {
  /** The keys that are trusted; at least one. */
  readonly keys: readonly VerifierKey[];
  /** Texts that hold notes which were kept elsewhere. */
  readonly anchors?: readonly string[] | undefined;
  /** What an earlier verification left: an anchor, and signatures that need no second check. */
  readonly state?: VerifyState | undefined;
  /** When it begins; for an exported folder, when that was written. */
  readonly now: Date;
  /** A stream whose newest entry is older is dead. @defaultValue 5 minutes */
  readonly deadAfterMs?: number | undefined;
  /** Told after each batch. */
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

const DEAD_AFTER_MS = 300_000;

/**
 * Verifies a trail. What is wrong with it stands in the report; a rejection means that nothing can be said. Writers may go on meanwhile.
 * @throws {@link OptionsError} OPTIONS_INVALID without a key, or with a malformed state.
 */
export async function verifyEvidence(source: EvidenceSource, options: VerifyEvidenceOptions): Promise<VerifyReport> {
  if (options.keys.length === 0) throw new OptionsError('keys must hold at least one vkey');
  const saved = options.state === undefined ? undefined : readState(options.state);
  return new Verification(source, options, saved).run();
}

class Verification {
  readonly #source: EvidenceSource;
  readonly #options: VerifyEvidenceOptions;
  readonly #saved: SavedState | undefined;
  readonly #keys: string;
  readonly #violations = new Findings<ViolationKind>();
  readonly #warnings = new Findings<WarningKind>();
  readonly #anchors: Anchored[];
  readonly #ledger: LedgerCheck;
  readonly #life: Life;
  #extent: Extent = { entries: 0, events: 0 };

  constructor(source: EvidenceSource, options: VerifyEvidenceOptions, saved: SavedState | undefined) {
    const { keys, anchors = [], now, deadAfterMs = DEAD_AFTER_MS } = options;
    this.#source = source;
    this.#options = options;
    this.#saved = saved;
    this.#keys = digestKeys(keys);
    this.#life = { nowMs: now.getTime(), deadAfterMs };
    this.#anchors = readAnchors(anchors, keys, this.#warnings);
    if (saved !== undefined) this.#anchors.push({ ...saved, place: 'the saved state' });
    const watched = new Set(this.#anchors.map(({ size }) => size));
    this.#ledger = new LedgerCheck({ keys, report: this.#report, watched, checkedBelow: this.#checkedBelow });
  }

  async run(): Promise<VerifyReport> {
    this.#extent = await this.#source.extent();
    await this.#readLedger(this.#source.ledger());
    judgeAnchors(this.#anchors, this.#ledger, this.#report);
    await this.#confirmSignatures();
    const events = await this.#checkEvents();
    this.#warnOfStreams();
    const { head, count, notes } = this.#ledger;
    return {
      intact: this.#violations.isEmpty,
      events,
      entries: count,
      newest: head.note,
      state: writeState({ size: head.size, root: head.root, origin: head.origin, notes, keys: this.#keys }),
      violations: this.#violations.list(),
      warnings: this.#warnings.list(),
    };
  }

  get #report(): Report {
    return { violations: this.#violations, warnings: this.#warnings };
  }

  /** Signatures count as checked only for the same keys with the same ends. */
  get #checkedBelow(): number {
    const saved = this.#saved;
    return saved !== undefined && saved.notes !== null && saved.keys === this.#keys ? saved.size : 0;
  }

  async #readLedger(documents: ReturnType<EvidenceSource['ledger']>): Promise<void> {
    for await (const batch of documents) {
      for (const found of batch) this.#ledger.take(found);
      this.#tell(0);
    }
  }

  /** Unless entries and notes are those that were checked before, to the byte, the signatures are checked now. */
  async #confirmSignatures(): Promise<void> {
    const below = this.#checkedBelow;
    if (this.#saved === undefined || below === 0) return;
    const { root, notes } = this.#saved;
    if (this.#ledger.rootAt(below)?.equals(root) === true && this.#ledger.notesAt(below) === notes) return;
    for await (const batch of this.#source.ledger()) {
      for (const found of batch) {
        if ((found.document._id as number) < below) this.#ledger.judgeAgain(found);
      }
    }
  }

  async #checkEvents(): Promise<number> {
    const { streams } = this.#ledger;
    const refresh = (): Promise<void> => this.#readLedger(this.#source.ledger(this.#ledger.size));
    const parts = { source: this.#source, streams, report: this.#report, refresh };
    const check = new EventCheck(parts, this.#life);
    for await (const batch of this.#source.events()) {
      await check.take(batch);
      this.#tell(check.count);
    }
    await check.end();
    return check.count;
  }

  #warnOfStreams(): void {
    for (const record of this.#ledger.streams.all()) {
      if (record.isClosed || record.isAdopted) continue;
      const where = `ledger#${record.lastEntry}`;
      if (isDead(record, this.#life)) {
        this.#warnings.add('stream-not-closed', where, `the stream ${record.name} ended without being closed`);
      } else {
        this.#warnings.add('stream-open', where, `the stream ${record.name} is being written`);
      }
    }
  }

  #tell(events: number): void {
    const done = this.#ledger.count + events;
    const { entries, events: expected } = this.#extent;
    const total = Math.max(entries, this.#ledger.count) + Math.max(expected, events);
    this.#options.onProgress?.({ done, total });
  }
}

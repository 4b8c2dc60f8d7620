/** What verification found, as data. Pure. */
import { StateError } from '../errors.js';

/** What is wrong with a trail; each is proof that someone got past the package or that storage is damaged. */
export type ViolationKind =
  | 'ledger-gap'
  | 'ledger-entry-malformed'
  | 'ledger-note-malformed'
  | 'ledger-root-mismatch'
  | 'ledger-bad-signature'
  | 'ledger-no-known-signature'
  | 'ledger-retired-key'
  | 'ledger-origin'
  | 'ledger-peaks'
  | 'ledger-index-field'
  | 'ledger-truncated'
  | 'ledger-forked'
  | 'stream-unregistered'
  | 'stream-reopened'
  | 'segment-gap'
  | 'seal-after-close'
  | 'time-regression'
  | 'event-edited'
  | 'event-missing'
  | 'event-inserted'
  | 'event-unsealed'
  | 'event-malformed'
  | 'event-type'
  | 'event-time'
  | 'leaves-damaged'
  | 'segment-root';

/** What honest operation also leaves behind. */
export type WarningKind =
  | 'unsealed-tail'
  | 'recovered-segment'
  | 'adopted-history'
  | 'event-late'
  | 'stream-open'
  | 'stream-not-closed'
  | 'anchor-unusable';

/** One finding. */
export interface Finding<Kind> {
  /** What it is. */
  readonly kind: Kind;
  /** An event's `_id`, or `ledger#<n>`. */
  readonly where: string;
  /** One sentence for a person. */
  readonly detail: string;
}

/** Where a verification ended, to begin the next one there; itself an anchor. Keep it where the database's admin cannot write. */
export interface VerifyState {
  /** Version of the form. */
  readonly v: 1;
  /** What the next run needs; no part of the contract. */
  readonly [key: string]: StateJson;
}

type StateJson = null | boolean | number | string | readonly StateJson[] | { readonly [key: string]: StateJson };

/** The result of a verification. */
export interface VerifyReport {
  /** Whether there is no violation. */
  readonly intact: boolean;
  /** Events that were looked at. */
  readonly events: number;
  /** Entries of the ledger. */
  readonly entries: number;
  /** The newest signed note of the ledger; null when it is empty. Hand it to an anchor. */
  readonly newest: string | null;
  /** For the next run. */
  readonly state: VerifyState;
  /** What is wrong. At most 1,000 are listed of each kind; the last of them says how many more there were. */
  readonly violations: readonly Finding<ViolationKind>[];
  /** What is worth knowing and no proof of anything. */
  readonly warnings: readonly Finding<WarningKind>[];
}

/** How far a verification is. */
export interface VerifyProgress {
  /** Entries and events looked at. */
  readonly done: number;
  /** Entries and events that there are, as far as is known; grows when events are recorded meanwhile. */
  readonly total: number;
}

/**
 * Throws unless a report is intact.
 * @throws {@link StateError} LEDGER_ALARM naming the first violations.
 */
export function assertIntact(report: VerifyReport): void {
  if (report.intact) return;
  const { violations } = report;
  const first = violations.slice(0, 3).map(({ kind, where, detail }) => `${kind} at ${where}: ${detail}`);
  const rest = violations.length > first.length ? `; and ${violations.length - first.length} more` : '';
  throw new StateError('LEDGER_ALARM', `the trail is not intact: ${first.join('; ')}${rest}`);
}

/** Holds what a transaction changed until it is committed. It knows no roles and reads nothing. */
import type { ClientSession } from 'mongoose';
import { overlook } from './gate.js';
import { isInTransaction } from './role-changes-reads.js';

/** What happens to what was held. */
export interface CommitOutcomes<Entry> {
  /**
   * The transaction is about to be committed: what of all that it did is kept. Undefined keeps all of it, and the commit does not wait.
   * MUST NOT reject.
   */
  readonly sift: (entries: readonly Entry[], session: ClientSession) => Promise<Entry[]> | undefined;
  /** The transaction was committed: all that it did, in order. Called once; without a transaction at once. */
  readonly committed: (entries: readonly Entry[]) => void;
  /** The session ended, and whether the transaction was committed could not be learnt. */
  readonly unknown: (entries: readonly Entry[]) => void;
}

/** The driver makes a new one of these for each transaction, also when `withTransaction` runs its callback again. */
export type Transaction = object;

/** The transactions that touch one collection. */
export class Commits<Entry> {
  readonly #outcomes: CommitOutcomes<Entry>;
  /** What an aborted or repeated transaction held is never asked for again, and goes with it. */
  readonly #held = new WeakMap<Transaction, Entry[]>();
  readonly #watched = new WeakSet<ClientSession>();

  constructor(outcomes: CommitOutcomes<Entry>) {
    this.#outcomes = outcomes;
  }

  /** Holds an entry until the session's transaction is committed. */
  hold(session: ClientSession | undefined, entry: Entry): void {
    if (!isInTransaction(session)) {
      this.#outcomes.committed([entry]);
      return;
    }
    const transaction = transactionOf(session);
    this.#held.set(transaction, [...(this.#held.get(transaction) ?? []), entry]);
    this.#watch(session);
  }

  #watch(session: ClientSession): void {
    if (this.#watched.has(session)) return;
    this.#watched.add(session);
    let unsure: Transaction | undefined;
    // `withTransaction`, `connection.transaction` and a commit by hand all come through here.
    overlook(session, 'commitTransaction', (call, args) => {
      const transaction = transactionOf(session);
      const commit = (): Promise<unknown> => call(...args) as Promise<unknown>;
      const sifted = this.#sift(session);
      return (sifted === undefined ? commit() : sifted.then(commit)).then(
        (answer) => {
          unsure = undefined;
          this.#release(transaction, this.#outcomes.committed);
          return answer;
        },
        (error: unknown) => {
          unsure = isUnknown(error) ? transaction : undefined;
          throw error;
        },
      );
    });
    session.once('ended', () => {
      if (unsure !== undefined) this.#release(unsure, this.#outcomes.unknown);
    });
  }

  #sift(session: ClientSession): Promise<void> | undefined {
    // The driver lets nothing be read in a transaction whose commit was attempted.
    if (!isInTransaction(session)) return undefined;
    const transaction = transactionOf(session);
    const entries = this.#held.get(transaction);
    if (entries === undefined) return undefined;
    return this.#outcomes.sift(entries, session)?.then((kept) => void this.#held.set(transaction, kept));
  }

  #release(transaction: Transaction, tell: (entries: readonly Entry[]) => void): void {
    const entries = this.#held.get(transaction);
    this.#held.delete(transaction);
    if (entries !== undefined) tell(entries);
  }
}

/** The transaction that a session is in, or was in last. */
export function transactionOf(session: ClientSession): Transaction {
  return (session as unknown as { readonly transaction: Transaction }).transaction;
}

/** The commit may have happened: its answer was lost. */
function isUnknown(error: unknown): boolean {
  const { hasErrorLabel } = error as { hasErrorLabel?: unknown };
  return typeof hasErrorLabel === 'function' && hasErrorLabel.call(error, 'UnknownTransactionCommitResult') === true;
}

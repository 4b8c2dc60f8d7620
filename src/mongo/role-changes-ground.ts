/** What every watched write shares: run it, look again at what was there before, tell what moved. It does not choose what to look at. */
import type { ClientSession, Collection } from 'mongoose';
import type { Standpoint, WitnessStand } from '../audit/witness.js';
import { isRecord } from '../settings.js';
import type { Call } from './gate.js';
import { Commits } from './role-changes-commits.js';
import { Lives } from './role-changes-lives.js';
import { BATCH, isInTransaction, optionsOf, RoleReader } from './role-changes-reads.js';
import { draftsOf, netMoves, RoleMoves, type RoleWatch, type RolesBefore } from './role-changes-sets.js';
import { Turns } from './role-changes-turns.js';

/** A write as mongoose hands it to the driver. */
export interface Write {
  /** Its name in the driver. */
  readonly method: string;
  /** Runs it, with these arguments or with others. */
  readonly call: Call;
  readonly args: readonly unknown[];
  readonly session: ClientSession | undefined;
  /** Where the app's code stood when it wrote. */
  readonly standpoint: Standpoint;
}

/** A call as it was looked on at. */
export interface Taken extends Pick<Write, 'method' | 'call' | 'args'> {
  readonly standpoint?: Standpoint | undefined;
}

/** What one write of a transaction, or a write without one, changed. */
interface Deed {
  readonly standpoint: Standpoint;
  readonly moves: RoleMoves;
}

/** Reason of a loss: the roles before or after a write could not be read, so what it changed is not known. */
const UNREAD = 'roles_unread';
/** Reason of a loss: whether the transaction was committed could not be learnt. */
const UNCOMMITTED = 'commit_unknown';

/** One watched collection. */
export class Ground {
  readonly reader: RoleReader;
  readonly turns: Turns = new Turns();
  readonly lives: Lives;
  readonly watch: RoleWatch;
  readonly #native: Collection;
  readonly #witness: WitnessStand;
  readonly #commits: Commits<Deed>;

  constructor(native: Collection, watch: RoleWatch, witness: WitnessStand) {
    this.#native = native;
    this.reader = new RoleReader(native, watch.paths);
    this.lives = new Lives(this.reader);
    this.watch = watch;
    this.#witness = witness;
    this.#commits = new Commits<Deed>({
      sift: (deeds, session) => this.#sift(deeds, session),
      committed: (deeds) => this.#tell(deeds),
      unknown: (deeds) => {
        for (const { moves } of deeds) witness.lose(UNCOMMITTED, moves.size);
      },
    });
  }

  /** Where the code stands that runs now. */
  stand(): Standpoint {
    return this.#witness.stand();
  }

  /** The call of a method with what surrounds it now, or surrounded it when it was made. */
  take({ method, call, args, standpoint = this.stand() }: Taken): Write {
    return { method, call, args, session: optionsOf(method, args).session, standpoint };
  }

  /** Whether the server answers this write: with `w: 0`, in its options or in those of the collection or the connection, it does not. */
  isAnswered({ method, args }: Write): boolean {
    const { collection } = this.#native as unknown as { collection?: { writeConcern?: unknown } | null };
    const concern = optionsOf(method, args)['writeConcern'] ?? collection?.writeConcern;
    return !isRecord(concern) || concern['w'] !== 0;
  }

  /** Runs a write of which nothing was there before, or nothing could be read: what it changes all the same is counted as lost. */
  async runUnseen(write: Write): Promise<unknown> {
    const result = await write.call(...write.args);
    if (hasModified(result)) this.lose();
    return result;
  }

  /** Runs a write and tells what it changed of what was there before. */
  async run(write: Write, before: RolesBefore): Promise<unknown> {
    let result: unknown;
    try {
      result = await write.call(...write.args);
    } catch (error) {
      await this.lookAfterFailure(write, before, error);
      throw error;
    }
    if (hasModified(result)) await this.look(write, before);
    return result;
  }

  /** Looks again at what was there before, and tells what moved. Never rejects. */
  async look(write: Write, before: RolesBefore): Promise<void> {
    try {
      const moves = new RoleMoves();
      for (const { roles, ids } of before.batches(BATCH)) {
        for (const seen of await this.reader.byIds(ids, write.session)) {
          moves.add({ id: seen.id, before: roles, after: seen.roles });
        }
      }
      this.tell(write, moves);
    } catch {
      this.lose();
    }
  }

  /** Tells what a write moved, now or when its transaction is committed. */
  tell({ session, standpoint }: Write, moves: RoleMoves): void {
    if (!moves.isEmpty) this.#commits.hold(session, { standpoint, moves });
  }

  /** Counts a change that was not seen. */
  lose(): void {
    this.#witness.lose(UNREAD);
  }

  /** A write that fails half-way has changed something; one that fails in a transaction has ended it, and changed nothing. */
  async lookAfterFailure(write: Write, before: RolesBefore, error: unknown): Promise<void> {
    if (isInTransaction(write.session)) return;
    const look = this.look(write, before);
    // Without an answer of the server the next one may take long, and the app shall have its error now.
    if (typeof (error as { code?: unknown } | null)?.code === 'number') await look;
    else this.#witness.follow(look);
  }

  #sift(deeds: readonly Deed[], session: ClientSession): Promise<Deed[]> | undefined {
    const strangers = this.lives.strangers(session, () => idsOf(deeds));
    return strangers?.then((keys) => {
      const kept = deeds.map(({ standpoint, moves }) => ({ standpoint, moves: moves.without(keys) }));
      return kept.filter(({ moves }) => !moves.isEmpty);
    });
  }

  #tell(deeds: readonly Deed[]): void {
    for (const run of runsOf(deeds)) {
      const [first] = run;
      const moves = netMoves(run.map((deed) => deed.moves));
      if (first !== undefined) this.#witness.tell(first.standpoint, draftsOf(moves, this.watch));
    }
  }
}

function* idsOf(deeds: readonly Deed[]): Generator<unknown, void, undefined> {
  for (const { moves } of deeds) for (const { id } of moves) yield id;
}

/** Neighbours in the same name: what they did together is one change of each user. */
function runsOf(deeds: readonly Deed[]): Deed[][] {
  const runs: Deed[][] = [];
  for (const deed of deeds) {
    const last = runs.at(-1);
    if (last?.[0] !== undefined && isSameName(last[0].standpoint, deed.standpoint)) last.push(deed);
    else runs.push([deed]);
  }
  return runs;
}

function isSameName(one: Standpoint, other: Standpoint): boolean {
  return one.request === other.request && JSON.stringify(one.who) === JSON.stringify(other.who);
}

/** Whether the result leaves room for a document that was changed; a write that is not acknowledged always does. */
function hasModified(result: unknown): boolean {
  if (!isRecord(result)) return false;
  const { acknowledged, modifiedCount } = result;
  return acknowledged === false || (typeof modifiedCount === 'number' && modifiedCount > 0);
}

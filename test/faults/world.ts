/** A trail, the processes that write it, and the account: what they were given and what became durable against what is stored. It knows no fault. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { VerifyReport } from '../../src/evidence/report.js';
import { SealingWorld, until } from '../audit/sealing-world.js';
import type { Strongroom } from '../../src/index.js';
import type { WorkerOrder, WorkerSetup } from './worker.js';

const SCRIPT = fileURLToPath(new URL('worker.ts', import.meta.url));
/** What an honest trail may be warned of. */
const HONEST = ['recovered-segment', 'unsealed-tail', 'stream-open', 'stream-not-closed'];
const DEAD_AFTER_MS = 1500;
/** One look takes 20 ms and more. */
const QUIET_LOOKS = 100;

/** Where the trail is: as the processes reach it, and as the test does, when something stands between. */
export interface Place {
  readonly uri: string;
  readonly appUri?: string;
  /** Whether the processes share a spool; its directory, when it is not one on the disk of all. */
  readonly spool: boolean | string;
}

/** How much a process records. */
export type Load = Partial<Pick<WorkerSetup, 'burst' | 'everyMs'>>;

/** One process, and what it told so far. */
export class Worker {
  readonly name: string;
  /** Events that were given to `record()`. */
  accepted = 0;
  /** Numbers of the events whose `record()` resolved. */
  readonly durable: Set<number> = new Set();
  /** Why attempts failed, each text once. */
  readonly failures: Set<string> = new Set();
  /** Events lost, as it said when it closed; undefined while it did not. */
  lost: number | undefined;
  readonly #told: string;
  readonly #child: ChildProcess;
  #read = 0;

  constructor(setup: WorkerSetup, complain: (text: string) => void) {
    this.name = setup.name;
    this.#told = setup.told;
    const env = { ...process.env, FAULTS_WORKER: JSON.stringify(setup) };
    const stdio = ['ignore', 'ignore', 'pipe', 'ipc'] as const;
    this.#child = fork(SCRIPT, { env, execArgv: ['--import', 'tsx'], stdio: [...stdio] });
    this.#child.stderr?.setEncoding('utf8').on('data', complain);
    this.#child.once('exit', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') complain(`the process ended with ${code ?? signal}`);
    });
    // It may be gone before it is asked to go.
    this.#child.on('error', () => undefined);
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Reads what it told since the last look. */
  async look(): Promise<this> {
    const text = await readFile(this.#told, 'utf8').catch(() => '');
    const end = text.lastIndexOf('\n') + 1;
    for (const line of text.slice(this.#read, end).split('\n')) this.#take(line);
    this.#read = end;
    return this;
  }

  #take(line: string): void {
    const [word, ...numbers] = line.split(' ');
    if (word === 'accepted') this.accepted = Number(numbers[0]);
    else if (word === 'durable') for (const n of numbers) this.durable.add(Number(n));
    else if (word === 'failed') this.failures.add(numbers.join(' '));
    else if (word === 'closed') this.lost = Number(numbers[0]);
  }

  /** Waits until so many more events are durable. */
  async progress(more: number, limitMs: number = 30_000): Promise<void> {
    const from = (await this.look()).durable.size;
    await until(async () => (await this.look()).durable.size >= from + more, limitMs);
  }

  /** Waits until it was given so many more events, durable or not. */
  async intake(more: number): Promise<void> {
    const from = (await this.look()).accepted;
    await until(async () => (await this.look()).accepted >= from + more, 30_000);
  }

  /** Sends an order. */
  order(order: WorkerOrder): void {
    if (this.#child.connected) this.#child.send(order);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  /** Lets it drain and end. */
  async close(): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.order('close');
    await exit;
    await this.look();
  }
}

/** What is counted when all is over. */
export interface Account {
  readonly accepted: number;
  readonly durable: number;
  readonly stored: number;
  /** Owed and not there; an `audit.gap` counts each. */
  readonly missing: number;
  readonly report: VerifyReport;
}

/** An event of a process, or an `audit.gap` that stands for lost ones. */
interface Stored {
  readonly _id: string;
  readonly meta: { readonly worker?: string; readonly n?: number; readonly lost?: number; readonly reason?: string };
}

/** What a scenario allows that others do not. */
export interface Allowance {
  /** Kinds of warnings. */
  readonly warnings?: readonly string[];
  /** Why events may be lost, if each is counted. */
  readonly lossReason?: string;
  /** Whether the last events of a process may be gone without a count: where a file ends too early, nothing says how long it was. */
  readonly tornTail?: boolean;
}

/** One trail with its processes. */
export class FaultWorld {
  readonly workers: Worker[] = [];
  /** What the processes wrote on stderr. */
  readonly complaints: string[] = [];
  readonly sealing: SealingWorld;
  readonly #place: Place;
  readonly #folder: string;

  private constructor(sealing: SealingWorld, place: Place, folder: string) {
    this.sealing = sealing;
    this.#place = place;
    this.#folder = folder;
  }

  static async open(place: Place, folder: string): Promise<FaultWorld> {
    return new FaultWorld(await SealingWorld.open(place.uri), place, folder);
  }

  /** The spool that all of them share; null: none. */
  get spool(): string | null {
    const { spool } = this.#place;
    if (typeof spool === 'string') return spool;
    return spool ? join(this.#folder, 'spool') : null;
  }

  /** Starts a process. It records as soon as it runs. */
  start({ burst = 10, everyMs = 10 }: Load = {}): Worker {
    const name = `w${this.workers.length}`;
    const worker = new Worker(
      {
        name,
        burst,
        everyMs,
        uri: this.#place.appUri ?? this.#place.uri,
        signingKey: this.sealing.key.signingKey,
        told: join(this.#folder, name),
        spool: this.spool,
        deadAfterMs: DEAD_AFTER_MS,
      },
      (text) => {
        // What a process leaves that ends while it takes over what a dead one left, is for the next one.
        if (!text.includes('STRONGROOM_SPOOL_LEFT')) this.complaints.push(`${name}: ${text}`);
      },
    );
    this.workers.push(worker);
    return worker;
  }

  /** Waits until MongoDB took more events. */
  async writes(): Promise<void> {
    const count = (): Promise<number> => this.sealing.trail.estimatedDocumentCount().catch(() => 0);
    const from = await count();
    await until(async () => (await count()) > from, 30_000);
  }

  /** Lets every process that lives drain and end. */
  async end(): Promise<void> {
    await Promise.all(this.workers.filter(({ isAlive }) => isAlive).map((worker) => worker.close()));
    await Promise.all(this.workers.map((worker) => worker.look()));
  }

  /** Ends what is left. */
  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
    await this.sealing.close();
  }

  /**
   * Ends the processes, lets a last one take over what the dead left, and holds what was promised against what is stored: what was durable is there once,
   * everything that a process which could end was given is there once, nothing is there twice, the order of each stream is that of the
   * calls, its numbers have no hole, and the evidence verifies.
   */
  async settle({ warnings = [], lossReason, tornTail = false }: Allowance = {}): Promise<Account> {
    await this.end();
    const report = await this.#recover();
    const all = await this.#read();
    const stored = all.filter(({ meta }) => meta.worker !== undefined);
    const lost = all
      .filter(({ meta }) => meta.reason === lossReason)
      .reduce((sum, { meta }) => sum + (meta.lost ?? 0), 0);
    const twice = countTwice(stored);
    const there = new Set(stored.map(({ meta }) => `${meta.worker}/${meta.n}`));
    const missing = this.#owed().filter((event) => !there.has(event));
    const last = lastOf(stored);
    const uncounted = tornTail ? missing.filter((event) => isBefore(event, last)) : missing;
    const unexplained = uncounted.length > lost ? uncounted.slice(0, 5) : [];
    expect({ unexplained, twice: twice.slice(0, 5) }).to.deep.equal({ unexplained: [], twice: [] });
    expect(findDisorder(all)).to.deep.equal([]);
    expect(report.violations).to.deep.equal([]);
    expect([...HONEST, ...warnings]).to.include.members([...new Set(report.warnings.map(({ kind }) => kind))]);
    return this.#tell(stored, { report, missing: missing.length });
  }

  /** What must be there: all that a process was given which could end, else what it heard to be durable. */
  #owed(): string[] {
    return this.workers.flatMap(({ name, lost, accepted, durable }) => {
      const numbers = lost === undefined ? [...durable] : Array.from({ length: accepted }, (_, n) => n);
      return numbers.map((n) => `${name}/${n}`);
    });
  }

  /** A last process, as in any deployment, seals what the dead left behind. */
  async #recover(): Promise<VerifyReport> {
    const trail = this.spool === null ? {} : { spool: { directory: this.spool } };
    const evidence = { sealEvery: '50ms', deadAfter: DEAD_AFTER_MS } as const;
    const room = this.sealing.room(evidence, { trail });
    await room.audit.record({ action: 'user.update' });
    await this.#takeOver(room);
    await until(async () => {
      const { warnings } = await this.sealing.verify();
      return !warnings.some(({ kind }) => kind === 'unsealed-tail');
    }, 60_000);
    await room.close();
    return this.sealing.verify({ deadAfterMs: DEAD_AFTER_MS });
  }

  /** Until all that is owed is there, or nothing waits any more and nothing comes. */
  async #takeOver(room: Strongroom): Promise<void> {
    const owed = this.#owed().length;
    let last = -1;
    let quiet = 0;
    await until(async () => {
      const stored = await this.sealing.trail.countDocuments({ 'meta.worker': { $exists: true } });
      quiet = stored === last && room.audit.stats().spooled === 0 ? quiet + 1 : 0;
      last = stored;
      return stored >= owed || quiet >= QUIET_LOOKS;
    }, 60_000);
  }

  async #read(): Promise<Stored[]> {
    const filter = { $or: [{ 'meta.worker': { $exists: true } }, { action: 'audit.gap' }] };
    const found = this.sealing.trail.find(filter, { projection: { _id: 1, meta: 1 }, sort: { _id: 1 } });
    return (await found.toArray()) as unknown as Stored[];
  }

  #tell(stored: readonly Stored[], { report, missing }: Pick<Account, 'report' | 'missing'>): Account {
    const accepted = this.workers.reduce((sum, worker) => sum + worker.accepted, 0);
    const durable = this.workers.reduce((sum, worker) => sum + worker.durable.size, 0);
    const counts = `${accepted} events accepted, ${durable} acknowledged, ${stored.length} stored, ${missing} lost`;
    console.log(`      ${counts}; ${report.entries} ledger entries, no violation`);
    return { accepted, durable, stored: stored.length, missing, report };
  }
}

/** The last event of each process that is there. */
function lastOf(stored: readonly Stored[]): Map<string, number> {
  return new Map(stored.map(({ meta: { worker = '', n = -1 } }) => [worker, n]));
}

function isBefore(event: string, last: ReadonlyMap<string, number>): boolean {
  const [worker = '', n] = event.split('/');
  return Number(n) < (last.get(worker) ?? -1);
}

function countTwice(stored: readonly Stored[]): string[] {
  const seen = new Set<string>();
  return stored.map(({ meta }) => `${meta.worker}/${meta.n}`).filter((event) => seen.size === seen.add(event).size);
}

/** Where a stream, in the order of its numbers, has a hole, another order than its process had, or events of two processes. */
function findDisorder(stored: readonly Stored[]): string[] {
  const last = new Map<string, { sequence: number; worker: string | undefined; n: number }>();
  return stored.flatMap(({ _id, meta: { worker, n = -1 } }) => {
    const [stream = '', digits] = _id.split('.');
    const before = last.get(stream) ?? { sequence: -1, worker, n: -1 };
    const sequence = Number(digits);
    // A gap has a number, and no place in the order of its process.
    last.set(stream, worker === undefined ? { ...before, sequence } : { sequence, worker, n });
    const isInOrder = worker === undefined || before.worker === undefined || (worker === before.worker && n > before.n);
    if (sequence === before.sequence + 1 && isInOrder) return [];
    return [`${_id} is ${worker}/${n} after ${before.worker}/${before.n} at ${before.sequence}`];
  });
}

/** A random while: what is killed shall be hit anywhere. */
export function anyWhile(maxMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * maxMs));
}

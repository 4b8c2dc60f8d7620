/** How a scenario of the fault suite runs: its budget, that of the whole suite, and what it opens and must close. It knows no fault. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KillableMongod } from '../killable-mongod.js';
import { Proxy } from './proxy.js';
import { type Place, FaultWorld } from './world.js';

/** With STRONGROOM_FAULTS_LONG=1 the scenarios of load take the time that a person has, and no budget binds the suite. */
export const isLong: boolean = process.env['STRONGROOM_FAULTS_LONG'] === '1';

/** With a spool or without. */
export interface Mode {
  readonly spool: boolean;
  readonly called: string;
}

const WITHOUT: Mode = { spool: false, called: 'without a spool' };
const WITH: Mode = { spool: true, called: 'with a spool' };

/** What must not depend on the spool at all runs in both modes. */
export const BOTH_MODES: readonly Mode[] = [WITHOUT, WITH];

/** The rest runs with a spool, where more is promised; a long run has the time for both. */
export const MODES: readonly Mode[] = isLong ? BOTH_MODES : [WITH];

/** What has not begun by then does not begin; the rest of ten minutes is for what has. */
const LAST_START_MS = isLong ? Infinity : 530_000;

/** What a scenario opens; all of it is closed when the scenario is over, whether it was done or not. */
export class Scene {
  readonly #closers: (() => unknown)[] = [];

  /** Closes something at the end; the last first. */
  finally(close: () => unknown): void {
    this.#closers.push(close);
  }

  /** A running server of its own. */
  async mongod(): Promise<KillableMongod> {
    const server = await KillableMongod.create();
    this.finally(() => server.dispose());
    await server.start();
    return server;
  }

  /** A proxy in front of a server, given by its URI. */
  async proxy(uri: string): Promise<Proxy> {
    const proxy = await Proxy.open(Number(new URL(uri).port));
    this.finally(() => proxy.close());
    return proxy;
  }

  /** A folder that is removed. */
  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'strongroom-faults-'));
    this.finally(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  /** A trail, the processes that write it, and the account of what they said. */
  async world(place: Place): Promise<FaultWorld> {
    const world = await FaultWorld.open(place, await this.folder());
    this.finally(() => world.close());
    return world;
  }

  /** Closes everything, also what hangs behind something that failed to close. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      await Promise.resolve(close()).catch((error: unknown) => console.error('      closing:', String(error)));
    }
  }
}

let current: Scene | undefined;

// A scenario that exceeds its budget goes on in the background: what it opened is closed under it.
afterEach(async function closeScene() {
  this.timeout(30_000);
  await current?.close();
  current = undefined;
});

/** One scenario, with the seconds that it may take. One that cannot begin in time says so; in CI that is a failure. */
export function scenario(title: string, seconds: number, run: (scene: Scene) => Promise<void>): void {
  it(title, async function runScenario() {
    this.timeout(seconds * 1000);
    if (performance.now() > LAST_START_MS) {
      console.log(`      NOT RUN, the time of the suite is over: ${title}`);
      this.skip();
    }
    current = new Scene();
    await run(current);
  });
}

/** A scenario that this machine cannot run: a visible line, and in CI a failure. */
export function cannotRun(title: string, reason: string): void {
  it(title, function skipScenario() {
    console.log(`      NOT RUN, ${reason}: ${title}`);
    this.skip();
  });
}

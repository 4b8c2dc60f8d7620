/** Random interleavings of reads and writes over one secret: an old value never comes back. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { SecretManager } from '../../src/secrets/manager.js';
import { isolateEnvironment, open, settle } from './fakes.js';

type Step = 'get' | 'refresh' | 'has' | 'set' | 'rotate' | 'wait' | 'tick';

/** A store whose values are version numbers that only grow; each call's answer is fixed when it starts and comes when the scheduler says so. */
class Store {
  readonly name = 'store';
  version = 1;
  readonly #scheduler: fc.Scheduler;

  constructor(scheduler: fc.Scheduler) {
    this.#scheduler = scheduler;
  }

  get = (): Promise<string> => this.#scheduler.schedule(Promise.resolve(String(this.version)), 'get answers');

  set = async (_name: string, value: string): Promise<void> => {
    await this.#scheduler.schedule(Promise.resolve(), 'set reaches the store');
    this.version = Math.max(this.version, Number(value));
    await this.#scheduler.schedule(Promise.resolve(), 'set answers');
  };
}

/** Every read must give at least the version that was invalidated, or whose set was done, when it started. */
async function run(steps: readonly Step[], scheduler: fc.Scheduler): Promise<void> {
  const store = new Store(scheduler);
  const { manager, clock } = open({ provider: store, ttl: 100 });
  let floor = 0;
  let next = 2;
  const reads: Promise<void>[] = [];
  const read = (options?: { refresh: boolean }): void => {
    const atLeast = floor;
    reads.push(
      manager.get('A', options).then((value) => expect(Number(value)).to.be.at.least(atLeast)) as Promise<never>,
    );
  };
  let lastSet = Promise.resolve();
  const act: Record<Step, () => unknown> = {
    get: () => read(),
    refresh: () => read({ refresh: true }),
    has: () => reads.push(manager.has('A').then(() => undefined)),
    set: () => {
      const version = next++;
      // One writer at a time, as versions would not grow otherwise.
      lastSet = lastSet
        .then(() => manager.set('A', String(version)))
        .then(() => void (floor = Math.max(floor, version)));
    },
    rotate: () => rotateAtTheSource(manager),
    wait: () => scheduler.count() > 0 && scheduler.waitNext(1),
    tick: () => (clock.ms += 60),
  };
  function rotateAtTheSource(of: SecretManager): void {
    store.version = Math.max(store.version, next++);
    of.invalidate(next % 2 === 0 ? 'A' : undefined);
    floor = Math.max(floor, store.version);
  }
  for (const step of steps) {
    await act[step]();
    await settle();
  }
  const everything = Promise.all([...reads, lastSet]);
  await scheduler.waitFor(everything);
  await everything;
  floor = store.version;
  read();
  await scheduler.waitFor(Promise.all(reads));
}

describe('any interleaving of get, refresh, has, set and invalidate', () => {
  isolateEnvironment();

  it('never brings an old value back', async () => {
    const step = fc.constantFrom<Step>('get', 'get', 'refresh', 'has', 'set', 'rotate', 'wait', 'wait', 'tick');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.scheduler(), (steps, scheduler) => run(steps, scheduler)),
      { numRuns: 150 },
    );
  });
});

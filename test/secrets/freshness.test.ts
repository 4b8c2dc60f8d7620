/** How long a value is fresh, by a clock that the test holds. */
import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_ENTRIES } from '../../src/secrets/cache.js';
import { isolateEnvironment, open, Vault } from './fakes.js';

describe('freshness', () => {
  isolateEnvironment();

  it('lasts while now < fetched + ttl, to the instant', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 40 }),
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        fc.integer({ min: 0, max: 2 ** 32 }),
        async (start, ttl, laterMs) => {
          const vault = new Vault({ A: 'x' });
          const { manager, clock } = open({ provider: vault, ttl });
          clock.ms = start;
          await manager.get('A');
          for (const elapsed of [laterMs, ttl - 1]) {
            clock.ms = start + Math.min(elapsed, ttl - 1);
            await manager.get('A');
          }
          expect(vault.asked).to.have.length(1);
          clock.ms = start + ttl + (laterMs % 3);
          await manager.get('A');
          expect(vault.asked).to.have.length(2);
        },
      ),
    );
  });

  it('is not ended by the wall clock, however small the ttl', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: vault, ttl: '1ms' });
    await manager.get('A');
    const start = Date.now();
    while (Date.now() < start + 5);
    await manager.get('A');
    expect(vault.asked).to.have.length(1);
  });

  it('is 5 minutes by default', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager, clock } = open({ provider: vault });
    await manager.get('A');
    clock.ms += 299_999;
    await manager.get('A');
    expect(vault.asked).to.have.length(1);
    clock.ms += 1;
    await manager.get('A');
    expect(vault.asked).to.have.length(2);
  });

  it('never is with ttl 0, and nothing is kept', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager, clock } = open({ provider: vault, ttl: 0 });
    expect([await manager.get('A'), await manager.get('A')]).to.deep.equal(['x', 'x']);
    clock.ms -= 5;
    await manager.get('A');
    expect(vault.asked).to.have.length(3);
    expect(manager.stats()).to.include({ hits: 0, misses: 3, entries: 0 });
  });

  it('goes by the ttl of each secret', async () => {
    const vault = new Vault({ A: 'a', B: 'b', C: 'c' });
    const { manager, clock } = open({ provider: vault, ttl: '10s', ttls: { A: '1s', B: 0 } });
    const readAll = (): Promise<unknown> => manager.getMany(['A', 'B', 'C']);
    await readAll();
    clock.ms += 999;
    await readAll();
    clock.ms += 1;
    await readAll();
    clock.ms += 9000;
    await readAll();
    const times = (name: string): number => vault.asked.filter((asked) => asked === name).length;
    expect([times('A'), times('B'), times('C')]).to.deep.equal([3, 4, 2]);
  });

  it('starts anew with each fetch, and refresh fetches before its end', async () => {
    const vault = new Vault({ A: 'old' });
    const { manager, clock } = open({ provider: vault, ttl: 100 });
    await manager.get('A');
    vault.values.set('A', 'new');
    clock.ms += 50;
    expect(await manager.get('A')).to.equal('old');
    expect(await manager.get('A', { refresh: true })).to.equal('new');
    clock.ms += 99;
    expect(await manager.get('A')).to.equal('new');
    expect(vault.asked).to.have.length(2);
  });

  it('has no negative side: a secret is found as soon as it exists', async () => {
    const vault = new Vault();
    const { manager } = open({ provider: vault });
    expect(await manager.has('A')).to.equal(false);
    vault.values.set('A', '');
    expect(await manager.has('A')).to.equal(true);
    expect(await manager.get('A')).to.equal('');
    expect(vault.asked).to.have.length(2);
  });

  it('keeps names like __proto__ apart', async () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', '$', '$A', 'A', ' '];
    const vault = new Vault(Object.fromEntries(names.map((name) => [name, `value of ${name}`])));
    const { manager } = open({ provider: vault });
    for (const name of names) expect(manager.invalidate(name)).to.equal(0);
    for (let round = 0; round < 2; round += 1)
      for (const name of names) expect(await manager.get(name)).to.equal(`value of ${name}`);
    expect(vault.asked).to.have.length(names.length);
    const all = await manager.getMany(names);
    expect(Object.getPrototypeOf(all)).to.equal(null);
    expect(Object.entries(all)).to.deep.equal(names.map((name) => [name, `value of ${name}`]));
    expect(manager.invalidate('__proto__')).to.equal(1);
    expect(manager.stats().entries).to.equal(names.length - 1);
  });

  it('is never reached with a broken clock, and nothing fails', async () => {
    const vault = new Vault({ A: 'x' });
    for (const now of [() => Number.NaN, () => 'soon' as unknown as number, () => JSON.parse('{') as number]) {
      const { manager } = open({ provider: vault, now });
      expect(await manager.get('A')).to.equal('x');
      expect(await manager.get('A')).to.equal('x');
      expect(manager.stats().hits).to.equal(0);
    }
  });

  it('bounds what is kept', async () => {
    const { manager } = open({ provider: { name: 'any', get: async (name) => `value of ${name}` } });
    await manager.get('first');
    await manager.getMany(Array.from({ length: MAX_ENTRIES }, (_, index) => `S${index}`));
    expect(manager.stats().entries).to.equal(MAX_ENTRIES);
    await manager.get('S0');
    expect(manager.stats().hits).to.equal(0 + 1);
    await manager.get('first');
    expect(manager.stats().misses).to.equal(MAX_ENTRIES + 2);
  });
});

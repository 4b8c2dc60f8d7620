/** Single flight, aborts, and writes during a fetch. */
import { expect } from 'chai';
import { isolateEnvironment, open, rejection, settle, Vault } from './fakes.js';

function holding(values: Record<string, string> = {}): Vault {
  const vault = new Vault(values);
  vault.holding = true;
  return vault;
}

describe('single flight', () => {
  isolateEnvironment();

  it('makes one provider call for any number of concurrent reads of every kind, when cold', async () => {
    const vault = holding();
    const { manager } = open({ provider: vault });
    const reads = Promise.all([
      ...Array.from({ length: 996 }, () => manager.get('A')),
      manager.getMany(['A', 'A']),
      manager.has('A'),
      manager.sealed('A'),
      manager.get('A', { refresh: true }),
    ]);
    vault.held[0]?.answer('x');
    expect((await reads).slice(0, 996).every((value) => value === 'x')).to.equal(true);
    expect(vault.asked).to.deep.equal(['A']);
    expect(manager.stats()).to.deep.equal({
      hits: 0,
      misses: 1,
      staleHits: 0,
      coalesced: 999,
      providerCalls: 1,
      providerErrors: 0,
      entries: 1,
    });
  });

  it('makes one at expiry, one with refresh, and one with ttl 0', async () => {
    for (const [ttl, options] of [
      [10, undefined],
      [1000, { refresh: true }],
      [0, undefined],
    ] as const) {
      const vault = new Vault({ A: 'x' });
      const { manager, clock } = open({ provider: vault, ttl });
      await manager.get('A');
      clock.ms += 10;
      await Promise.all(Array.from({ length: 50 }, () => manager.get('A', options)));
      expect(vault.asked).to.have.length(2);
    }
  });

  it('shares a failure, and the next read tries again', async () => {
    const vault = new Vault({ A: 'x' });
    vault.down = new Error('down');
    const { manager } = open({ provider: vault });
    const errors = await Promise.all(Array.from({ length: 10 }, () => rejection(manager.get('A'))));
    expect(vault.asked).to.have.length(1);
    expect(new Set(errors).size, 'each caller has an error of its own').to.equal(10);
    vault.down = undefined;
    expect(await manager.get('A')).to.equal('x');
  });

  it('keeps names apart', async () => {
    const vault = holding();
    const { manager } = open({ provider: vault });
    const both = Promise.all([manager.get('A'), manager.get('B')]);
    vault.held[1]?.answer('b');
    vault.held[0]?.answer('a');
    expect(await both).to.deep.equal(['a', 'b']);
  });

  it('leaves a fresh value readable while a refresh is under way', async () => {
    const vault = new Vault({ A: 'old' });
    const { manager } = open({ provider: vault });
    await manager.get('A');
    vault.holding = true;
    const refreshed = manager.get('A', { refresh: true });
    expect(await manager.get('A')).to.equal('old');
    vault.held[0]?.answer('new');
    expect(await refreshed).to.equal('new');
  });

  it('survives a provider that reads the same name through the manager', async () => {
    const opened = open({
      provider: { name: 'loop', get: async (name): Promise<string> => opened.manager.get(name) },
      timeout: 5,
    });
    expect((await rejection(opened.manager.get('A'))).code).to.equal('ERR_STRONGROOM_SECRET_TIMEOUT');
    expect(opened.manager.stats().providerCalls).to.equal(1);
  });
});

describe('an abort', () => {
  isolateEnvironment();

  it('rejects that caller only, with its own reason, and leaves no listener behind', async () => {
    const vault = holding();
    const { manager } = open({ provider: vault });
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: unknown[]) => (listeners++, add(...(args as Parameters<typeof add>)));
    signal.removeEventListener = (...args: unknown[]) => (listeners--, remove(...(args as Parameters<typeof remove>)));
    const reason = new Error('client gone');
    const aborted = rejection(manager.get('A', { signal }));
    const patient = manager.get('A');
    const withLivingSignal = manager.get('A', { signal: new AbortController().signal });
    controller.abort(reason);
    expect(await aborted).to.equal(reason);
    expect(vault.held[0]?.signal.aborted).to.equal(false);
    vault.held[0]?.answer('x');
    expect(await Promise.all([patient, withLivingSignal])).to.deep.equal(['x', 'x']);
    await settle();
    expect(listeners).to.equal(0);
  });

  it('that came before rejects a warm read too, and asks nobody', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: vault });
    const signal = AbortSignal.abort('too late');
    expect(await rejection(manager.get('A', { signal, default: 'd' }))).to.equal('too late');
    expect(vault.asked).to.deep.equal([]);
    await manager.get('A');
    expect(await rejection(manager.get('A', { signal }))).to.equal('too late');
  });
});

describe('during a fetch', () => {
  isolateEnvironment();

  for (const [what, act] of [
    ['invalidate(name)', (manager) => void manager.invalidate('A')],
    ['invalidate()', (manager) => void manager.invalidate()],
    ['set', (manager) => manager.set('A', 'new')],
  ] as [string, (manager: ReturnType<typeof open>['manager']) => unknown][]) {
    it(`${what} never lets the old value come back, in whatever order the provider answers`, async () => {
      for (const order of ['old first', 'new first']) {
        const vault = holding();
        const { manager } = open({ provider: vault });
        const before = manager.get('A');
        await act(manager);
        const after = manager.get('A');
        expect(vault.held).to.have.length(2);
        const answers = [() => vault.held[0]?.answer('old'), () => vault.held[1]?.answer('new')];
        for (const answer of order === 'old first' ? answers : answers.reverse()) {
          answer();
          await settle();
        }
        expect(await before).to.be.oneOf(['old', 'new']);
        expect(await after).to.equal('new');
        expect(await manager.get('A')).to.equal('new');
        expect(vault.held).to.have.length(2);
      }
    });

    it(`${what} keeps an old "not there" and an old denial from removing the new value`, async () => {
      for (const end of ['undefined', 'denied']) {
        const vault = holding();
        const { manager } = open({ provider: vault });
        const before = manager.get('A').catch(() => undefined);
        await act(manager);
        const after = manager.get('A');
        vault.held[1]?.answer('new');
        expect(await after).to.equal('new');
        if (end === 'undefined') vault.held[0]?.answer(undefined);
        else vault.held[0]?.fail({ code: 'DENIED' });
        await before;
        expect(await manager.get('A')).to.equal('new');
      }
    });
  }
});

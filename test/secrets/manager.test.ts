/** Writing, invalidating, events, ready, close, and the values that audited text must not hold. */
import { expect } from 'chai';
import { createHooks } from '../../src/hooks.js';
import { memoryProvider } from '../../src/secrets/memory.js';
import { openSecretManager, readCachedValues } from '../../src/secrets/manager.js';
import { MAX_FORMER } from '../../src/secrets/known.js';
import { isolateEnvironment, open, providerOf, rejection, settle, Vault } from './fakes.js';

const CLOSED = 'ERR_STRONGROOM_CLOSED';

describe('set', () => {
  isolateEnvironment();

  it('takes effect on the next read', async () => {
    const { manager } = open({ provider: memoryProvider({ A: 'old' }) });
    await manager.get('A');
    expect(await manager.set('A', 'new')).to.equal(undefined);
    expect(await manager.get('A')).to.equal('new');
    await manager.set('A', '');
    expect(await manager.get('A')).to.equal('');
  });

  it('leaves no old value to stand in', async () => {
    const vault = new Vault({ A: 'old' });
    const { manager } = open({ provider: vault });
    await manager.get('A');
    await manager.set('A', 'new');
    vault.down = new Error('down');
    expect((await rejection(manager.get('A'))).code).to.equal('ERR_STRONGROOM_SECRET_PROVIDER_FAILED');
  });

  it('goes to the first of a chain, and is refused when that one cannot write', async () => {
    const first = new Vault();
    const second = new Vault({ A: 'second' });
    const { manager } = open({ provider: [first, second] });
    await manager.set('A', 'x');
    expect([first.values.get('A'), second.values.get('A')]).to.deep.equal(['x', 'second']);
    const readOnly = open({ provider: [providerOf(() => undefined, 'fixed'), second] });
    const error = await rejection(readOnly.manager.set('A', 'y'));
    expect(error.code).to.equal('ERR_STRONGROOM_SECRET_READ_ONLY');
    expect(error.message).to.equal('the provider "fixed" cannot write');
    expect(second.values.get('A')).to.equal('second');
  });

  it('refuses a value that is no string', async () => {
    const { manager } = open({ provider: memoryProvider() });
    for (const value of [5, null, undefined, Buffer.from('x')])
      expect((await rejection(manager.set('A', value as unknown as string))).code).to.equal(
        'ERR_STRONGROOM_OPTIONS_INVALID',
      );
    expect(await manager.has('A')).to.equal(false);
  });

  it('that failed is told without the value, and the next read asks while the old value may stand in', async () => {
    const vault = new Vault({ A: 'old' });
    const { manager, told } = open({ provider: vault });
    await manager.get('A');
    vault.down = new TypeError('hunter2 refused');
    const error = await rejection(manager.set('A', 'hunter2'));
    expect(error).to.include({ code: 'ERR_STRONGROOM_SECRET_PROVIDER_FAILED', status: 503 });
    expect(error.message).to.equal('secret "A" could not be set (vault: TypeError)');
    expect(told.at(-1)?.[0]).to.equal('secret:failed');
    expect(manager.stats().providerErrors).to.equal(1);
    expect(await manager.get('A')).to.equal('old');
    expect(manager.stats().staleHits).to.equal(1);
  });

  it('that came through after its timeout makes the next read ask', async () => {
    let write = (): void => undefined;
    const vault = new Vault({ A: 'old' });
    vault.set = (name, value) =>
      new Promise((resolve) => {
        write = () => (vault.values.set(name, value), resolve());
      });
    const { manager } = open({ provider: vault, timeout: 5 });
    await manager.get('A');
    expect((await rejection(manager.set('A', 'new'))).code).to.equal('ERR_STRONGROOM_SECRET_TIMEOUT');
    expect(await manager.get('A')).to.equal('old');
    expect(vault.asked, 'it may have come through already').to.have.length(2);
    write();
    await settle();
    expect(await manager.get('A')).to.equal('new');
  });

  it('that was denied says so', async () => {
    const vault = new Vault();
    vault.down = { code: 'DENIED' };
    const { manager } = open({ provider: vault });
    expect((await rejection(manager.set('A', 'x'))).code).to.equal('ERR_STRONGROOM_SECRET_DENIED');
  });
});

describe('invalidate', () => {
  isolateEnvironment();

  it('drops one or all, and says how many went', async () => {
    const vault = new Vault({ A: 'a', B: 'b', C: 'c' });
    const { manager } = open({ provider: vault });
    await manager.getMany(['A', 'B', 'C']);
    expect(manager.invalidate('A')).to.equal(1);
    expect(manager.invalidate('A')).to.equal(0);
    expect(manager.invalidate('X')).to.equal(0);
    expect(manager.invalidate()).to.equal(2);
    expect(manager.stats().entries).to.equal(0);
    vault.values.set('A', 'a2');
    expect(await manager.get('A')).to.equal('a2');
  });

  it('does not count what could not be given out any more', async () => {
    const { manager, clock } = open({ provider: new Vault({ A: 'a' }), ttl: 1, staleIfError: 1 });
    await manager.get('A');
    clock.ms += 2;
    expect(manager.stats().entries).to.equal(0);
    expect(manager.invalidate()).to.equal(0);
  });
});

describe('events', () => {
  isolateEnvironment();

  it('tell fetches and rotations, by set and by the provider, once each', async () => {
    const vault = new Vault({ A: 'one' });
    const { manager, clock, told } = open({ provider: vault, ttl: 10 });
    const rotations = (): unknown[] =>
      told.filter(([event]) => event === 'secret:rotated').map(([, payload]) => payload);
    await manager.get('A');
    clock.ms += 10;
    await manager.get('A');
    expect(rotations()).to.deep.equal([]);
    vault.values.set('A', 'two');
    await manager.get('A', { refresh: true });
    expect(rotations()).to.deep.equal([{ name: 'A', source: 'provider' }]);
    await manager.set('A', 'three');
    await manager.get('A');
    expect(rotations()).to.deep.equal([
      { name: 'A', source: 'provider' },
      { name: 'A', source: 'set' },
    ]);
    vault.values.set('A', 'four');
    manager.invalidate('A');
    await manager.get('A');
    expect(rotations()).to.have.length(3);
    const [event, payload] = told[0] ?? [];
    expect(event).to.equal('secret:fetched');
    expect(payload).to.have.keys(['name', 'provider', 'ms']).and.include({ name: 'A', provider: 'vault' });
    expect((payload as { ms: number }).ms).to.be.at.least(0);
  });

  it('tell a rotation at the provider with ttl 0 too', async () => {
    const vault = new Vault({ A: 'one' });
    const { manager, told } = open({ provider: vault, ttl: 0 });
    await manager.get('A');
    vault.values.set('A', 'two');
    await manager.get('A');
    expect(told.map(([event]) => event)).to.deep.equal(['secret:fetched', 'secret:fetched', 'secret:rotated']);
  });

  it('never carry a value', async () => {
    const { manager, told } = open({ provider: memoryProvider({ A: 'hunter2hunter2' }) });
    await manager.get('A');
    await manager.set('A', 'hunter2-the-next');
    await manager.get('A');
    expect(told).to.have.length(3);
    expect(JSON.stringify(told)).not.to.contain('hunter2');
  });

  it('whose listener throws, or reads again, harm nothing', async () => {
    const manager = open({
      provider: new Vault({ A: 'x' }),
      hooks: {
        events: {
          'secret:fetched': ({ name }) => {
            void manager.get(name);
            manager.invalidate(name);
            throw new Error('listener');
          },
        },
      },
    }).manager;
    expect(await manager.get('A')).to.equal('x');
  });

  it('of a room tell set and invalidate apart', async () => {
    const calls: unknown[] = [];
    const manager = openSecretManager({
      options: { provider: memoryProvider() },
      environment: 'test',
      hooks: createHooks(),
      onSet: (name) => calls.push(['set', name]),
      onInvalidate: (name) => calls.push(['invalidate', name]),
    });
    await manager.set('A', 'x');
    manager.invalidate('B');
    manager.invalidate();
    await rejection(manager.set('A', 5 as unknown as string));
    await manager.close();
    manager.invalidate('A');
    expect(calls).to.deep.equal([
      ['set', 'A'],
      ['invalidate', 'B'],
      ['invalidate', undefined],
    ]);
  });
});

describe('ready', () => {
  isolateEnvironment();

  it('resolves when every required secret is there, the empty one too', async () => {
    const provider = new Vault({ A: '', B: 'b' });
    expect(await open({ provider, required: ['A', 'B', 'A'] }).manager.ready()).to.equal(undefined);
    expect(await open({ provider: new Vault() }).manager.ready()).to.equal(undefined);
  });

  it('names every one that is missing', async () => {
    const { manager } = open({ provider: new Vault({ B: 'b' }), required: ['A', 'B', 'C'] });
    const error = await rejection(manager.ready());
    expect(error.code).to.equal('ERR_STRONGROOM_SECRET_NOT_FOUND');
    expect(error.message).to.equal('secrets "A", "C" not found (asked: vault)');
  });
});

describe('close', () => {
  isolateEnvironment();

  it('closes each provider once, and everything afterwards rejects with CLOSED', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: [vault, providerOf(() => undefined), vault], required: ['A'] });
    await manager.get('A');
    const closing = manager.close();
    expect(manager.close()).to.equal(closing);
    await closing;
    expect(vault.closes).to.equal(1);
    const calls = [
      manager.get('A'),
      manager.get('A', { default: 'd' }),
      manager.getMany(['A']),
      manager.getMany([]),
      manager.has('A'),
      manager.sealed('A'),
      manager.set('A', 'y'),
      manager.ready(),
    ];
    for (const call of calls) expect(await rejection(call)).to.include({ code: CLOSED, status: 503 });
    expect(manager.invalidate()).to.equal(0);
    expect(manager.stats().entries).to.equal(0);
  });

  it('rejects what waits, aborts the provider, and asks no further member of a chain', async () => {
    const vault = new Vault();
    vault.holding = true;
    const next = new Vault({ A: 'x' });
    const { manager } = open({ provider: [vault, next] });
    const waiting = [rejection(manager.get('A')), rejection(manager.get('B', { default: 'd' }))];
    vault.held[1]?.answer(undefined);
    const closing = manager.close();
    for (const error of await Promise.all(waiting)) expect(error.code).to.equal(CLOSED);
    await closing;
    expect(vault.held[0]?.signal.aborted).to.equal(true);
    expect(next.asked).to.deep.equal([]);
  });

  it('makes no call to a provider afterwards, at whatever moment of a chain it comes', async () => {
    for (let moment = 0; moment < 12; moment += 1) {
      let closed = false;
      let callsAfter = 0;
      const next = providerOf(() => void (callsAfter += closed ? 1 : 0));
      const { manager } = open({ provider: [providerOf(() => undefined), next] });
      void manager.get('A');
      for (let turn = 0; turn < moment; turn += 1) await Promise.resolve();
      closed = true;
      await manager.close();
      await settle();
      expect(callsAfter, `after ${moment} turns`).to.equal(0);
    }
  });

  it('waits for writes', async () => {
    const vault = new Vault();
    let finish = (): void => undefined;
    vault.set = () => new Promise((resolve) => (finish = resolve));
    const { manager } = open({ provider: vault });
    const written = manager.set('A', 'x');
    const closing = manager.close();
    await settle();
    expect(vault.closes).to.equal(0);
    finish();
    await Promise.all([written, closing]);
    expect(vault.closes).to.equal(1);
  });

  it('tells when a provider could not close, after all were tried', async () => {
    const broken = new Vault({}, 'broken');
    broken.close = () => Promise.reject(new TypeError('hunter2'));
    const hanging = new Vault({}, 'hanging');
    hanging.close = () => new Promise(() => undefined);
    const good = new Vault();
    const error = await rejection(open({ provider: [broken, hanging, good], timeout: 5 }).manager.close());
    expect(error.code).to.equal('ERR_STRONGROOM_SECRET_PROVIDER_FAILED');
    expect(error.message).to.equal('could not close (broken: TypeError; hanging: no answer in time)');
    expect(good.closes).to.equal(1);
  });
});

describe('the values to mask', () => {
  isolateEnvironment();

  it('are the cached ones of 8 characters or more, each once', async () => {
    const { manager } = open({ provider: new Vault({ A: '12345678', B: '1234567', C: '12345678', D: '' }) });
    await manager.getMany(['A', 'B', 'C', 'D']);
    expect(readCachedValues(manager)).to.deep.equal(['12345678']);
  });

  it('are the same array while nothing changed', async () => {
    const vault = new Vault({ A: 'password-one' });
    const { manager, clock } = open({ provider: vault, ttl: 1 });
    expect(readCachedValues(manager)).to.equal(readCachedValues(manager));
    await manager.get('A');
    const list = readCachedValues(manager);
    clock.ms += 10;
    await manager.get('A');
    manager.invalidate();
    await manager.get('A');
    expect(readCachedValues(manager)).to.equal(list);
    vault.values.set('A', 'password-two');
    await manager.get('A', { refresh: true });
    expect(readCachedValues(manager)).to.have.members(['password-one', 'password-two']);
    expect(list).to.deep.equal(['password-one']);
  });

  it('hold values with ttl 0, ones being set, ones whose set failed, and ones that came too late', async () => {
    const vault = new Vault({ A: 'value-of-a' });
    const { manager } = open({ provider: vault, ttl: 0 });
    await manager.get('A');
    vault.holding = true;
    const late = manager.get('A');
    manager.invalidate();
    vault.held[0]?.answer('late-value');
    await late;
    vault.down = new Error('down');
    await rejection(manager.set('B', 'failed-value'));
    vault.down = undefined;
    await manager.set('C', 'set-value');
    expect(readCachedValues(manager)).to.have.members(['value-of-a', 'late-value', 'failed-value', 'set-value']);
  });

  it('keep the last replaced ones, bounded', async () => {
    const { manager } = open({ provider: memoryProvider() });
    for (let round = 0; round <= MAX_FORMER + 50; round += 1) await manager.set('A', `password-${round}`);
    const list = readCachedValues(manager);
    expect(list).to.have.length(MAX_FORMER + 1);
    expect(list)
      .to.include(`password-${MAX_FORMER + 50}`)
      .and.include(`password-${MAX_FORMER + 49}`);
    expect(list).not.to.include('password-0');
  });

  it('are nobody else’s', () => {
    expect(readCachedValues({} as never)).to.deep.equal([]);
  });
});

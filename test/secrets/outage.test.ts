/** What stands in while a provider is down, and what a provider that misbehaves may do to the reads: nothing. */
import { expect } from 'chai';
import fc from 'fast-check';
import { createSecretManager } from '../../src/secrets/manager.js';
import { isolateEnvironment, open, providerOf, rejection, settle, Vault } from './fakes.js';

const DOWN = new Error('connection to hunter2@vault refused');
const FAILED = 'ERR_STRONGROOM_SECRET_PROVIDER_FAILED';
const denied = (): Error => Object.assign(new Error('no right'), { code: 'DENIED' });

describe('while the provider is down', () => {
  isolateEnvironment();

  it('an expired value stands in while now < expiry + staleIfError, to the instant', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        async (ttl, staleIfError) => {
          const vault = new Vault({ A: 'x' });
          const { manager, clock } = open({ provider: vault, ttl, staleIfError });
          await manager.get('A');
          vault.down = DOWN;
          clock.ms += ttl + staleIfError - 1;
          expect(await manager.get('A')).to.equal('x');
          clock.ms += 1;
          expect((await rejection(manager.get('A'))).code).to.equal(FAILED);
        },
      ),
    );
  });

  it('it stands in for an hour by default', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager, clock } = open({ provider: vault, ttl: 1 });
    await manager.get('A');
    vault.down = DOWN;
    clock.ms += 3_600_000;
    expect(await manager.get('A')).to.equal('x');
    clock.ms += 1;
    await rejection(manager.get('A'));
  });

  it('it is a stale hit and no hit, does not renew the ttl, and gives way as soon as the provider answers', async () => {
    const vault = new Vault({ A: 'old' });
    const { manager, clock } = open({ provider: vault, ttl: 100, staleIfError: 10_000 });
    await manager.get('A');
    vault.down = DOWN;
    clock.ms += 100;
    expect(await manager.get('A')).to.equal('old');
    expect(manager.stats()).to.include({ hits: 0, staleHits: 1, providerErrors: 1, entries: 1 });
    vault.down = undefined;
    vault.values.set('A', 'new');
    clock.ms += 1000;
    expect(await manager.get('A')).to.equal('new');
  });

  it('the provider is asked again at most once a second per secret, but always with refresh', async () => {
    const vault = new Vault({ A: 'x', B: 'y' });
    const { manager, clock } = open({ provider: vault, ttl: 1 });
    await manager.getMany(['A', 'B']);
    vault.down = DOWN;
    vault.asked.length = 0;
    clock.ms += 10;
    for (const step of [0, 1, 998]) {
      clock.ms += step;
      expect(await manager.get('A')).to.equal('x');
      expect(await manager.has('A')).to.equal(true);
    }
    expect(vault.asked).to.deep.equal(['A']);
    expect(await manager.get('B')).to.equal('y');
    expect(await manager.get('A', { refresh: true })).to.equal('x');
    expect(vault.asked).to.deep.equal(['A', 'B', 'A']);
    clock.ms += 1000;
    await manager.get('A');
    expect(vault.asked).to.deep.equal(['A', 'B', 'A', 'A']);
  });

  it('refresh gives the value that is there, fresh or not, as a stale hit', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: vault, staleIfError: 0 });
    await manager.get('A');
    vault.down = DOWN;
    expect(await manager.get('A', { refresh: true })).to.equal('x');
    expect(manager.stats()).to.include({ hits: 0, staleHits: 1 });
    expect(await manager.get('A')).to.equal('x');
    expect(manager.stats()).to.include({ hits: 1, staleHits: 1 });
  });

  it('nothing stands in after invalidate', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: vault });
    await manager.get('A');
    vault.down = DOWN;
    manager.invalidate('A');
    expect((await rejection(manager.get('A'))).code).to.equal(FAILED);
  });

  it('nothing stands in after invalidate during the failing fetch', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: vault });
    await manager.get('A');
    vault.holding = true;
    const waiting = rejection(manager.get('A', { refresh: true }));
    manager.invalidate('A');
    vault.held[0]?.fail(DOWN);
    expect((await waiting).code).to.equal(FAILED);
  });

  it('nothing stands in after the provider said that the secret is gone', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: vault });
    await manager.get('A');
    vault.values.delete('A');
    expect((await rejection(manager.get('A', { refresh: true }))).code).to.equal('ERR_STRONGROOM_SECRET_NOT_FOUND');
    expect(manager.stats()).to.include({ entries: 0, providerErrors: 0 });
    vault.down = DOWN;
    expect((await rejection(manager.get('A'))).code).to.equal(FAILED);
  });

  it('nothing stands in with ttl 0', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager } = open({ provider: vault, ttl: 0 });
    await manager.get('A');
    vault.down = DOWN;
    expect((await rejection(manager.get('A'))).code).to.equal(FAILED);
  });

  it('a denial is no outage: the value goes at once, and a default still covers it', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager, told } = open({ provider: vault });
    await manager.get('A');
    vault.down = denied();
    const error = await rejection(manager.get('A', { refresh: true }));
    expect(error).to.include({ code: 'ERR_STRONGROOM_SECRET_DENIED', status: 503 });
    expect(manager.stats().entries).to.equal(0);
    expect(await manager.get('A', { default: 'd' })).to.equal('d');
    expect(told.at(-1)).to.deep.equal([
      'secret:failed',
      { name: 'A', provider: 'vault', code: 'ERR_STRONGROOM_SECRET_DENIED' },
    ]);
    vault.down = DOWN;
    expect((await rejection(manager.get('A'))).code).to.equal(FAILED);
  });

  it('a default comes after the stale value, is not kept, and the failure is told all the same', async () => {
    const vault = new Vault({ A: 'x' });
    const { manager, clock, told } = open({ provider: vault, ttl: 1, staleIfError: 5000 });
    await manager.get('A');
    vault.down = DOWN;
    clock.ms += 2;
    expect(await manager.get('A', { default: 'd' })).to.equal('x');
    clock.ms += 6000;
    expect(await manager.get('A', { default: 'd' })).to.equal('d');
    expect(await manager.get('A', { default: '' })).to.equal('');
    expect((await rejection(manager.get('A'))).code).to.equal(FAILED);
    expect(told.filter(([event]) => event === 'secret:failed')).to.have.length(4);
    expect(manager.stats().entries).to.equal(0);
  });

  it('has rejects when nobody could tell', async () => {
    const vault = new Vault();
    vault.down = DOWN;
    expect((await rejection(open({ provider: vault }).manager.has('A'))).code).to.equal(FAILED);
  });
});

describe('a provider that misbehaves', () => {
  isolateEnvironment();

  const behaviours: [string, () => unknown][] = [
    ['throws synchronously', () => JSON.parse('hunter2')],
    ['throws nothing', () => Promise.reject(undefined)],
    [
      'throws a Proxy that throws',
      () => Promise.reject(new Proxy({}, { get: () => JSON.parse('x'), getPrototypeOf: () => JSON.parse('x') })),
    ],
    ['answers null', async () => null],
    ['answers a number', async () => 271828],
    ['answers a Buffer', async () => Buffer.from('hunter2')],
    ['answers an object', () => ({ value: 'hunter2' })],
    ['answers a thenable that throws', () => ({ then: () => JSON.parse('hunter2') })],
  ];
  for (const [what, get] of behaviours) {
    it(`has failed when it ${what}, and the next read tries again`, async () => {
      let broken = true;
      const { manager, told } = open({ provider: providerOf(() => (broken ? get() : Promise.resolve('good'))) });
      const error = await rejection(manager.get('A'));
      expect(error).to.include({ code: FAILED, status: 503, expose: false });
      expect(`${error.message}${JSON.stringify(told)}`).not.to.match(/hunter2|271828/);
      expect(manager.stats()).to.include({ providerCalls: 1, providerErrors: 1, entries: 0 });
      broken = false;
      expect(await manager.get('A')).to.equal('good');
    });
  }

  it('may answer with a plain string', async () => {
    expect(await open({ provider: providerOf(() => 'x') }).manager.get('A')).to.equal('x');
  });

  it('has timed out when it never answers: its signal is aborted, and what it says later is dropped', async () => {
    const vault = new Vault({ A: 'new' });
    vault.holding = true;
    const { manager, told } = open({ provider: vault, timeout: 5 });
    const error = await rejection(manager.get('A'));
    expect(error).to.include({ code: 'ERR_STRONGROOM_SECRET_TIMEOUT', status: 503 });
    expect(vault.held[0]?.signal.aborted).to.equal(true);
    expect(told).to.deep.equal([
      ['secret:failed', { name: 'A', provider: 'vault', code: 'ERR_STRONGROOM_SECRET_TIMEOUT' }],
    ]);
    vault.holding = false;
    expect(await manager.get('A')).to.equal('new');
    vault.held[0]?.answer('old');
    await settle();
    expect(await manager.get('A')).to.equal('new');
  });

  it('has timed out, and not failed, when it rejects because of the timeout', async () => {
    const provider = providerOf(
      (_name, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    const error = await rejection(open({ provider, timeout: 1 }).manager.get('A'));
    expect(error.code).to.equal('ERR_STRONGROOM_SECRET_TIMEOUT');
  });

  it('causes no unhandled rejection by failing late', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown): unknown => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    const vault = new Vault();
    vault.holding = true;
    const { manager } = open({ provider: vault, timeout: 1 });
    await rejection(manager.get('A'));
    vault.held[0]?.fail(DOWN);
    vault.holding = false;
    vault.down = DOWN;
    // Nobody awaits these.
    void manager.get('A');
    void manager.getMany(['A', 'B']);
    void manager.has('A');
    void manager.sealed('A');
    void manager.set('A', 'x');
    void manager.get(5 as unknown as string);
    void createSecretManager({ provider: vault, required: ['A'], environment: 'test' }).ready();
    await settle();
    process.off('unhandledRejection', listener);
    expect(unhandled).to.deep.equal([]);
  });

  it('shows its class name and code, and never what it wrote', async () => {
    class VaultError extends Error {
      readonly code = 'ECONNREFUSED';
      readonly config = { token: 'hunter2' };
    }
    const provider = providerOf(() => Promise.reject(new VaultError('token hunter2', { cause: 'hunter2' })), 'corp');
    const { message } = await rejection(open({ provider }).manager.get('A'));
    expect(message).to.equal('secret "A" could not be read (corp: VaultError, code ECONNREFUSED)');
    for (const code of ['hunter2 hunter2', 'hunter2', 'x'.repeat(99), { a: 1 }, Symbol('s')]) {
      const odd = providerOf(() => Promise.reject(Object.assign(new Error('x'), { code })));
      expect((await rejection(open({ provider: odd }).manager.get('A'))).message).to.match(/\(fake: Error\)$/);
    }
  });
});

describe('a fallback chain', () => {
  isolateEnvironment();

  it('goes on after undefined, a throw and a timeout, and ends at a value, the empty string too', async () => {
    const down = new Vault({}, 'down');
    down.down = DOWN;
    const hanging = new Vault({}, 'hanging');
    hanging.holding = true;
    const last = new Vault({ A: 'last', B: 'last' }, 'last');
    const { manager, told } = open({
      provider: [new Vault({}, 'empty'), down, hanging, new Vault({ A: '' }, 'has'), last],
      timeout: 5,
    });
    expect(await manager.get('A')).to.equal('');
    expect(last.asked).to.deep.equal([]);
    expect(await manager.get('B')).to.equal('last');
    expect(manager.stats()).to.include({ misses: 2, providerCalls: 9, providerErrors: 4 });
    expect(
      told.slice(0, 3).map(([event, payload]) => [event, (payload as { provider: string }).provider]),
    ).to.deep.equal([
      ['secret:failed', 'down'],
      ['secret:failed', 'hanging'],
      ['secret:fetched', 'has'],
    ]);
  });

  const throwing = (error: unknown): ReturnType<typeof providerOf> =>
    providerOf(() => Promise.reject(error), 'throwing');
  const hanging = providerOf(() => new Promise(() => undefined), 'hanging');
  const empty = providerOf(() => undefined, 'empty');
  for (const [what, provider, code] of [
    ['all said undefined', [empty, empty], 'SECRET_NOT_FOUND'],
    ['one failed and the others said undefined', [throwing(DOWN), empty], 'SECRET_PROVIDER_FAILED'],
    ['the last one failed', [empty, throwing(DOWN)], 'SECRET_PROVIDER_FAILED'],
    ['time was the only cause', [hanging, empty, hanging], 'SECRET_TIMEOUT'],
    ['time was one cause of two', [hanging, throwing(DOWN)], 'SECRET_PROVIDER_FAILED'],
    ['one denied it', [throwing(DOWN), throwing(denied()), empty], 'SECRET_DENIED'],
  ] as const) {
    it(`rejects with ${code} when ${what}`, async () => {
      const error = await rejection(open({ provider, timeout: 5 }).manager.get('A'));
      expect(error.code).to.equal(`ERR_STRONGROOM_${code}`);
    });
  }

  it('keeps the stale value when one failed and the others said undefined', async () => {
    const first = new Vault({ A: 'x' });
    const { manager, clock } = open({ provider: [first, empty], ttl: 1 });
    await manager.get('A');
    first.down = DOWN;
    clock.ms += 5;
    expect(await manager.get('A')).to.equal('x');
  });
});

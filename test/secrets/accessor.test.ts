/** Reading: arguments, outcomes, and what `req.secrets` hides. */
import { expect } from 'chai';
import { restrictAccessor, type SecretManager } from '../../src/secrets/manager.js';
import type { GetSecretOptions, SecretsAccessor } from '../../src/secrets/accessor.js';
import { isolateEnvironment, open, rejection, thrown, Vault } from './fakes.js';

const INVALID = 'ERR_STRONGROOM_OPTIONS_INVALID';
const NOT_FOUND = 'ERR_STRONGROOM_SECRET_NOT_FOUND';

describe('reading', () => {
  isolateEnvironment();

  it('rejects a missing secret by name, and says who was asked', async () => {
    const { manager } = open({ provider: [new Vault({}, 'one'), new Vault({ JWT_SECRETS: 'x' }, 'two')] });
    const error = await rejection(manager.get('JWT_SECRET'));
    expect(error).to.include({ code: NOT_FOUND, status: 500, expose: false });
    expect(error.message).to.equal('secret "JWT_SECRET" not found (asked: one, two)');
  });

  it('gives a default for a missing secret, and never keeps it', async () => {
    const vault = new Vault();
    const { manager } = open({ provider: vault });
    expect(await manager.get('A', { default: 'd' })).to.equal('d');
    expect(await manager.get('A', { default: '' })).to.equal('');
    await rejection(manager.get('A', { default: undefined }));
    vault.values.set('A', 'x');
    expect(await manager.get('A', { default: 'd' })).to.equal('x');
    expect(await manager.get('A', { default: 'd' })).to.equal('x');
    expect(vault.asked).to.have.length(4);
  });

  it('getMany keeps the order, and names all that are missing', async () => {
    const { manager } = open({ provider: new Vault({ A: 'a', B: 'b' }) });
    expect(JSON.stringify(await manager.getMany(['B', 'A', 'B']))).to.equal('{"B":"b","A":"a"}');
    expect(Object.getPrototypeOf(await manager.getMany([]))).to.equal(null);
    const error = await rejection(manager.getMany(['X', 'A', '__proto__']));
    expect(error.code).to.equal(NOT_FOUND);
    expect(error.message).to.equal('secrets "X", "__proto__" not found (asked: vault)');
  });

  it('getMany names what failed beside what is missing', async () => {
    const provider = {
      name: 'half',
      get: async (name: string) => (name === 'A' ? JSON.parse('{') : undefined) as undefined,
    };
    const error = await rejection(open({ provider }).manager.getMany(['A', 'B']));
    expect(error.code).to.equal('ERR_STRONGROOM_SECRET_PROVIDER_FAILED');
    expect(error.message).to.equal(
      'secret "A" could not be read (half: SyntaxError); secret "B" not found (asked: half)',
    );
  });

  it('has is true for the empty string, and asks once', async () => {
    const vault = new Vault({ A: '' });
    const { manager } = open({ provider: vault });
    expect([await manager.has('A'), await manager.has('A'), await manager.has('B')]).to.deep.equal([true, true, false]);
    expect(vault.asked).to.deep.equal(['A', 'B']);
  });

  it('sealed gives the value in a shape that does not print', async () => {
    const { manager } = open({ provider: new Vault({ A: 'x' }) });
    const sealed = await manager.sealed('A');
    expect([sealed.reveal(), sealed.equals('x'), String(sealed)]).to.deep.equal(['x', true, '[secret A]']);
    expect((await rejection(manager.sealed('B'))).code).to.equal(NOT_FOUND);
  });

  it('needs no this', async () => {
    const { get, has } = open({ provider: new Vault({ A: 'x' }) }).manager;
    expect([await get('A'), await has('A')]).to.deep.equal(['x', true]);
  });

  for (const name of [undefined, null, 5, '', {}, ['A'], Symbol('A')] as unknown as string[])
    it(`rejects the name ${typeof name === 'symbol' ? 'symbol' : JSON.stringify(name)} everywhere`, async () => {
      const vault = new Vault({ A: 'x' });
      const { manager } = open({ provider: vault });
      const calls = [
        manager.get(name),
        manager.get(name, { default: 'd' }),
        manager.has(name),
        manager.sealed(name),
        manager.getMany(['A', name]),
        manager.set(name, 'x'),
      ];
      for (const call of calls) expect((await rejection(call)).code).to.equal(INVALID);
      if (name !== undefined) expect(thrown(() => manager.invalidate(name)).code).to.equal(INVALID);
      expect(vault.asked).to.deep.equal([]);
    });

  const badOptions: [unknown, RegExp][] = [
    [null, /^options must be an object, got null$/],
    ['d', /^options must be an object, got a string$/],
    [[], /^options must be an object, got an array$/],
    [{ defualt: 'd' }, /option "defualt" is unknown; did you mean "default"/],
    [{ default: 5 }, /^options\.default must be a string, got a number$/],
    [{ default: null }, /^options\.default /],
    [{ refresh: 'yes' }, /^options\.refresh must be true or false/],
    [{ signal: {} }, /^options\.signal must be an AbortSignal, got an object$/],
  ];
  for (const [options, message] of badOptions)
    it(`rejects the options ${JSON.stringify(options)}, cold and warm`, async () => {
      const { manager } = open({ provider: new Vault({ A: 'x' }) });
      for (let round = 0; round < 2; round += 1) {
        const error = await rejection(manager.get('A', options as GetSecretOptions));
        expect(error).to.include({ code: INVALID });
        expect(error.message).to.match(message);
        await manager.get('A');
      }
    });

  it('rejects names that are no array', async () => {
    const { manager } = open({ provider: new Vault() });
    expect((await rejection(manager.getMany('A' as unknown as string[]))).message).to.equal(
      'names must be an array, got a string',
    );
  });
});

describe('the restricted accessor', () => {
  isolateEnvironment();
  let manager: SecretManager;
  let accessor: SecretsAccessor;
  let vault: Vault;

  beforeEach(() => {
    vault = new Vault({ AUDIT_SIGNING_KEY: 'signing-key', A: 'a' });
    manager = open({ provider: vault }).manager;
    accessor = restrictAccessor(manager, new Set(['AUDIT_SIGNING_KEY']));
  });

  it('does not find what is hidden, cold or warm, by any way', async () => {
    for (let round = 0; round < 2; round += 1) {
      const name = 'AUDIT_SIGNING_KEY';
      expect((await rejection(accessor.get(name))).code).to.equal(NOT_FOUND);
      expect((await rejection(accessor.get(name, { refresh: true }))).code).to.equal(NOT_FOUND);
      expect((await rejection(accessor.sealed(name))).code).to.equal(NOT_FOUND);
      expect(await accessor.get(name, { default: 'd' })).to.equal('d');
      expect(await accessor.has(name)).to.equal(false);
      expect((await rejection(accessor.getMany(['A', name, 'X']))).message).to.equal(
        'secrets "AUDIT_SIGNING_KEY", "X" not found (asked: vault)',
      );
      expect(await manager.get(name)).to.equal('signing-key');
    }
  });

  it('answers for a hidden name exactly as for a missing one', async () => {
    const hidden = await rejection(accessor.get('AUDIT_SIGNING_KEY'));
    const missing = await rejection(accessor.get('AUDIT_MISSING_KEY'));
    expect(hidden.message).to.equal(missing.message.replace('MISSING', 'SIGNING'));
    expect(Object.entries(hidden)).to.deep.equal(Object.entries(missing));
    const options = { signal: AbortSignal.abort('gone') };
    expect(await rejection(accessor.get('AUDIT_SIGNING_KEY', options))).to.equal('gone');
  });

  it('shares cache and flights with its manager, is frozen, and cannot write', async () => {
    await manager.get('A');
    expect(await accessor.get('A')).to.equal('a');
    expect(vault.asked).to.deep.equal(['A']);
    expect(Object.isFrozen(accessor)).to.equal(true);
    expect(Object.keys(accessor)).to.have.members(['get', 'getMany', 'has', 'sealed']);
  });

  it('is closed with its manager, for hidden names too', async () => {
    await manager.close();
    for (const name of ['A', 'AUDIT_SIGNING_KEY'])
      expect((await rejection(accessor.get(name, { default: 'd' }))).code).to.equal('ERR_STRONGROOM_CLOSED');
  });

  it('keeps its own list of names', async () => {
    const hidden = new Set(['A']);
    const own = restrictAccessor(manager, hidden);
    hidden.clear();
    expect(await own.has('A')).to.equal(false);
  });

  it('is made of managers of this package only', () => {
    expect(thrown(() => restrictAccessor({ ...manager }, new Set())).code).to.equal(INVALID);
  });
});

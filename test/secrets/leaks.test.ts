/** No value is seen through anything that the secrets side hands out. */
import { inspect } from 'node:util';
import { expect } from 'chai';
import { dotenvProvider } from '../../src/secrets/dotenv.js';
import { envProvider } from '../../src/secrets/env.js';
import { restrictAccessor } from '../../src/secrets/manager.js';
import { memoryProvider } from '../../src/secrets/memory.js';
import type { SecretProvider } from '../../src/secrets/provider.js';
import { isolateEnvironment, open, rejection } from './fakes.js';

const VALUE = 'hunter2hunter2';
const NEXT = 'hunter2-rotated';
const TOKEN = 'hunter2-token';

/** Everything that a value shows by whatever prints it. */
function prints(value: unknown): string {
  const texts = [inspect(value, { showHidden: true, customInspect: false, depth: Infinity, getters: true })];
  texts.push(
    inspect(value, { showHidden: true, depth: Infinity }),
    inspect(value),
    String(value),
    JSON.stringify(value) ?? '',
  );
  texts.push(attempt(() => inspect(structuredClone(value), { depth: Infinity })));
  if (typeof value !== 'object' || value === null) return texts.join('\n');
  texts.push(inspect({ ...value }, { showHidden: true, depth: Infinity }));
  for (const key of Reflect.ownKeys(value)) {
    const member: unknown = Reflect.get(value, key);
    texts.push(String(key), inspect(member, { showHidden: true, depth: Infinity }));
    if (typeof member === 'function') texts.push(member.toString());
  }
  return texts.join('\n');
}

function attempt(call: () => string): string {
  try {
    return call();
  } catch (error) {
    return inspect(error, { showHidden: true, depth: Infinity });
  }
}

class CustomStore implements SecretProvider {
  readonly name = 'custom';
  readonly token = TOKEN;
  readonly cache = new Map([['A', VALUE]]);
  async get(name: string): Promise<string | undefined> {
    if (name === 'B') throw Object.assign(new Error(TOKEN, { cause: VALUE }), { config: { headers: TOKEN } });
    return this.cache.get(name);
  }
  async set(name: string, value: string): Promise<void> {
    this.cache.set(name, value);
  }
}

describe('no value is seen', () => {
  isolateEnvironment();

  for (const [what, provider] of [
    ['memory', () => memoryProvider({ A: VALUE })],
    ['env', () => envProvider({ source: { A: VALUE } })],
    ['an object of the user', () => new CustomStore()],
    ['a chain', () => [envProvider({ source: {} }), new CustomStore()]],
  ] as [string, () => SecretProvider | SecretProvider[]][]) {
    it(`in a manager, its members, its accessor or its counters, with ${what}`, async () => {
      const { manager, told } = open({ provider: provider(), ttls: { A: '1h' } });
      const accessor = restrictAccessor(manager, new Set(['HIDDEN']));
      await manager.get('A');
      await accessor.sealed('A');
      await manager.set('A', NEXT).catch(() => undefined);
      await manager.get('A');
      const pending = manager.get('C').catch((error: unknown) => error);
      for (const thing of [manager, accessor, manager.stats(), told, await manager.sealed('A'), await pending])
        expect(prints(thing)).not.to.match(/hunter2/);
    });
  }

  it('in the built-in providers', async () => {
    const memory = memoryProvider({ A: VALUE });
    await memory.set?.('B', NEXT);
    for (const provider of [memory, envProvider({ source: { A: VALUE } }), dotenvProvider()])
      expect(prints(provider)).not.to.match(/hunter2/);
  });

  it('in errors: message, fields, stack or cause', async () => {
    const { manager } = open({ provider: new CustomStore() });
    await manager.get('A');
    const errors = await Promise.all([
      rejection(manager.get('B')),
      rejection(manager.getMany(['A', 'B', 'C'])),
      rejection(manager.get('A', { default: VALUE, refresh: TOKEN as unknown as boolean })),
      rejection(manager.set('A', [VALUE] as unknown as string)),
    ]);
    for (const error of errors) {
      expect(error.cause).to.equal(undefined);
      expect(prints(error) + error.stack).not.to.match(/hunter2/);
    }
  });

  it('in a sealed secret, which may be cloned, spread and compared', async () => {
    const { manager } = open({ provider: memoryProvider({ A: VALUE }) });
    const sealed = await manager.sealed('A');
    expect(prints({ deep: [{ sealed }] }) + prints(sealed)).not.to.match(/hunter2/);
    expect(Reflect.ownKeys(sealed)).to.deep.equal([]);
  });
});

/** Which provider is used, and which ones production refuses. */
import { expect } from 'chai';
import { openProviders } from '../../src/secrets/choose.js';
import { dotenvProvider } from '../../src/secrets/dotenv.js';
import { createSecretManager } from '../../src/secrets/manager.js';
import { memoryProvider } from '../../src/secrets/memory.js';
import type { SecretsOptions } from '../../src/secrets/options.js';
import { isolateEnvironment, providerOf, thrown } from './fakes.js';

type Choice = SecretsOptions['provider'];
const UNSAFE = 'ERR_STRONGROOM_SECRET_INSECURE_IN_PRODUCTION';
const namesOf = (choice: Choice): string[] => openProviders(choice, 'test').map(({ name }) => name);

describe('the choice of a provider', () => {
  isolateEnvironment();

  it('is env by default, SECRETS_PROVIDER before that, the option before both', () => {
    expect(namesOf(undefined)).to.deep.equal(['env']);
    process.env['SECRETS_PROVIDER'] = ' memory ';
    expect(namesOf(undefined)).to.deep.equal(['memory']);
    expect(namesOf('file')).to.deep.equal(['file']);
    process.env['SECRETS_PROVIDER'] = '';
    expect(namesOf(undefined)).to.deep.equal(['env']);
  });

  it('knows the four names, takes objects, and keeps the order of a chain', () => {
    const mine = providerOf(() => undefined, 'mine');
    expect(namesOf(['file', mine, 'env', 'dotenv', 'memory'])).to.deep.equal([
      'file',
      'mine',
      'env',
      'dotenv',
      'memory',
    ]);
  });

  it('takes an instance of a class with methods on its prototype', () => {
    class Store {
      readonly name = 'store';
      async get(): Promise<string> {
        return this.name;
      }
    }
    expect(namesOf(new Store())).to.deep.equal(['store']);
  });

  for (const [where, path, choose] of [
    ['the option', 'secrets.provider', (name: string) => createSecretManager({ provider: name as 'env' })],
    ['a chain', 'secrets.provider[1]', (name: string) => createSecretManager({ provider: ['env', name] as 'env'[] })],
    [
      'SECRETS_PROVIDER',
      'SECRETS_PROVIDER',
      (name: string) => {
        process.env['SECRETS_PROVIDER'] = name;
        return createSecretManager();
      },
    ],
  ] as const) {
    it(`lists the known names when ${where} has an unknown one, near or not`, () => {
      for (const name of ['vault', 'envv']) {
        const error = thrown(() => choose(name));
        expect(error.code).to.equal('ERR_STRONGROOM_SECRET_PROVIDER_UNKNOWN');
        expect(error.message).to.match(/env, dotenv, file, memory/);
        expect(error.message.startsWith(`${path}: "${name}"`)).to.equal(true);
      }
    });
  }

  it('does not show a connection string that stands where a name belongs', () => {
    const error = thrown(() => openProviders('https://user:hunter2@vault' as 'env', 'test'));
    expect(error.code).to.equal('ERR_STRONGROOM_SECRET_PROVIDER_UNKNOWN');
    expect(error.message).not.to.contain('hunter2');
  });

  it('does not take Object.prototype for a list of providers', () => {
    for (const name of ['constructor', '__proto__', 'toString', ''])
      expect(thrown(() => openProviders(name as 'env', 'test')).code).to.equal(
        'ERR_STRONGROOM_SECRET_PROVIDER_UNKNOWN',
      );
  });

  const malformed: [unknown, RegExp][] = [
    [5, /^secrets\.provider must be one of env, .* got a number$/],
    [null, /got null$/],
    [[], /at least one provider, got an empty array$/],
    [[['env']], /^secrets\.provider\[0\] must be .* got an array$/],
    [{}, /^secrets\.provider\.name must be a string/],
    [{ name: 'x' }, /^secrets\.provider\.get must be a function, got undefined$/],
    [{ name: '', get() {} }, /^secrets\.provider\.name /],
    [{ name: 'x', get() {}, set: 5 }, /^secrets\.provider\.set must be a function/],
    [{ name: 'x', get() {}, close: 'y' }, /^secrets\.provider\.close must be a function/],
    [{ name: 'x', get() {}, productionSafe: 'no' }, /^secrets\.provider\.productionSafe must be true or false/],
  ];
  for (const [value, message] of malformed) {
    it(`says what is wrong: ${String(message)}`, () => {
      const error = thrown(() => openProviders(value as Choice, 'test'));
      expect(error.message).to.match(message);
      expect(error.code).to.equal('ERR_STRONGROOM_OPTIONS_INVALID');
    });
  }
});

describe('production', () => {
  isolateEnvironment();

  const own = { ...providerOf(() => undefined, 'own'), productionSafe: false };
  const unsafe: [string, Choice][] = [
    ['memory by name', 'memory'],
    ['dotenv by name', 'dotenv'],
    ['memory as an object', memoryProvider()],
    ['dotenv as an object', dotenvProvider()],
    ['memory last in a chain', ['env', 'file', 'memory']],
    ['an object first in a chain', [memoryProvider({ A: 'x' }), 'env']],
    ['a provider of the user that says so', own],
  ];
  for (const [what, provider] of unsafe) {
    it(`refuses ${what} at construction, however production is said`, () => {
      expect(thrown(() => createSecretManager({ provider, environment: 'production' })).code).to.equal(UNSAFE);
      process.env['APP_ENV'] = ' PRODUCTION ';
      const error = thrown(() => createSecretManager({ provider, environment: 'test' }));
      expect(error.code).to.equal(UNSAFE);
      expect(error.message).to.match(/^secrets\.provider(\[\d\])?: the provider "(memory|dotenv|own)" is not safe/);
    });
  }

  it('refuses an unsafe SECRETS_PROVIDER', () => {
    process.env['SECRETS_PROVIDER'] = 'memory';
    expect(thrown(() => createSecretManager({ environment: 'production' })).code).to.equal(UNSAFE);
  });

  it('takes env, file, and a provider that says nothing', () => {
    createSecretManager({ environment: 'production', provider: ['file', 'env', providerOf(() => undefined)] });
  });
});

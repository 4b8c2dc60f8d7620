/** The env provider, without a manager. */
import { expect } from 'chai';
import fc from 'fast-check';
import { type EnvProviderOptions, envProvider } from '../../src/secrets/env.js';
import { thrown } from './fakes.js';

const context = { signal: new AbortController().signal };

describe('envProvider', () => {
  it('reads process.env live and exactly', async () => {
    const provider = envProvider();
    expect(await provider.get('STRONGROOM_TEST_A', context)).to.equal(undefined);
    process.env['STRONGROOM_TEST_A'] = ' a=b#"\'\n✓ ';
    try {
      expect(await provider.get('STRONGROOM_TEST_A', context)).to.equal(' a=b#"\'\n✓ ');
    } finally {
      delete process.env['STRONGROOM_TEST_A'];
    }
  });

  it('gives every value of a source unchanged, under every name', async () => {
    const anyName = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', 'hasOwnProperty'),
    );
    await fc.assert(
      fc.asyncProperty(anyName, fc.string({ unit: 'binary' }), fc.string(), async (name, value, prefix) => {
        const source = Object.fromEntries([[prefix + name, value]]);
        expect(await envProvider({ source, prefix }).get(name, context)).to.equal(value);
      }),
    );
  });

  it('sees own properties of the source only', async () => {
    const provider = envProvider({ source: Object.create({ inherited: 'x' }) as Record<string, string> });
    for (const name of ['inherited', '__proto__', 'constructor', 'hasOwnProperty', 'toString'])
      expect(await provider.get(name, context)).to.equal(undefined);
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty'])
      expect(await envProvider().get(name, context)).to.equal(undefined);
  });

  it('puts the prefix before the name', async () => {
    const provider = envProvider({ prefix: 'APP_', source: { APP_KEY: 'x', KEY: 'y' } });
    expect(await provider.get('KEY', context)).to.equal('x');
  });

  it('is read-only and safe for production', () => {
    expect(envProvider()).to.include({ name: 'env', productionSafe: true }).and.not.to.have.property('set');
  });

  for (const options of [{ prefx: 'A' }, { prefix: 5 }, { source: 'x' }, 5, null])
    it(`refuses ${JSON.stringify(options)}`, () => {
      const error = thrown(() => envProvider(options as EnvProviderOptions));
      expect(error.message).to.match(/^envProvider/);
      expect(error.code).to.equal('ERR_STRONGROOM_OPTIONS_INVALID');
    });
});

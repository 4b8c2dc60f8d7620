/** The memory provider, without a manager. */
import { expect } from 'chai';
import fc from 'fast-check';
import { memoryProvider } from '../../src/secrets/memory.js';
import { thrown } from './fakes.js';

const context = { signal: new AbortController().signal };

describe('memoryProvider', () => {
  it('gives back what was put in and what was set, under every name', async () => {
    const anyName = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', 'hasOwnProperty'),
    );
    await fc.assert(
      fc.asyncProperty(anyName, fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), async (name, a, b) => {
        const provider = memoryProvider(Object.fromEntries([[name, a]]));
        expect(await provider.get(name, context)).to.equal(a);
        await provider.set?.(name, b);
        expect(await provider.get(name, context)).to.equal(b);
      }),
    );
  });

  it('keeps a copy, and knows no name by itself', async () => {
    const values = { A: 'x' };
    const provider = memoryProvider(values);
    values.A = 'y';
    expect(await provider.get('A', context)).to.equal('x');
    for (const name of ['__proto__', 'constructor', 'B']) expect(await provider.get(name, context)).to.equal(undefined);
    expect(provider.productionSafe).to.equal(false);
  });

  it('refuses what is no string, naming the secret and not the value', () => {
    const error = thrown(() => memoryProvider({ PIN: 271828 as unknown as string }));
    expect(error.message).to.equal('memoryProvider.PIN must be a string, got a number');
    expect(thrown(() => memoryProvider([] as never)).message).to.match(/^memoryProvider must be an object/);
  });
});

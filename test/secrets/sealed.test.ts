/** A sealed secret prints as its name, and compares exactly. */
import { inspect } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { sealSecret } from '../../src/secrets/sealed.js';

describe('a sealed secret', () => {
  it('prints as its name everywhere', () => {
    const sealed = sealSecret('KEY', 'hunter2hunter2');
    expect(`${sealed as unknown as string}`).to.equal('[secret KEY]');
    expect(String(sealed)).to.equal('[secret KEY]');
    expect('' + (sealed as unknown as string)).to.equal('[secret KEY]');
    expect(JSON.stringify({ sealed })).to.equal('{"sealed":"[secret KEY]"}');
    expect(inspect({ a: [sealed] })).to.equal('{ a: [ [secret KEY] ] }');
  });

  it('reveals the exact value, and equals nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (value, other) => {
        const sealed = sealSecret('KEY', value);
        expect(sealed.reveal()).to.equal(value);
        expect(sealed.equals(value)).to.equal(true);
        expect(sealed.equals(other)).to.equal(other === value);
        expect(sealed.equals(`${value}x`)).to.equal(false);
      }),
    );
  });

  it('tells lone surrogates apart', () => {
    expect(sealSecret('KEY', '\ud800').equals('\ud801')).to.equal(false);
  });

  it('equals no other kind of value', () => {
    const sealed = sealSecret('KEY', '5');
    for (const candidate of [5, null, undefined, ['5'], { toString: () => '5' }])
      expect(sealed.equals(candidate as string)).to.equal(false);
  });
});

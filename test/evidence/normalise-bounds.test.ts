/** However large a value is, what is kept of it is bounded, marked where it was cut, and found with little work. */
import { expect } from 'chai';
import { STORED_LIMITS, normalise, sizeOf } from '../../src/evidence/normalise.js';

/** Objects nested `depth` levels deep. */
function nested(depth: number): object {
  return depth === 1 ? {} : { in: nested(depth - 1) };
}

describe('normalise, bounded', () => {
  it('cuts below 16 levels', () => {
    expect(JSON.stringify(normalise(nested(16)))).not.to.contain('cut');
    expect(JSON.stringify(normalise(nested(17)))).to.contain('{"in":"[cut: too deep]"}');
    expect(JSON.stringify(normalise(nested(5000)))).to.have.length.below(200);
  });

  it('cuts after 64 keys and 100 items, and says how many are missing', () => {
    const keys = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
    expect(normalise(keys(64))).to.deep.equal(keys(64));
    expect(normalise(keys(65))).to.deep.equal({ ...keys(63), '[cut]': '[cut: 2 more keys]' });
    const items = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
    expect(normalise(items(100))).to.deep.equal(items(100));
    expect(normalise(items(136))).to.deep.equal([...items(99), '[cut: 37 more items]']);
    expect(normalise(new Set(items(136)))).to.deep.equal([...items(99), '[cut: 37 more items]']);
    expect(normalise(new Map(items(65).map((i) => [`k${i}`, i])))).to.deep.equal(normalise(keys(65)));
  });

  it('looks at no more items than it keeps', () => {
    let reads = 0;
    const many = new Proxy([], {
      get: (target, key) => (key === 'length' ? 1e9 : ((reads += 1), Reflect.get(target, key) as unknown)),
    });
    expect(normalise(many)).to.have.length(100);
    expect(reads).to.be.below(110);
  });

  it('cuts a long text and a long key, never through a pair', () => {
    const text = (normalise({ a: 'x'.repeat(16_378) + '\ud83d\ude00'.repeat(9) }) as { a: string }).a;
    expect(text).to.have.length(16_383);
    expect(text.slice(-7)).to.equal('xx[cut]');
    expect(normalise({ a: 'y'.repeat(16_384) })).to.deep.equal({ a: 'y'.repeat(16_384) });
    const [key] = Object.keys(normalise({ ['k'.repeat(300)]: 1 }) as object);
    expect(key).to.equal('k'.repeat(251) + '[cut]');
  });

  it('keeps the whole within its bytes, whatever it is made of', () => {
    const deep = (levels: number, leaf: unknown): unknown =>
      levels === 0 ? leaf : Array.from({ length: 100 }, () => deep.bind).length && wide(deep(levels - 1, leaf));
    const wide = (leaf: unknown): object =>
      Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`key ${i}`, leaf]));
    const leaves = ['x'.repeat(9000), '\u0001\u20ac'.repeat(2000), undefined, {}, 1.5, new Map([['\u0001', 1]])];
    for (const leaf of leaves) {
      const bytes = Buffer.byteLength(JSON.stringify(normalise(deep(12, leaf))));
      expect(bytes).to.be.below(STORED_LIMITS.bytes + 1024);
    }
  });

  it('says what did not fit: a text as a whole, members by their number', () => {
    const texts = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`t${i}`, 'x'.repeat(16_000)]));
    expect((normalise({ ...texts, last: 1 }) as Record<string, unknown>)['t4']).to.equal('[cut: 16000 characters]');
    expect((normalise({ ...texts, last: 1 }) as Record<string, unknown>)['last']).to.equal(1);
    const lists = Array.from({ length: 100 }, () => Array.from({ length: 100 }, () => 'ten bytes.'));
    expect(JSON.stringify(normalise(lists))).to.match(/\[cut: \d+ more items\]"\],"\[cut: \d+ more items\]"\]$/);
  });

  it('lets go of a huge text', () => {
    const huge = Buffer.alloc(100_000_000, 97).toString('latin1');
    expect((normalise({ huge }) as { huge: string }).huge).to.have.length(16_384);
  });

  it('changes nothing the second time', () => {
    const once = normalise({
      keys: Object.fromEntries(Array(99).entries()),
      items: Array(500).fill('x'.repeat(20)),
      $k: nested(30),
      text: 'x'.repeat(1e5),
      ['k'.repeat(999)]: /x/,
    });
    expect(normalise(once)).to.deep.equal(once);
  });
});

describe('sizeOf', () => {
  it('grows with texts, keys and members', () => {
    expect(sizeOf({})).to.equal(16);
    expect(sizeOf({ ab: 'cde' })).to.equal(16 + 16 + 4 + 16 + 6);
    expect(sizeOf([null, 1, true])).to.equal(16 + 3 * (16 + 2 + 16));
  });
});

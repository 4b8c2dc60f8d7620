/** Whatever a caller passes becomes a bounded canonical value, without running into what it throws. */
import { expect } from 'chai';
import mongoose from 'mongoose';
import { type Canonical, freeKey, normalise } from '../../src/evidence/normalise.js';

const { Binary, Decimal128, Double, Int32, Long, ObjectId, UUID } = mongoose.mongo;

const OBJECT_ID = '65f1c0ffee65f1c0ffee65f1';
const UUID_TEXT = '6f1c9f1e-1d7c-4f0c-9f6e-1b1c1d1e1f10';

/** What each input becomes as a member of an object; `undefined`: the member is dropped. */
const TABLE: readonly (readonly [name: string, input: unknown, result: Canonical | undefined])[] = [
  ['undefined', undefined, undefined],
  ['a function', () => 1, undefined],
  ['a symbol', Symbol('s'), undefined],
  ['NaN', Number.NaN, null],
  ['Infinity', Number.NEGATIVE_INFINITY, null],
  ['a bigint', 12345678901234567890n, '12345678901234567890'],
  ['a huge bigint', 1n << 100_000n, '[cut: huge bigint]'],
  ['a Long', Long.fromString('-9007199254740993'), '-9007199254740993'],
  ['a Decimal128', Decimal128.fromString('1.50'), '1.50'],
  ['an Int32', new Int32(5), 5],
  ['a Double', new Double(2.5), 2.5],
  ['an ObjectId', new ObjectId(OBJECT_ID), OBJECT_ID],
  ['a UUID', new UUID(UUID_TEXT), UUID_TEXT],
  ['a Binary', new Binary(Buffer.from('abc')), 'YWJj'],
  ['what only says that it is an ObjectId', { _bsontype: 'ObjectId', id: 'x' }, { __bsontype: 'ObjectId', id: 'x' }],
  [
    'a class that only says that it is a Long',
    Object.assign(Object.create({ _bsontype: 'Long' }) as object, { a: 1 }),
    { a: 1 },
  ],
  ['a Binary that is not full', Object.assign(new Binary(Buffer.from('abc')), { position: 2 }), 'YWI='],
  ['a Date', new Date('2024-05-06T07:08:09.010Z'), '2024-05-06T07:08:09.010Z'],
  ['an invalid Date', new Date('no'), null],
  ['a Buffer', Buffer.from('abc'), 'YWJj'],
  ['a typed array', new Uint16Array([1, 2]), 'AQACAA=='],
  ['an ArrayBuffer', new Uint8Array([1]).buffer, 'AQ=='],
  ['a long Buffer', Buffer.alloc(5000), '[binary: 5000 bytes]'],
  [
    'a Map',
    new Map<unknown, unknown>([
      ['a', 1],
      [2, 'b'],
      ['2', 'c'],
      [{}, 'd'],
    ]),
    { a: 1, 2: 'b', _2: 'c', '[object]': 'd' },
  ],
  ['a Set', new Set([1, 'a', undefined]), [1, 'a', null]],
  ['a RegExp', /a"b/gi, '/a"b/gi'],
  ['an Error, by its class', new TypeError('alice@example.com'), 'TypeError'],
  ['an Error with toJSON, by its class', Object.assign(new Error('x'), { toJSON: () => 'secret' }), 'Error'],
  [
    'an Error that gives itself another tag',
    Object.assign(new RangeError('x'), { [Symbol.toStringTag]: 'Oops' }),
    'RangeError',
  ],
  ['a boxed string', Object('text'), 'text'],
  ['a boxed number', Object(-0), 0],
  ['a URL', new URL('https://h/p'), 'https://h/p'],
  [
    'a class instance',
    new (class Point {
      x = 1;
      #y = 2;
      sum() {
        return this.x + this.#y;
      }
    })(),
    { x: 1 },
  ],
  ['an instance that shows nothing', Promise.resolve(1), '[Promise]'],
  ['an object without prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
  ['toJSON', { toJSON: () => ({ a: new Date(0) }) }, { a: '1970-01-01T00:00:00.000Z' }],
  ['toJSON that gives undefined', { toJSON: () => undefined }, undefined],
  ['toJSON that gives itself', selfJson(), { a: 1 }],
  ['toJSON that wraps itself', wrappingJson(), { self: '[circular]' }],
  ['toJSON that gives a cycle', { toJSON: cycle }, { me: '[circular]' }],
  ['toJSON that throws', { toJSON: fail }, '[unreadable]'],
  ['data under the name toJSON', { toJSON: 'x', constructor: 'y' }, { toJSON: 'x', constructor: 'y' }],
  ['a lone surrogate', 'a\ud800b', 'a\ufffdb'],
  ['a pair', '\ud83d\ude00', '\ud83d\ude00'],
  ['a sparse array', [1, , 2], [1, null, 2]], // eslint-disable-line no-sparse-arrays
  ['an array of what has no form', [undefined, () => 1, Symbol('s'), Number.NaN], [null, null, null, null]],
];

const KEYS: readonly (readonly [input: string, result: string])[] = [
  ['$where', '_$where'],
  ['__proto__', '___proto__'],
  ['_bsontype', '__bsontype'],
  ['a\0b', '_a\ufffdb'],
  ['\udc00x', '\ufffdx'],
  ['a.b', 'a.b'],
  ['', ''],
  ['toBSON', 'toBSON'],
  ['hasOwnProperty', 'hasOwnProperty'],
];

function fail(): never {
  throw new Error('no');
}

function selfJson(): object {
  const value = { a: 1 };
  Object.defineProperty(value, 'toJSON', { value: () => value });
  return value;
}

function wrappingJson(): object {
  const value = { toJSON: (): object => ({ self: value }) };
  return value;
}

function cycle(): object {
  const said: Record<string, unknown> = {};
  said['me'] = said;
  return said;
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

describe('normalise', () => {
  for (const [name, input, result] of TABLE)
    it(`takes ${name}`, () => {
      expect(normalise({ member: input })).to.deep.equal(result === undefined ? {} : { member: result });
    });

  for (const [input, result] of KEYS)
    it(`names the key ${JSON.stringify(input)} ${JSON.stringify(result)}`, () => {
      const taken = normalise(JSON.parse(`{${JSON.stringify(input)}:1}`)) as object;
      expect(Object.keys(taken)).to.deep.equal([result]);
      expect(Object.getPrototypeOf(taken)).to.equal(Object.prototype);
    });

  it('keeps both of two keys that get one name', () => {
    expect(normalise({ $a: 1, _$a: 2, '\ud800': 3, '\udc00': 4 })).to.deep.equal({
      _$a: 1,
      __$a: 2,
      '\ufffd': 3,
      '_\ufffd': 4,
    });
    expect(freeKey({ a: 1, _a: 1 }, 'a')).to.equal('__a');
  });

  it('turns -0 to 0', () => {
    expect(Object.is((normalise({ a: -0 }) as { a: number }).a, 0)).to.equal(true);
  });

  it('is a snapshot: later changes by the caller do not matter', () => {
    const meta = { list: [1], inner: { a: 1 } };
    const snapshot = normalise(meta);
    meta.list.push(2);
    meta.inner.a = 2;
    expect(snapshot).to.deep.equal({ list: [1], inner: { a: 1 } });
  });
});

describe('normalise, before hostile input', () => {
  const trap = (name: string): object => new Proxy({ a: 1 }, { [name]: fail });
  const HOSTILE: Readonly<Record<string, unknown>> = {
    'a revoked Proxy': revoked({}),
    'a revoked Proxy of an array': revoked([]),
    'a Proxy that throws on get': trap('get'),
    'a Proxy that throws on ownKeys': trap('ownKeys'),
    'a Proxy that throws on getPrototypeOf': trap('getPrototypeOf'),
    'a Proxy that throws on getOwnPropertyDescriptor': trap('getOwnPropertyDescriptor'),
    'a throwing toStringTag': Object.create({
      get [Symbol.toStringTag]() {
        return fail();
      },
    }) as unknown,
    'a throwing constructor': Object.create({
      get constructor() {
        return fail();
      },
    }) as unknown,
    'a throwing _bsontype': Object.create({
      get _bsontype() {
        return fail();
      },
    }) as unknown,
    'an ObjectId that throws': { __proto__: { _bsontype: 'ObjectId', toHexString: fail } },
  };
  for (const [name, input] of Object.entries(HOSTILE))
    it(`never throws: ${name}`, () => {
      const taken = JSON.stringify(normalise({ before: 1, input, after: 2 }));
      expect(taken).to.match(/^\{"before":1,.*\[unreadable\].*"after":2\}$/);
      expect(() => normalise(input)).not.to.throw();
    });

  it('marks only the member whose getter throws', () => {
    const input = {
      a: 1,
      get b() {
        return fail();
      },
      c: 3,
    };
    expect(normalise(input)).to.deep.equal({ a: 1, b: '[unreadable]', c: 3 });
    expect(normalise(Object.defineProperty([1, 2], 0, { get: fail }))).to.deep.equal(['[unreadable]', 2]);
  });

  it('does not believe a toStringTag', () => {
    for (const tag of ['Map', 'Set', 'Date', 'RegExp', 'String', 'BigInt'])
      expect(normalise({ __proto__: { [Symbol.toStringTag]: tag }, a: 1 })).to.deep.equal({ a: 1 });
  });

  it('breaks cycles, and keeps what merely occurs twice', () => {
    const shared = { x: 1 };
    const cyclic: Record<string, unknown> = { shared, again: shared };
    cyclic['self'] = cyclic;
    cyclic['list'] = [cyclic];
    cyclic['map'] = new Map([['up', cyclic]]);
    const up = '[circular]';
    expect(normalise(cyclic)).to.deep.equal({ shared, again: shared, self: up, list: [up], map: { up } });
  });

  it('survives a toJSON that makes new ones for ever', () => {
    const endless = (): object => ({ toJSON: () => ({ next: endless() }) });
    expect(JSON.stringify(normalise(endless()))).to.contain('[cut: too deep]');
  });
});

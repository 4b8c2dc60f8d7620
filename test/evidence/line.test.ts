/** The canonical line is RFC 8785 text, and it survives BSON and MongoDB. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose from 'mongoose';
import { canonicalLine, canonicalText, linePreimage } from '../../src/evidence/line.js';
import { type Canonical, normalise } from '../../src/evidence/normalise.js';
import { startMongod } from '../mongod.js';

const { BSON, MongoClient, ObjectId } = mongoose.mongo;

const read = (text: string): Canonical => JSON.parse(text) as Canonical;

/** RFC 8785 appendix B, by the bits of the number. */
const NUMBERS: readonly (readonly [bits: string, text: string])[] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

const AT = new Date('2024-05-06T07:08:09.010Z');

/** Any UTF-16 unit, so that lone surrogates, NUL and escapes come up. */
const anyText = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '$set',
    '__proto__',
    '_bsontype',
    'toBSON',
    'toJSON',
    'constructor',
    '$ref',
    '$id',
    'a.b',
    '',
    '10',
    '9',
  ),
);
const anyValue = fc.anything({
  key: anyText,
  values: [anyText, fc.double(), fc.integer(), fc.boolean(), fc.constantFrom(null, undefined, -0), fc.bigInt()],
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});

function stored(meta: unknown): Record<string, unknown> {
  return { _id: 'a.000000000001', at: AT, meta: normalise(meta) };
}

/** RFC 8785 in a few slow lines: the engine's text of each value, members sorted. */
function reference(value: Canonical): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(reference).join(',')}]`;
  const members = Object.entries(value as Record<string, Canonical>).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${reference(member)}`).join(',')}}`;
}

describe('canonicalText', () => {
  it('is what the RFC says of any value', () => {
    const long = fc.string({ minLength: 100, maxLength: 300 });
    const members = fc.dictionary(anyText, fc.oneof(anyValue, long), { maxKeys: 40 });
    fc.assert(
      fc.property(fc.oneof(anyValue, members), (value) => {
        const canonical = normalise(value);
        expect(canonicalText(canonical)).to.equal(reference(canonical));
      }),
      { numRuns: 1000, endOnFailure: true },
    );
  });

  for (const text of ['x'.repeat(127), 'x'.repeat(128), 'é'.repeat(128), '"'.repeat(500), `${'x'.repeat(200)}\n`])
    it(`quotes ${text.length} characters that begin with ${text.slice(0, 3)}`, () => {
      expect(canonicalText(text)).to.equal(JSON.stringify(text));
    });

  it('has no greatest length', () => {
    for (const unit of ['x', 'é', '"', '😀'])
      for (const length of [131_060, 131_069, 131_070, 131_071, 131_072, 400_000]) {
        const value = { text: unit.repeat(length / unit.length), list: ['a', { b: null }] };
        expect(canonicalText(value) === reference(value), `${length} of ${unit}`).to.equal(true);
      }
    expect(canonicalText({ b: 1, a: 'short' })).to.equal('{"a":"short","b":1}');
  });

  it('is cut nowhere near the end of the memory that it is written to', () => {
    for (let length = 131_040; length < 131_080; length += 1) {
      const value = [true, null, 1.5, 'x'.repeat(100), { [`k${'y'.repeat(length - 160)}`]: 'é' }];
      expect(canonicalText(value) === reference(value), String(length)).to.equal(true);
    }
  });

  it('writes numbers as RFC 8785 appendix B has them', () => {
    for (const [bits, text] of NUMBERS)
      expect(canonicalText(Buffer.from(bits, 'hex').readDoubleBE()), bits).to.equal(text);
  });

  it('writes the sample of RFC 8785 section 3.2.2', () => {
    const sample = read(
      String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
    );
    expect(canonicalText(sample)).to.equal(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  it('sorts keys by UTF-16 code units, as in section 3.2.3', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\ud83d\ude00', '\u0080', '\u00f6'];
    const text = canonicalText(Object.fromEntries(keys.map((key) => [key, 0])));
    const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33'];
    expect(text).to.equal(`{${sorted.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`);
  });

  it('sorts keys that look like numbers as text', () => {
    expect(canonicalText({ 9: 1, 10: 2, '': 3 })).to.equal('{"":3,"10":2,"9":1}');
  });

  it('escapes controls, quote and backslash, and nothing else', () => {
    expect(canonicalText('\b\t\n\f\r\0\u001f"\\/\u007f\u2028\u00e9')).to.equal(
      String.raw`"\b\t\n\f\r\u0000\u001f\"\\/` + '\u007f\u2028\u00e9"',
    );
  });
});

describe('canonicalLine', () => {
  it('writes the top-level at as ISO text, _id first, without a line feed', () => {
    expect(canonicalLine({ v: 1, meta: { b: 1, a: [{}] }, at: AT, _id: 'x', app: null })).to.equal(
      '{"_id":"x","app":null,"at":"2024-05-06T07:08:09.010Z","meta":{"a":[{}],"b":1},"v":1}',
    );
  });

  it('is what a leaf hashes, behind a zero byte', () => {
    const document = { _id: 'x', at: AT, meta: { text: 'é' } };
    expect(linePreimage(document).toString()).to.equal(`\0${canonicalLine(document)}`);
  });

  it('tells documents apart whose members differ in name or order only', () => {
    const lines = [{ a: 1, b: 2 }, { a: 1, c: 2 }, { a: 1 }, { b: 2, a: 1 }, {}, { a: 1, b: 2 }].map(canonicalLine);
    expect(lines).to.deep.equal(['{"a":1,"b":2}', '{"a":1,"c":2}', '{"a":1}', '{"a":1,"b":2}', '{}', '{"a":1,"b":2}']);
  });

  it('shows every member, also one that does not belong there', () => {
    expect(canonicalLine({ at: AT, added: 1 })).to.contain('"added":1');
  });

  const FOREIGN: Readonly<Record<string, Record<string, unknown>>> = {
    'another Date': { at: AT, meta: { when: AT } },
    'a Date beside at': { at: AT, when: AT },
    'a BSON type': { at: AT, targetId: new ObjectId() },
    undefined: { at: AT, reason: undefined },
    NaN: { at: AT, v: Number.NaN },
    'a bigint': { at: AT, v: 1n },
    'an invalid at': { at: new Date(Number.NaN) },
    'a class instance': { at: AT, meta: new Map() },
    'half a surrogate pair in a text': { at: AT, reason: 'a\ud800' },
    'half a surrogate pair in a key': { at: AT, meta: { '\udc00': 1 } },
    "half a surrogate pair in a member's name": { at: AT, '\udc00': 1 },
    'half a surrogate pair in a long text': { at: AT, reason: `${'x'.repeat(200)}\ud800` },
    'a list with a hole': { at: AT, meta: { list: Array.from({ length: 2 }) } },
  };
  for (const [name, document] of Object.entries(FOREIGN))
    it(`refuses ${name}: it has no canonical text`, () => {
      expect(() => canonicalLine(document)).to.throw(TypeError);
    });
});

describe('a normalised value', () => {
  it('comes back from BSON to the same line and the same bytes', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const document = stored(value);
        const line = canonicalLine(document);
        const bytes = BSON.serialize(document);
        const back = BSON.deserialize(bytes);
        expect(canonicalLine(back)).to.equal(line);
        expect(Buffer.compare(BSON.serialize(back), bytes)).to.equal(0);
        expect(canonicalText(read(line))).to.equal(line);
        expect(Buffer.from(line).toString()).to.equal(line);
      }),
      { numRuns: 2000, endOnFailure: true },
    );
  });

  it('is the same when it is normalised again', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const once = normalise(value);
        expect(canonicalText(normalise(once))).to.equal(canonicalText(once));
      }),
      { numRuns: 1000, endOnFailure: true },
    );
  });

  describe('on a real server', () => {
    let server: MongoMemoryServer;

    before(async function start() {
      this.timeout(60_000);
      server = await startMongod();
    });
    after(() => server.stop().then(() => undefined));

    it('comes back to the same line', async () => {
      const client = await MongoClient.connect(server.getUri());
      try {
        const inherited = { constructor: [{ a: 1 }], toString: [{ b: 2 }] };
        const samples = [inherited, ...fc.sample(anyValue, 500)];
        const documents = samples.map((value, index) => ({ ...stored(value), _id: index as never }));
        const collection = client.db('lines').collection('events');
        await collection.insertMany(documents);
        // As the store reads: by default the driver leaves an array under an inherited name, such as `constructor`, raw.
        const fieldsAsRaw = Object.create(null) as Record<string, boolean>;
        const lines = (await collection.find({}, { fieldsAsRaw }).sort({ _id: 1 }).toArray()).map(canonicalLine);
        expect(lines).to.deep.equal(documents.map(canonicalLine));
      } finally {
        await client.close();
      }
    });
  });
});

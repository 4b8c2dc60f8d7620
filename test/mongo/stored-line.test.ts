/** The line straight from BSON bytes: always what deserialising and the canonical line give, and what in the bytes is not the package's. No database. */
import { expect } from 'chai';
import fc from 'fast-check';
import mongoose from 'mongoose';
import { canonicalLine } from '../../src/evidence/line.js';
import { normalise } from '../../src/evidence/normalise.js';
import { readStoredLine } from '../../src/mongo/stored-line.js';
import { makeEvent } from '../audit/events.js';

const { BSON, Binary, Decimal128, Double, Long, ObjectId, Timestamp } = mongoose.mongo;
const { Code, MinKey, BSONRegExp, BSONSymbol } = BSON;

const ID = '01KGH0K9PA0000000000000000.000000000007';

function stored(given: Record<string, unknown> = {}): Record<string, unknown> {
  return { ...makeEvent({ _id: ID }), ...given };
}

/** The bytes with a piece of them exchanged for one of the same length. */
function patch(bytes: Uint8Array, from: Buffer, to: Buffer): Buffer {
  const patched = Buffer.from(bytes);
  const place = patched.indexOf(from);
  expect(place).to.be.greaterThan(-1);
  to.copy(patched, place);
  return patched;
}

describe('the line of stored bytes', () => {
  it('is what deserialising and canonicalLine give, for any value that the package stores', () => {
    const members = fc.dictionary(fc.string({ unit: 'binary' }), fc.anything({ withDate: true, withBigInt: true }));
    fc.assert(
      fc.property(members, fc.date({ noInvalidDate: true }), (meta, at) => {
        const document = stored({ meta: normalise(meta), at });
        expect(readStoredLine(BSON.serialize(document))).to.deep.equal({
          id: ID,
          preimage: `\0${canonicalLine(document)}`,
        });
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on the order in which members are stored', () => {
    const document = stored({ meta: { b: 1, a: [{ d: null, c: 'é' }], 10: true, 9: false } });
    const turned = Object.fromEntries(Object.entries(document).reverse());
    expect(readStoredLine(BSON.serialize(turned))).to.deep.equal(readStoredLine(BSON.serialize(document)));
  });

  it('is the same after bytes went through extended JSON, as mongoexport --jsonFormat=canonical writes it', () => {
    const document = stored({ meta: { double: 0.5, big: 2 ** 40, int: 7, text: '€\u2028' } });
    const bytes = BSON.serialize(document);
    const text = BSON.EJSON.stringify(BSON.deserialize(bytes, { promoteValues: false }), { relaxed: false });
    const again = BSON.serialize(BSON.EJSON.parse(text, { relaxed: false }) as object);
    expect(readStoredLine(again)).to.deep.equal(readStoredLine(bytes));
  });

  it('tells what the package does not write, though its line is the same', () => {
    const bytes = readStoredLine(BSON.serialize(stored({ meta: { n: 5, big: 2 ** 40 } })));
    const strange: Record<string, unknown>[] = [
      { meta: { n: Long.fromNumber(5), big: 2 ** 40 } },
      { meta: { n: new Double(5), big: 2 ** 40 } },
      { meta: { n: 5, big: Long.fromNumber(2 ** 40) } },
      { meta: { n: 5, big: 2 ** 40 }, at: '2026-01-01T00:00:00.000Z' },
      { v: Long.fromNumber(1), meta: { n: 5, big: 2 ** 40 } },
    ];
    for (const given of strange) {
      const line = readStoredLine(BSON.serialize(stored(given)));
      expect(line).to.include({ fault: 'event-type', preimage: bytes.preimage });
    }
  });

  it('takes the last of two values under one key, as drivers do, and tells of it', () => {
    const bytes = BSON.serialize(stored({ zzzzzzz: 'hidden', actorId: 'shown' }));
    const twice = patch(bytes, Buffer.from('zzzzzzz'), Buffer.from('actorId'));
    const line = readStoredLine(twice);
    expect(line).to.include({ fault: 'event-type', detail: 'a key stands twice' });
    expect(line.preimage).to.equal(`\0${canonicalLine(BSON.deserialize(twice))}`);
    expect(line.preimage).to.include('"actorId":"hidden"').and.not.include('shown');
  });

  it('cannot be made of what is no canonical event', () => {
    const values = [
      Number.NaN,
      new MinKey(),
      /x/,
      new BSONRegExp('x'),
      new Timestamp({ t: 1, i: 1 }),
      Decimal128.fromString('1.5'),
      new Binary(Buffer.from('x')),
      new Code('x'),
      new BSONSymbol('x'),
    ];
    for (const [index, value] of values.entries()) {
      const { fault } = readStoredLine(BSON.serialize(stored({ meta: { x: value } })));
      expect(fault, String(index)).to.equal('event-malformed');
    }
  });

  it('is malformed when the bytes are cut or changed in length, and never throws', () => {
    const bytes = BSON.serialize(stored({ meta: { a: [1, { b: 'text' }] } }));
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readStoredLine(bytes.subarray(0, length)).fault).to.equal('event-malformed');
    }
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (place, byte) => {
        const changed = Buffer.from(bytes);
        changed[place] = byte;
        const line = readStoredLine(changed);
        const isSame = line.fault === undefined && line.preimage === readStoredLine(bytes).preimage;
        expect(isSame).to.equal(bytes[place] === byte);
      }),
      { numRuns: 3000 },
    );
  });

  it('refuses text that is not UTF-8', () => {
    const bytes = patch(BSON.serialize(stored({ actorId: 'abcdefgh' })), Buffer.from('abcdefgh'), Buffer.from([0xff]));
    expect(readStoredLine(bytes)).to.include({ fault: 'event-malformed', detail: 'a text is not UTF-8' });
  });

  it('shows a foreign _id as text that no _id of the package equals', () => {
    const ids: readonly (readonly [unknown, string])[] = [
      [17, '17'],
      [new ObjectId('65f000000000000000000001'), '65f000000000000000000001'],
      [{ a: ID }, `{a:${ID}}`],
      ['other', 'other'],
      [null, 'null'],
      [new Binary(Buffer.from('00ff10', 'hex')), 'binary:00ff10'],
      [new Binary(Buffer.alloc(16, 7), 4), `binary:${'07'.repeat(16)}`],
      [new Timestamp({ t: 1, i: 2 }), 'timestamp:0200000001000000'],
      [Decimal128.fromString('1'), 'decimal128:01000000000000000000000000004030'],
      [new MinKey(), 'MinKey'],
    ];
    for (const [id, text] of ids) expect(readStoredLine(BSON.serialize(stored({ _id: id }))).id).to.equal(text);
  });

  it('numbers the items of a list from 0', () => {
    const bytes = patch(
      BSON.serialize(stored({ meta: { a: ['x', 'y'] } })),
      Buffer.from('\x021\0'),
      Buffer.from('\x022\0'),
    );
    expect(readStoredLine(bytes).fault).to.equal('event-type');
  });
});

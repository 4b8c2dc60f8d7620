/** What is written to a spool file comes back from it, whatever its size. */
import { expect } from 'chai';
import fc from 'fast-check';
import { readSpooledEvent, readSpoolText, writeSpoolEvents } from '../../src/audit/spool-lines.js';
import { normalise } from '../../src/evidence/normalise.js';
import type { AuditEvent } from '../../src/event.js';
import { makeEvent } from './events.js';

function withMeta(meta: readonly unknown[]): AuditEvent[] {
  return meta.map((value, index) => {
    const _id = `01J00000000000000000000000.${String(index).padStart(12, '0')}`;
    return { ...makeEvent(), _id, at: new Date(1_700_000_000_000 + index), meta: { value: normalise(value) } };
  });
}

function expectBack(events: readonly AuditEvent[]): void {
  const { bytes, lengths } = writeSpoolEvents(events);
  const { records, isWhole } = readSpoolText(bytes);
  expect(isWhole).to.equal(true);
  expect(records.map(readSpooledEvent)).to.deep.equal(events);
  expect(lengths.reduce((sum, length) => sum + length, 0)).to.equal(bytes.length);
}

describe('The lines of a spool file', () => {
  it('give back events with any meta', () => {
    fc.assert(
      fc.property(fc.array(fc.anything({ withDate: true, withMap: true })), (meta) => expectBack(withMeta(meta))),
      { numRuns: 300, endOnFailure: true },
    );
  });

  it('give back events of every length, small ones beside large ones', () => {
    const lengths = [0, 400, 500, 600, 700, 900, 16_000, 1, 16_000, 2];
    expectBack(withMeta(lengths.map((length) => 'x'.repeat(length))));
    for (let length = 0; length < 700; length += 1) expectBack(withMeta(['é'.repeat(length)]));
    expectBack(withMeta(Array.from({ length: 20 }, (_, length) => 'y'.repeat(length * 100))));
    expectBack([]);
  });

  describe('behind the last line feed', () => {
    const events = withMeta([{ text: 'a "quoted" \\ text {[' }, [1, { b: 2 }]]);
    const { bytes } = writeSpoolEvents(events);
    const [first] = events;
    const read = (...parts: (Buffer | string)[]): (AuditEvent | null)[] =>
      readSpoolText(Buffer.concat(parts.map((part) => Buffer.from(part)))).records.map(readSpooledEvent);

    it('are nothing where a write did not come to its end, wherever that was', () => {
      const { lengths } = writeSpoolEvents(events);
      for (let length = lengths[0]!; length < bytes.length - 1; length += 1)
        expect(read(bytes.subarray(0, length)), String(length)).to.deep.equal([first]);
      expect(readSpoolText(bytes.subarray(0, -3)).isWhole).to.equal(false);
    });

    it('give back a line of which only the line feed is gone, or another byte', () => {
      expect(read(bytes.subarray(0, -1))).to.deep.equal(events);
      expect(read(bytes.subarray(0, -1), 'K')).to.deep.equal(events);
      expect(readSpoolText(bytes.subarray(0, -1)).isWhole).to.equal(false);
    });

    for (const [what, rest] of [
      ['zeros', Buffer.alloc(4096)],
      ['one zero', Buffer.alloc(1)],
      ['other bytes', Buffer.alloc(500, 7)],
      ['words', 'nonsense'],
      ['a line with a wrong checksum', '00112233 {"_id":"1"}'],
      ['a checksum and no object', '00112233 ["_id'],
      ['the beginning of a line and zeros', Buffer.concat([Buffer.from('00112233 {"_id":"'), Buffer.alloc(9)])],
    ] as const) {
      it(`say that something is damaged: ${what}`, () => {
        expect(read(bytes, rest)).to.deep.equal([...events, null]);
        expect(read(rest)).to.deep.equal([null]);
      });
    }
  });
});

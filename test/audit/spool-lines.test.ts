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
  const { records, torn } = readSpoolText(bytes);
  expect(torn).to.equal(0);
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
});

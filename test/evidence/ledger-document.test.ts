/** Documents of the ledger as lines of an export: they come back as they were, and what is no such line is refused. */
import { expect } from 'chai';
import { readEntry } from '../../src/evidence/entry.js';
import { copiesOf, readLedgerLine, writeLedgerLine } from '../../src/evidence/ledger-document.js';
import { HonestTrail } from './honest.js';

describe('evidence/ledger-document', () => {
  let trail: HonestTrail;

  before(async () => {
    trail = new HonestTrail();
    await trail.open('A');
    await trail.seal('A', 3);
    await trail.seal('A', 0);
    await trail.prune('A', 1);
  });

  it('writes one line of RFC 8785 text, bytes as base64, and reads it back', () => {
    for (const document of trail.documents) {
      const line = writeLedgerLine(document);
      expect(line).to.not.contain('\n');
      const members = JSON.parse(line) as Record<string, unknown>;
      expect(Object.keys(members)).to.deep.equal(Object.keys(members).sort());
      expect(members['peaks']).to.equal(document.peaks.toString('base64'));
      expect(readLedgerLine(line)).to.deep.equal(document);
    }
    expect(trail.documents.map((document) => document.leaves?.length)).to.deep.equal([
      undefined,
      96,
      undefined,
      undefined,
    ]);
  });

  it('copies of an entry what queries need, null where its kind has none', () => {
    const copies = trail.documents.map(({ entry }) => copiesOf(readEntry(entry)!));
    const stream = trail.documents[0]!.stream;
    expect(copies).to.deep.equal([
      { kind: 'open', stream, from: null },
      { kind: 'seal', stream, from: 0 },
      { kind: 'seal', stream, from: 3 },
      { kind: 'prune', stream: null, from: null },
    ]);
  });

  it('reads bytes that are none as missing, so that whoever looks must see it', () => {
    const line = writeLedgerLine(trail.documents[1]!);
    const broken = readLedgerLine(line.replace(/"leaves":"./, '"leaves":"*'))!;
    expect(broken.leaves).to.equal(undefined);
    expect(broken).to.have.property('leaves');
    expect(readLedgerLine(line.replace(/"peaks":"[^"]*"/, '"peaks":7'))?.peaks).to.equal(undefined);
  });

  for (const line of ['', 'null', '7', '"x"', '{', '{"_id":1', 'undefined'])
    it(`refuses ${JSON.stringify(line)}`, () => {
      expect(readLedgerLine(line)).to.equal(undefined);
    });
});

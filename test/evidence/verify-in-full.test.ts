/** `examples/verify-in-full.py`, run on honest export folders and on folders after each simple attack. */
import { expect } from 'chai';
import { type EntryDraft, readEntry } from '../../src/evidence/entry.js';
import { EMPTY_ROOT } from '../../src/evidence/tree.js';
import { makeHonestTrail, streamNamed } from './honest.js';
import { A, ATTACKS, believesOnlyGivenKeys, makeSmallTrail, partsOf, renumber, VerifyScript } from './verify-script.js';

describe('examples/verify-in-full.py', () => {
  const script = new VerifyScript('verify-in-full.py');
  before(function prepare() {
    return script.prepare(this);
  });
  after(() => script.remove());

  it('finds an honest trail intact: every kind of entry, segments of 0 to 5,000 events, a pruned part', async function big() {
    this.timeout(60_000);
    const trail = await makeHonestTrail();
    const parts = { lines: trail.lines(), documents: trail.documents, vkey: trail.vkey };
    const { code, text } = await script.judge(parts, { anchor: trail.documents[120]!.note });
    expect(text).to.equal(
      `${trail.events.size} events (0 not yet sealed), ${trail.documents.length} ledger entries, 0 faults\n`,
    );
    expect(code).to.equal(0);
  });

  it('finds the unsealed tail of a running stream intact, and counts it', async () => {
    const trail = await makeSmallTrail();
    trail.record('A', 2);
    const { code, text } = await script.judge(partsOf(trail));
    expect(text).to.match(/^27 events \(2 not yet sealed\)/);
    expect(code).to.equal(0);
  });

  it('finds an event intact whose stream began so short ago that the ledger need not know it yet', async () => {
    const trail = await makeSmallTrail();
    const young = streamAt(Date.parse(readEntry(trail.documents.at(-1)!.entry)!.at));
    const parts = partsOf(trail);
    const lines = [0, 1].map((sequence) => renumber(parts.lines[0]!, sequence).replaceAll(A, young));
    parts.lines = [...parts.lines, ...lines].sort();
    const { code, text } = await script.judge(parts);
    expect(text).to.match(/^27 events \(2 not yet sealed\), .* 0 faults$/m);
    expect(code).to.equal(0);
    const later = await script.judge({
      ...parts,
      lines: parts.lines.map((line) => line.replaceAll(young, streamAt(0))).sort(),
    });
    expect(later.text).to.match(/^0{26}\.000000000000: no seal covers it$/m);
  });

  for (const id of [7, null, { a: 1 }, ['x'], true])
    it(`finds a document whose _id is no text: ${JSON.stringify(id)}`, async () => {
      const parts = partsOf(await makeSmallTrail());
      parts.lines.unshift(JSON.stringify({ _id: id, bson: 'AA==' }));
      const { code, text } = await script.judge(parts);
      expect(text).to.match(/: no event of this package\n.* 1 faults$/m);
      expect(code).to.equal(1);
    });

  for (const [attack, change, finding] of ATTACKS)
    it(`finds ${attack}`, async () => {
      const parts = partsOf(await makeSmallTrail());
      change(parts);
      const { code, text } = await script.judge(parts);
      expect(text).to.match(finding);
      expect(code).to.equal(1);
    });

  const none = { count: 0, root: EMPTY_ROOT.toString('base64') } as const;
  const [B, C, Z] = [streamNamed('B'), streamNamed('C'), streamNamed('Z')];
  const WRONG_ENTRIES: Readonly<Record<string, EntryDraft>> = {
    'leaves numbers out': { kind: 'seal', by: A, stream: A, from: 21, ...none },
    'covers numbers again': { kind: 'seal', by: A, stream: A, from: 19, ...none },
    'goes on after the end of its stream': { kind: 'recover', by: A, stream: B, from: 5, ...none },
    'opens a stream again': { kind: 'open', by: C, stream: C, host: 'h', app: null },
    'is of a stream that nobody opened': { kind: 'seal', by: Z, stream: Z, from: 0, ...none },
  };
  for (const [what, draft] of Object.entries(WRONG_ENTRIES))
    it(`finds a signed entry that ${what}`, async () => {
      const trail = await makeSmallTrail();
      await trail.append(draft);
      const { code, text } = await script.judge(partsOf(trail));
      expect(text).to.match(/^ledger#9: not where .* goes on\n.* 1 faults$/m);
      expect(code).to.equal(1);
    });

  it('finds an unsealed event behind a number that is missing', async () => {
    const trail = await makeSmallTrail();
    trail.record('A', 3);
    const parts = partsOf(trail);
    parts.lines.splice(21, 1);
    const { code, text } = await script.judge(parts);
    expect(text).to.match(/AAA\.000000000022: no seal covers it\n27 events \(1 not yet sealed\)/);
    expect(code).to.equal(1);
  });

  it('finds events that the trail holds after its stream has long been silent', async () => {
    const trail = await makeSmallTrail();
    trail.record('A', 2);
    for (let second = 0; second < 301; second += 1) await trail.seal('C', 0);
    const { code, text } = await script.judge(partsOf(trail));
    expect(text).to.match(/AAA.000000000020: no seal covers it\n.*AAA.000000000021: no seal covers it$/m);
    expect(code).to.equal(1);
  });

  it('finds a ledger that is rolled back, or forked, by an anchor', async () => {
    const trail = await makeSmallTrail();
    const anchor = trail.documents.at(-1)!.note;
    const cut = { ...partsOf(trail), documents: trail.documents.slice(0, -1) };
    expect(await script.judge(cut, { anchor }))
      .to.include({ code: 1 })
      .and.to.have.property('text')
      .match(/ledger#8: cut off/);
    const other = await makeSmallTrail(9);
    expect(await script.judge(partsOf(other), { anchor }))
      .to.include({ code: 1 })
      .and.to.have.property('text')
      .match(/another one/);
    expect(await script.judge(partsOf(trail), { anchor })).to.include({ code: 0 });
  });

  believesOnlyGivenKeys(script);

  it('believes a key as long as it is valid', async () => {
    const parts = partsOf(await makeSmallTrail());
    const { code, text } = await script.judge(parts, { keys: `${parts.vkey} until=8` });
    expect(text).to.match(/no key that you trust/);
    expect(code).to.equal(1);
  });
});

/** A stream that began then, by its ULID. */
function streamAt(ms: number): string {
  const digits = Array.from({ length: 10 }, (_, place) => Math.floor(ms / 32 ** (9 - place)) % 32);
  return digits
    .map((digit) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[digit])
    .join('')
    .padEnd(26, '0');
}

/** `examples/verify.py`, short enough to be read: what it finds, and what it says of trails that are as they should be. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { makeHonestTrail } from './honest.js';
import { A, ATTACKS, believesOnlyGivenKeys, makeSmallTrail, partsOf, VerifyScript } from './verify-script.js';

/** A file in another order is the same trail. */
const NOT_ITS_MATTER = ['events in another order'];

describe('examples/verify.py', () => {
  const script = new VerifyScript('verify.py');
  before(function prepare() {
    return script.prepare(this);
  });
  after(() => script.remove());

  it('is short', async () => {
    const lines = (await readFile(resolve('examples/verify.py'), 'utf8'))
      .split('\n')
      .filter((line) => line.trim() !== '');
    expect(lines).to.have.length.below(50);
  });

  it('finds an honest trail intact: every kind of entry, segments of 0 to 5,000 events, a pruned part', async function big() {
    this.timeout(60_000);
    const trail = await makeHonestTrail();
    const { code, text } = await script.judge({
      lines: trail.lines(),
      documents: trail.documents,
      vkey: trail.vkey,
    });
    const { events, documents } = trail;
    expect(text).to.equal(`${events.size} events (0 not yet sealed), ${documents.length} ledger entries, 0 faults\n`);
    expect(code).to.equal(0);
  });

  it('finds the unsealed tail of a running stream intact, and counts it', async () => {
    const trail = await makeSmallTrail();
    trail.record('A', 2);
    const { code, text } = await script.judge(partsOf(trail));
    expect(text).to.match(/^27 events \(2 not yet sealed\), .* 0 faults$/m);
    expect(code).to.equal(0);
    const parts = partsOf(trail);
    parts.lines.splice(20, 1);
    expect((await script.judge(parts)).text).to.match(new RegExp(`^${A}.000000000021: no seal covers it$`, 'm'));
  });

  for (const [attack, change] of ATTACKS.filter(([name]) => !NOT_ITS_MATTER.includes(name)))
    it(`finds ${attack}`, async () => {
      const parts = partsOf(await makeSmallTrail());
      change(parts);
      const { code, text } = await script.judge(parts);
      if (parts.documents.length === 0) expect({ code, text }).to.deep.include({ code: 2 });
      else expect(text).to.match(/ [1-9]\d* faults$/m);
      expect(code).to.be.above(0);
    });

  believesOnlyGivenKeys(script);
});

/** Verification of trails that are as they should be, of every kind of honest history. Pure: no database. */
import { expect } from 'chai';
import fc from 'fast-check';
import { generateKey, readVerifierKey } from '../../src/evidence/keys.js';
import { verifyEvidence } from '../../src/evidence/verify.js';
import { live, makeTrail, sourceOf, START, Trail, trusting, violationsOf, VKEYS, warningsOf } from './trail.js';

const HOUR = 3_600_000;

describe('verification of an honest trail', () => {
  it('finds nothing in a trail with a closed, a recovered and a living stream, and says what there is', async () => {
    const trail = await makeTrail();
    const report = await trail.verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(report).to.include({ intact: true, events: trail.events.length, entries: trail.ledger.length });
    expect(report.newest).to.equal(trail.ledger.at(-1)?.note);
    expect(warningsOf(report)).to.deep.equal([
      `recovered-segment ledger#${trail.ledger.length - 1}`,
      `unsealed-tail ${trail.c}.000000000021`,
      `stream-open ledger#${trail.ledger.length - 1}`,
      `stream-open ledger#${trail.ledger.length - 2}`,
    ]);
  });

  it('finds nothing in an empty trail', async () => {
    const report = await new Trail().verify();
    expect(report).to.deep.include({ intact: true, events: 0, entries: 0, newest: null, violations: [], warnings: [] });
  });

  it('does not mind in which order the members of an event stand', async () => {
    const trail = await makeTrail();
    for (const [index, event] of trail.events.entries()) {
      trail.events[index] = Object.fromEntries(Object.entries(event).reverse()) as never;
    }
    expect((await trail.verify()).intact).to.equal(true);
  });

  it('lets pruned events be absent, and checks those that are still there', async () => {
    const trail = await makeTrail();
    await trail.prune(trail.c, 7);
    const report = await trail.verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(report.events).to.equal(trail.events.length);
  });

  it('takes adopted history as it was found, and warns of each entry', async () => {
    const trail = new Trail();
    const old = trail.newStream();
    trail.write(old, 5);
    trail.now += 24 * HOUR;
    const stream = await trail.open();
    await trail.seal(old, 'adopt', { by: stream, limit: 3 });
    await trail.seal(old, 'adopt', { by: stream });
    const report = await trail.verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(warningsOf(report)).to.deep.equal([
      'adopted-history ledger#1',
      'adopted-history ledger#2',
      'stream-open ledger#0',
    ]);
  });

  it('follows a rotation of keys: the old one up to its end, the new one from there', async () => {
    const trail = new Trail();
    const stream = await trail.open();
    trail.write(stream, 2);
    await trail.seal(stream);
    trail.key = 1;
    trail.write(stream, 2);
    await trail.seal(stream);
    const keys = trusting(`${VKEYS[0]} until=2`, VKEYS[1]!);
    expect(violationsOf(await trail.verify({ keys }))).to.deep.equal([]);
  });

  it('allows clocks that differ by 5 s, in the ledger and between an event and its seal', async () => {
    const trail = new Trail();
    const stream = await trail.open();
    trail.write(stream, 1, { at: new Date(trail.now + 5000) });
    await trail.seal(stream);
    trail.now -= 5000;
    await trail.seal(stream);
    expect(violationsOf(await trail.verify())).to.deep.equal([]);
  });

  it('takes a process that ended and one that was started anew for two streams', async () => {
    const trail = new Trail();
    const first = await trail.open();
    trail.write(first, 3);
    await trail.seal(first);
    trail.now += HOUR;
    const second = await trail.open();
    trail.write(second);
    const report = await trail.verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(warningsOf(report)).to.deep.equal([
      `unsealed-tail ${second}.000000000000`,
      'stream-not-closed ledger#1',
      'stream-open ledger#2',
    ]);
  });

  it('waits for the first entry of a stream that has just begun', async () => {
    const trail = new Trail();
    const stream = trail.newStream();
    trail.write(stream, 2);
    const report = await trail.verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(warningsOf(report)).to.deep.equal([`unsealed-tail ${stream}.000000000000`]);
  });

  it('warns of an event that is more than an hour older than the previous seal', async () => {
    const trail = new Trail();
    const stream = await trail.open();
    await trail.seal(stream);
    const exact = trail.write(stream, 1, { at: new Date(START - HOUR) });
    const late = trail.write(stream, 1, { at: new Date(START - HOUR - 1) });
    await trail.seal(stream);
    const report = await trail.verify();
    expect(violationsOf(report)).to.deep.equal([]);
    expect(warningsOf(report)).to.include(`event-late ${late}`).and.not.include(`event-late ${exact}`);
  });

  it('finds nothing in any history that honest processes make', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(), fc.nat(9)), { maxLength: 60 }), async (steps) => {
        const { trail } = await live(steps);
        const report = await trail.verify();
        expect(violationsOf(report)).to.deep.equal([]);
        expect(report.events).to.equal(trail.events.length);
      }),
      { numRuns: 150 },
    );
  });

  it('rejects without a key, and with a malformed key', async () => {
    const source = sourceOf(new Trail());
    const failed = await verifyEvidence(source, { keys: [], now: new Date() }).catch((error: unknown) => error);
    expect(failed).to.include({ code: 'ERR_STRONGROOM_OPTIONS_INVALID' });
    expect(() => readVerifierKey(generateKey('x').vkey.replace('x', 'y'), 'keys')).to.throw(/keys is damaged/);
  });

  it('tells how far it is, up to all that there is', async () => {
    const trail = await makeTrail();
    const told: { done: number; total: number }[] = [];
    await trail.verify({ onProgress: (progress) => told.push(progress) });
    const total = trail.events.length + trail.ledger.length;
    expect(told.at(-1)).to.deep.equal({ done: total, total });
    expect(told.every(({ done }, index) => index === 0 || done >= told[index - 1]!.done)).to.equal(true);
  });
});

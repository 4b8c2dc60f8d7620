/** What anchors and a saved state prove: roll-backs and forks that a ledger alone cannot show. Pure: no database. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { VerifyState } from '../../src/evidence/report.js';
import { live, makeTrail, sourceOf, Trail, trusting, violationsOf, VKEYS, warningsOf } from './trail.js';

/** Another honest ledger of the same keys, with as many entries. */
async function makeOther(size: number): Promise<Trail> {
  const other = new Trail();
  const stream = await other.open();
  while (other.ledger.length < size) await other.seal(stream);
  return other;
}

function cut(trail: Trail, size: number): void {
  trail.ledger.length = size;
}

describe('anchors', () => {
  it('are satisfied by the ledger that they were taken from, however far it has grown', async () => {
    const trail = await makeTrail();
    const notes = trail.ledger.map(({ note }) => note);
    const lines = notes.map((note) => JSON.stringify({ type: 'strongroom.checkpoint', note }));
    const anchors = [
      notes[3]!,
      notes.map((note) => `\n${note}\n`).join(''),
      ['listening on 3000', ...lines].join('\n'),
    ];
    const report = await trail.verify({ anchors });
    expect(violationsOf(report)).to.deep.equal([]);
    expect(warningsOf(report).filter((text) => text.startsWith('anchor'))).to.deep.equal([]);
  });

  it('show that the ledger was rolled back, and to where', async () => {
    const trail = await makeTrail();
    const anchors = [trail.ledger[2]!.note, trail.ledger.at(-1)!.note];
    trail.events.length = 0;
    cut(trail, 1);
    const report = await trail.verify({ anchors });
    expect(violationsOf(report)).to.deep.equal(['ledger-truncated ledger#1']);
  });

  it('show that all of it is gone', async () => {
    const trail = await makeTrail();
    const anchors = [trail.ledger[2]!.note];
    expect(violationsOf(await new Trail().verify({ anchors }))).to.deep.equal(['ledger-truncated ledger#0']);
  });

  it('show that another ledger stands in its place, at the first size that differs', async () => {
    const trail = await makeTrail();
    const other = await makeOther(trail.ledger.length);
    const anchors = [trail.ledger[7]!.note, trail.ledger[4]!.note];
    expect(violationsOf(await other.verify({ anchors }))).to.deep.equal(['ledger-forked ledger#4']);
  });

  it('warn when they are of no use: no note, a foreign key, a bad signature, another log', async () => {
    const trail = await makeTrail();
    const foreign = new Trail();
    foreign.key = 2;
    await foreign.open();
    const torn = trail.ledger[3]!.note.replace(/^/, 'x');
    const anchors = ['', 'nothing', foreign.ledger[0]!.note, torn];
    const report = await trail.verify({ anchors });
    expect(violationsOf(report)).to.deep.equal([]);
    const unusable = ['anchor#1', 'anchor#2', 'anchor#3', 'anchor#4'].map((where) => `anchor-unusable ${where}`);
    expect(warningsOf(report).filter((text) => text.startsWith('anchor'))).to.deep.equal(unusable);
    const trusted = await trail.verify({ anchors: [foreign.ledger[0]!.note], keys: trusting(...VKEYS) });
    expect(warningsOf(trusted)).to.include('anchor-unusable anchor#1');
    const checkpoint = { origin: 'log.example/a', size: 2, root: Buffer.alloc(32) };
    const misnamed = await trail.verify({ anchors: [await foreign.sign(checkpoint)], keys: trusting(...VKEYS) });
    expect(violationsOf(misnamed)).to.deep.equal([]);
    expect(warningsOf(misnamed)).to.include('anchor-unusable anchor#1');
  });
});

describe('a saved state', () => {
  it('is an anchor', async () => {
    const trail = await makeTrail();
    const { state } = await trail.verify();
    expect(state).to.deep.include({ v: 1, size: trail.ledger.length, origin: 'log.example/a' });
    const other = await makeOther(trail.ledger.length);
    expect(violationsOf(await other.verify({ state }))).to.include(`ledger-forked ledger#${trail.ledger.length - 1}`);
    trail.events.length = 0;
    cut(trail, 1);
    expect(violationsOf(await trail.verify({ state }))).to.deep.equal(['ledger-truncated ledger#1']);
  });

  it('is kept by an empty trail too, and serves it when it has grown', async () => {
    const { state } = await new Trail().verify();
    expect((await (await makeTrail()).verify({ state: JSON.parse(JSON.stringify(state)) })).intact).to.equal(true);
  });

  it('spares the signatures that were checked, and hides no edit of any note, entry or event', async () => {
    const trail = await makeTrail();
    const { state } = await trail.verify();
    expect((await trail.verify({ state })).intact).to.equal(true);
    const note = trail.ledger[5]!.note;
    const bad = note.split('\n\n')[0] + '\n\n' + trail.ledger[4]!.note.split('\n\n')[1];
    trail.ledger[5] = { ...trail.ledger[5]!, note: bad };
    expect(violationsOf(await trail.verify({ state }))).to.deep.equal(['ledger-bad-signature ledger#5']);
    trail.ledger[5] = { ...trail.ledger[5], note };
    trail.find(`${trail.a}.000000000001`)['actorId'] = 'someone';
    expect(violationsOf(await trail.verify({ state }))).to.deep.equal([`event-edited ${trail.a}.000000000001`]);
  });

  it('of a trail that was not intact spares nothing', async () => {
    const trail = await makeTrail();
    const note = trail.ledger[5]!.note;
    trail.ledger[5] = {
      ...trail.ledger[5]!,
      note: note.split('\n\n')[0] + '\n\n' + trail.ledger[4]!.note.split('\n\n')[1],
    };
    const { state } = await trail.verify();
    expect(violationsOf(await trail.verify({ state }))).to.deep.equal(['ledger-bad-signature ledger#5']);
  });

  it('spares nothing when other keys are trusted, or for another time', async () => {
    const trail = await makeTrail();
    const { state } = await trail.verify();
    const report = await trail.verify({ state, keys: trusting(VKEYS[1]!) });
    expect([...new Set(report.violations.map(({ kind }) => kind))]).to.deep.equal(['ledger-no-known-signature']);
    const retired = await trail.verify({
      state,
      keys: trusting(`${VKEYS[0]} until=${trail.ledger.length - 1}`, VKEYS[1]!),
    });
    expect(violationsOf(retired)).to.deep.equal([`ledger-retired-key ledger#${trail.ledger.length - 1}`]);
  });

  it('that is malformed is refused, and named', async () => {
    const trail = await makeTrail();
    const { state } = await trail.verify();
    const wrong: readonly [Record<string, unknown>, RegExp][] = [
      [{ v: 2 }, /state\.v must be 1/],
      [{ size: -1 }, /state\.size must be a whole number/],
      [{ size: 1.5 }, /state\.size/],
      [{ size: 0 }, /state\.root does not belong to state\.size/],
      [{ root: 'AA==' }, /state\.root must be the base64 of 32 bytes/],
      [{ origin: 7 }, /state\.origin must be a name or null/],
      [{ notes: 'x' }, /state\.notes/],
      [{ keys: null }, /state\.keys/],
      [{ sizes: 1 }, /did you mean "size"/],
    ];
    for (const [given, message] of wrong) {
      const malformed = { ...state, ...given } as VerifyState;
      const error = await trail.verify({ state: malformed }).catch((reason: unknown) => reason);
      expect(error, JSON.stringify(given)).to.include({ code: 'ERR_STRONGROOM_OPTIONS_INVALID' });
      expect((error as Error).message).to.match(message);
    }
  });
});

describe('verification while writers go on', () => {
  /** The trail as a source, and what happens before its events, and then with each batch, both before it is handed over and after. */
  function during(trail: Trail, happens: (batch: number) => unknown, size: number = 2): ReturnType<typeof sourceOf> {
    const source = sourceOf(trail, size);
    return {
      ...source,
      async *events() {
        let batch = 0;
        await happens(batch);
        for await (const events of source.events()) {
          await happens((batch += 1));
          yield events;
          await happens((batch += 1));
        }
      },
    };
  }

  it('accuses no stream that is opened, written, sealed and closed meanwhile', async () => {
    const trail = await makeTrail();
    const source = during(trail, async (batch) => {
      if (batch > 8) return;
      trail.now += 1000;
      const stream = await trail.open();
      trail.write(stream, 1 + (batch % 4));
      if (batch % 2 === 0) await trail.seal(stream, batch % 4 === 0 ? 'close' : 'seal');
    });
    expect(violationsOf(await trail.verify({}, source))).to.deep.equal([]);
  });

  it('accuses nobody of events that are pruned meanwhile', async () => {
    const trail = await makeTrail();
    const source = during(trail, (batch) => (batch === 4 ? trail.prune(trail.c, 12) : undefined));
    expect(violationsOf(await trail.verify({}, source))).to.deep.equal([]);
  });

  it('accuses nobody of events that are pruned twice meanwhile', async () => {
    const trail = await makeTrail();
    const source = during(trail, (batch) => (batch % 6 === 2 ? trail.prune(trail.c, batch) : undefined));
    expect(violationsOf(await trail.verify({}, source))).to.deep.equal([]);
  });

  it('does not look for the events of a stream that wrote its first ones when its place had been passed', async () => {
    const trail = new Trail();
    const [first, silent, last] = [await trail.open(), await trail.open(), await trail.open()];
    for (const stream of [first, last]) {
      trail.write(stream, 4);
      await trail.seal(stream);
    }
    const source = during(trail, async (batch) => {
      if (batch !== 6) return;
      trail.write(silent, 2);
      await trail.seal(silent);
      await trail.prune(first, 4);
    });
    expect(violationsOf(await trail.verify({}, source))).to.deep.equal([]);
  });

  it('does not look for events that were written behind a batch which had been read', async () => {
    const trail = new Trail();
    const [first, last] = [await trail.open(), await trail.open()];
    trail.write(first, 3);
    await trail.seal(first);
    trail.write(last, 3);
    const source = during(
      trail,
      async (batch) => {
        if (batch !== 1) return;
        await trail.prune(last, 2);
        trail.write(first, 2);
        await trail.seal(first);
      },
      10,
    );
    trail.delete(`${first}.000000000000`);
    expect(violationsOf(await trail.verify({}, source))).to.deep.equal([]);
  });

  it('accuses nobody of an event that was written, sealed and closed in while its stream was read', async () => {
    const trail = new Trail();
    const [stream, other] = [await trail.open(), await trail.open()];
    trail.write(stream);
    await trail.seal(stream);
    const source = during(trail, async (batch) => {
      if (batch !== 0) return;
      await trail.prune(other, 2);
      trail.write(stream);
      await trail.seal(stream, 'close');
    });
    expect(violationsOf(await trail.verify({}, source))).to.deep.equal([]);
  });

  it('accuses no process that slept for an hour, wakes up and seals', async () => {
    const trail = await makeTrail();
    const now = new Date(trail.now + 3_600_000);
    trail.now = now.getTime();
    const source = during(trail, async (batch) => {
      if (batch !== 1) return;
      trail.write(trail.c, 5);
      await trail.seal(trail.c);
    });
    expect(violationsOf(await trail.verify({ now }, source))).to.deep.equal([]);
  });

  it('still finds an event that is deleted while entries are appended', async () => {
    const trail = await makeTrail();
    const source = during(trail, async (batch) => {
      if (batch > 8) return;
      trail.write(trail.c, 1);
      await trail.seal(trail.c);
      if (batch === 1) trail.delete(`${trail.b}.000000000004`);
    });
    const report = await trail.verify({}, source);
    expect(violationsOf(report)).to.deep.equal([`event-missing ${trail.b}.000000000004`]);
  });

  it('accuses nobody, whatever honest processes do between any two batches', async () => {
    const step = fc.tuple(fc.nat(), fc.nat(9));
    const steps = fc.array(step, { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(steps, steps, fc.integer({ min: 1, max: 5 }), async (before, meanwhile, size) => {
        const { trail, step } = await live(before);
        const now = new Date(trail.now);
        const left = [...meanwhile];
        const happens = async (): Promise<void> => {
          for (const [choice, amount] of left.splice(0, 3)) await step(choice, amount);
        };
        expect(violationsOf(await trail.verify({ now }, during(trail, happens, size)))).to.deep.equal([]);
      }),
      { numRuns: 200 },
    );
  });
});

/** What is noticed while the app runs: a ledger that is not as it was left, junk in the way, seals that lag. On a real mongod, attacked with an admin connection. */
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import type { Alarm } from '../../src/audit/alarm.js';
import { createStream } from '../../src/audit/stream.js';
import { type EntryDraft, placeEntry, readEntry, writeEntry } from '../../src/evidence/entry.js';
import { generateKey, readSigningKey, type Signer } from '../../src/evidence/keys.js';
import { copiesOf } from '../../src/evidence/ledger-document.js';
import { signCheckpoint } from '../../src/evidence/note.js';
import { CompactRange, EMPTY_ROOT, leafHash } from '../../src/evidence/tree.js';
import { startMongod } from '../mongod.js';
import { makeEvent } from './events.js';
import { codeOf, SealingWorld, until, type Writer } from './sealing-world.js';

const LEDGER_ALARM = 'ERR_STRONGROOM_LEDGER_ALARM';
const EMPTY = EMPTY_ROOT.toString('base64');

describe('Alarms', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let world: SealingWorld;
  let databases = 0;

  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());
  beforeEach(async () => {
    databases += 1;
    world = await SealingWorld.open(server.getUri(`alarm_${databases}`));
  });
  afterEach(() => world.close());

  /** A document that follows from the ledger in all its parts, as far as its signer may sign. */
  async function forge(
    draft: EntryDraft,
    more: { signer?: Signer; origin?: string; at?: Date } = {},
  ): Promise<Record<string, unknown>> {
    const documents = await world.documents();
    const n = documents.length;
    const range = new CompactRange();
    for (const { entry } of documents) range.append(leafHash(entry));
    const entry = placeEntry(draft, n, more.at ?? new Date());
    const text = writeEntry(entry);
    range.append(leafHash(text));
    const { origin = 'audit.test/sealing', signer = readSigningKey(world.key.signingKey, 'key') } = more;
    const note = await signCheckpoint({ origin, size: n + 1, root: range.root() }, signer);
    return { _id: n, ...copiesOf(entry), entry: text, note, peaks: Buffer.concat(range.peaks) };
  }

  const opening = (): EntryDraft => {
    const { id } = createStream();
    return { kind: 'open', by: id, stream: id, host: 'h', app: null };
  };
  const stranger = (name = 'audit.test/sealing'): Signer => readSigningKey(generateKey(name).signingKey, 'key');

  async function sealedWriter(): Promise<Writer> {
    const writer = world.writer();
    await writer.sealed(2);
    return writer;
  }

  /** Tells one alarm, and goes on when what is in the way is gone. */
  async function expectAlarm(writer: Writer, alarm: Partial<Alarm>, mend: () => Promise<unknown>): Promise<void> {
    await writer.record(1);
    expect(await codeOf(writer.sealer.seal())).to.equal(LEDGER_ALARM);
    expect(writer.alarms.at(-1)).to.include(alarm);
    await writer.record(1);
    await mend();
    await writer.sealer.seal();
    await writer.sealer.close(5000);
    const { violations } = await world.verify();
    expect(violations).to.deep.equal([]);
    expect((await world.told(writer.id)).slice(-2)).to.deep.equal(['seal 2+2', 'close 4+0']);
  }

  describe('of what an admin did', () => {
    it('a rollback: the newest entries are gone, until they are restored', async () => {
      const writer = await sealedWriter();
      const documents = await world.ledger.find().toArray();
      await world.ledger.deleteMany({ _id: { $gte: 1 } as never });
      await expectAlarm(writer, { kind: 'ledger-truncated', where: 'ledger#1' }, () =>
        world.ledger.insertOne(documents[1] as never),
      );
    });

    it('a fork: the last entry is another one, in one byte of any of its parts, until it is restored', async () => {
      const writer = await sealedWriter();
      const { note = '' } = (await world.documents())[1] ?? {};
      await world.ledger.updateOne({ _id: 1 as never }, { $set: { note: note.replace(/.\n$/, 'A\n') } });
      await expectAlarm(writer, { kind: 'ledger-forked', where: 'ledger#1' }, () =>
        world.ledger.updateOne({ _id: 1 as never }, { $set: { note } }),
      );
    });

    it('all of it gone', async () => {
      const writer = await sealedWriter();
      const documents = await world.ledger.find().toArray();
      await world.ledger.deleteMany({});
      await expectAlarm(writer, { kind: 'ledger-truncated', where: 'ledger#0' }, () =>
        world.ledger.insertMany(documents),
      );
    });
  });

  describe('of what anyone wrote who may insert', () => {
    const remove = async (): Promise<unknown> =>
      world.ledger.deleteMany({ $or: [{ _id: { $gte: 2 } }, { _id: { $not: { $type: 'number' } } }] } as never);

    const JUNK: [title: string, kind: string, document: Record<string, unknown>][] = [
      ['nothing but a number', 'ledger-entry-malformed', { _id: 2 }],
      ['wrong types', 'ledger-entry-malformed', { _id: 2, entry: 5, note: {}, peaks: [] }],
      ['the largest document', 'ledger-entry-malformed', { _id: 2, entry: 'x'.repeat(15_000_000) }],
      ['a number further on', 'ledger-gap', { _id: 7 }],
      ['a number between two', 'ledger-gap', { _id: 2.5 }],
      ['the largest number', 'ledger-gap', { _id: Number.POSITIVE_INFINITY }],
    ];
    for (const [title, kind, document] of JUNK) {
      it(`junk at the next number, until it is removed: ${title}`, async () => {
        const writer = await sealedWriter();
        await world.ledger.insertOne(document);
        await expectAlarm(writer, { kind, where: 'ledger#2' }, remove);
      });

      it(`junk that was there when the process started: ${title}`, async () => {
        await (await sealedWriter()).sealer.close(5000);
        await world.ledger.insertOne({ ...document, _id: (document['_id'] as number) + 1 } as never);
        const writer = world.writer();
        await writer.record(1);
        expect(await codeOf(writer.sealer.seal())).to.equal(LEDGER_ALARM);
        await world.ledger.deleteMany({ _id: { $gte: 3 } as never });
        await writer.sealer.seal();
        expect(await world.told(writer.id)).to.deep.equal(['open', 'seal 0+1']);
      });
    }

    it('is not in the way under an _id that is no number, however much of it', async () => {
      const writer = await sealedWriter();
      await world.ledger.insertMany([
        { _id: 'a' },
        { _id: new Date() },
        { _id: -1 },
        { _id: { n: 2 } },
        { _id: Number.NaN },
      ] as never[]);
      await writer.sealed(1);
      expect(writer.alarms).to.deep.equal([]);
      const later = world.writer();
      await later.sealed(1);
      expect(later.alarms).to.deep.equal([]);
    });

    it('a copy for queries that says something else, and peaks of another tree', async () => {
      const writer = await sealedWriter();
      const good = await forge(opening());
      await world.ledger.insertOne({ ...good, kind: 'seal' });
      await writer.sealer.seal().catch(() => undefined);
      expect(writer.alarms.at(-1)).to.include({ kind: 'ledger-index-field', where: 'ledger#2' });
      await remove();
      await world.ledger.insertOne({ ...good, peaks: Buffer.alloc(64) });
      await expectAlarm(writer, { kind: 'ledger-peaks', where: 'ledger#2' }, remove);
    });

    it('a signature that is wrong', async () => {
      const writer = await sealedWriter();
      const good = await forge(opening());
      const { note } = await forge(opening());
      const [, , , , line] = String(note).split('\n');
      const [origin, size, root] = String(good['note']).split('\n');
      await world.ledger.insertOne({ ...good, note: `${origin}\n${size}\n${root}\n\n${line}\n` });
      await expectAlarm(writer, { kind: 'ledger-bad-signature', where: 'ledger#2' }, remove);
    });

    it('a note over another ledger', async () => {
      const writer = await sealedWriter();
      const { note } = await forge(opening());
      await world.ledger.insertOne({ ...(await forge(opening())), note });
      await expectAlarm(writer, { kind: 'ledger-root-mismatch', where: 'ledger#2' }, remove);
    });

    it('an entry of another log', async () => {
      const writer = await sealedWriter();
      const other = { signer: stranger('other.test'), origin: 'other.test' };
      await world.ledger.insertOne(await forge(opening(), other));
      await expectAlarm(writer, { kind: 'ledger-origin', where: 'ledger#2' }, remove);
    });

    for (const kind of ['seal', 'close', 'recover', 'adopt'] as const) {
      it(`a ${kind} of a stream that this process writes, by a key that nobody knows`, async () => {
        const writer = await sealedWriter();
        const by = kind === 'seal' || kind === 'close' ? writer.id : createStream().id;
        const draft: EntryDraft = { kind, by, stream: writer.id, from: 2, count: 0, root: EMPTY };
        await world.ledger.insertOne(await forge(draft, { signer: stranger() }));
        await expectAlarm(writer, { kind: 'ledger-no-known-signature', where: 'ledger#2' }, remove);
      });
    }

    it('an entry from the future, by a key that nobody knows', async () => {
      const writer = await sealedWriter();
      const at = new Date('2999-01-01T00:00:00.000Z');
      await world.ledger.insertOne(await forge(opening(), { signer: stranger(), at }));
      await expectAlarm(writer, { kind: 'ledger-no-known-signature', where: 'ledger#2' }, remove);
    });

    it('goes on behind an entry of a key that is not known here, with a warning, and recovers nothing of its stream', async () => {
      const warnings: Error[] = [];
      const listen = (warning: Error): void => void warnings.push(warning);
      process.on('warning', listen);
      let aheadMs = 0;
      const writer = world.writer({ now: () => Date.now() + aheadMs });
      await writer.sealed(2);
      const strange = opening();
      await world.ledger.insertOne(await forge(strange, { signer: stranger() }));
      await world.trail.insertOne(makeEvent({ _id: `${strange.by}.000000000000` }) as never);
      await writer.sealed(1);
      aheadMs = 600_000;
      await writer.sealed(1);
      expect(writer.alarms).to.deep.equal([]);
      expect(await world.told()).to.deep.equal(['open', 'seal 0+2', 'open', 'seal 2+1', 'seal 3+1']);
      await until(() => warnings.some(({ message }) => message.includes('audit.evidence.keys')));
      process.off('warning', listen);
      const { violations } = await world.verify();
      expect(violations.map(({ kind, where }) => [kind, where])).to.deep.equal([
        ['ledger-no-known-signature', 'ledger#2'],
      ]);
    });
  });

  describe('of a whole room', () => {
    it('are an event and one JSON line on stderr, while recording goes on; seal() rejects; sealing goes on by itself afterwards', async () => {
      const alarms: Alarm[] = [];
      const hooks = { events: { 'audit:alarm': (alarm: Alarm) => void alarms.push(alarm) } };
      const room = world.room({ sealEvery: '20ms' }, { hooks });
      await room.audit.record({ action: 'user.update' });
      await room.audit.seal();
      const lines: string[] = [];
      const { write } = process.stderr;
      process.stderr.write = (text: string) => lines.push(text) > 0;
      try {
        const size = await world.ledger.countDocuments();
        await world.ledger.insertOne({ _id: size, entry: 'junk' } as never);
        await until(() => alarms.length > 0);
        await room.audit.record({ action: 'user.update' });
        expect(await codeOf(room.audit.seal())).to.equal(LEDGER_ALARM);
        expect((await room.ready()).audit).to.include({ evidence: 'unsealed' });
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect(alarms).to.have.length(1);
        expect(alarms[0]).to.include({ kind: 'ledger-entry-malformed', where: `ledger#${size}` });
        expect(lines.map((line) => JSON.parse(line) as object)).to.deep.equal([
          { level: 'error', package: 'express-strongroom', message: 'the audit trail raised an alarm', ...alarms[0] },
        ]);
        await world.ledger.deleteOne({ _id: size as never });
        await until(async () => (await world.told()).includes('seal 1+1'));
      } finally {
        process.stderr.write = write;
      }
      await room.close();
      expect(await world.intact()).to.deep.equal([]);
    });

    it('tell that seals lag behind, and where they stand', async () => {
      const writer = world.writer({ lagAlarmMs: 0 });
      await writer.sealed(3);
      await world.ledger.insertOne({ _id: 2 } as never);
      await writer.record(1);
      await writer.sealer.seal().catch(() => undefined);
      expect(writer.alarms.map(({ kind, where }) => [kind, where])).to.deep.equal([
        ['ledger-entry-malformed', 'ledger#2'],
        ['seal-lag', `${writer.id}.000000000003`],
      ]);
    });
  });

  it('reads many large documents without keeping them all', async () => {
    const writer = await sealedWriter();
    const entry = 'x'.repeat(12_000_000);
    for (let n = 2; n < 22; n += 1) await world.ledger.insertOne({ _id: n, entry } as never);
    const before = process.memoryUsage().rss;
    await writer.sealer.seal().catch(() => undefined);
    expect(process.memoryUsage().rss - before).to.be.below(150 * 1024 * 1024);
    expect(readEntry(entry)).to.equal(undefined);
    expect(await world.store.read(2, 1000)).to.have.length.below(3);
  });
});

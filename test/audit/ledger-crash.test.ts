/** A server without a replica set shows entries that are not in its journal yet, and takes them back when it is killed. Here they are deleted as the crash would. */
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import type { LedgerStore } from '../../src/audit/ledger-store.js';
import { readNote } from '../../src/evidence/note.js';
import { startMongod } from '../mongod.js';
import { codeOf, SealingWorld, until, type Writer, type WriterOptions } from './sealing-world.js';

const UNAVAILABLE = 'ERR_STRONGROOM_AUDIT_UNAVAILABLE';
/** Longer than what was read stays in doubt. */
const SETTLED_MS = 1100;

describe('The ledger, when a killed server takes back what it showed', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let world: SealingWorld;
  let databases = 0;

  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop().then(() => undefined));
  beforeEach(async () => {
    databases += 1;
    world = await SealingWorld.open(new URL(`/crash_${databases}`, server.getUri()).href);
  });
  afterEach(() => world.close());

  /** A writer whose second entry is stored, and who never hears of it. */
  function unheard(options: WriterOptions = {}): Writer {
    let inserts = 0;
    const store = (real: LedgerStore): LedgerStore => ({
      ...real,
      async insert(document) {
        inserts += 1;
        const outcome = await real.insert(document);
        return inserts === 2 ? { kind: 'unknown', error: new Error('no answer') } : outcome;
      },
    });
    return world.writer({ ...options, store });
  }

  /** The writer seals, and hears nothing. */
  async function sealUnheard(writer: Writer, count: number): Promise<void> {
    await writer.record(count);
    expect(await codeOf(writer.sealer.seal())).to.equal(UNAVAILABLE);
  }

  async function takeBack(): Promise<void> {
    const [newest] = (await world.documents()).reverse();
    expect((await world.ledger.deleteOne({ _id: newest!._id as never })).deletedCount).to.equal(1);
  }

  async function expectIntact(writers: readonly Writer[], told: readonly string[]): Promise<void> {
    for (const { alarms } of writers) expect(alarms).to.deep.equal([]);
    expect(await world.told()).to.deep.equal(told);
    await world.intact();
  }

  it('accuses nobody, and goes on where the ledger ends now', async () => {
    const [writer, reader] = [unheard(), world.writer()];
    await reader.sealed(1);
    await sealUnheard(writer, 2);
    await reader.sealer.seal();
    await takeBack();
    await reader.sealed(1);
    await writer.sealer.seal();
    await expectIntact([writer, reader], ['open', 'seal 0+1', 'open', 'seal 1+1', 'seal 0+2']);
  });

  it('does so also where all that is known of it was read', async () => {
    const [writer, reader] = [unheard(), world.writer()];
    await sealUnheard(writer, 2);
    await reader.sealer.seal();
    await takeBack();
    await reader.sealed(1);
    await writer.sealer.seal();
    await expectIntact([writer, reader], ['open', 'open', 'seal 0+1', 'seal 0+2']);
  });

  it('does so also where nothing is left of it', async () => {
    const [writer, reader] = [world.writer(), world.writer()];
    await writer.sealer.open(writer.id);
    await reader.sealer.seal();
    await world.ledger.deleteMany({});
    await reader.sealed(1);
    await expectIntact([reader], ['open', 'seal 0+1']);
  });

  it('recovers a stream from where it is sealed now', async () => {
    let now = Date.now();
    const writer = unheard();
    const reader = world.writer({ now: () => now, evidence: { deadAfter: '30s' } });
    await writer.sealer.open(writer.id);
    // Certain is that the stream was opened.
    await reader.sealed(1);
    await sealUnheard(writer, 2);
    await writer.storeOnly(2);
    await reader.sealer.seal();
    await takeBack();
    now += 60_000;
    await until(async () => {
      await reader.sealer.seal();
      return (await world.told()).includes('recover 0+4');
    });
    expect(reader.alarms).to.deep.equal([]);
    await world.intact({ now: new Date(now) });
  });

  it('seals again what its own entry had sealed', async () => {
    const writer = unheard();
    await sealUnheard(writer, 2);
    // Now it finds it.
    await writer.sealer.seal();
    await takeBack();
    await writer.sealed(1);
    await expectIntact([writer], ['open', 'seal 0+2', 'seal 2+1']);
  });

  it('seals itself what another one had recovered', async () => {
    const later = Date.now() + 60_000;
    const [writer, other] = [world.writer(), unheard({ now: () => later, evidence: { deadAfter: '30s' } })];
    await writer.record(2);
    expect(await codeOf(other.sealer.seal())).to.equal(UNAVAILABLE);
    expect(await world.told()).to.deep.equal(['open', 'open', 'recover 0+2']);
    await writer.sealer.seal();
    await takeBack();
    await writer.sealed(1);
    expect(writer.alarms).to.deep.equal([]);
    expect(await world.told()).to.deep.equal(['open', 'open', 'seal 0+3']);
    await world.intact({ now: new Date(later) });
  });

  it('raises the alarm about what is gone after the journal had its time', async () => {
    const [writer, reader] = [world.writer(), world.writer()];
    await reader.sealed(1);
    await writer.sealed(2);
    await reader.sealer.seal();
    const seenMs = performance.now();
    await until(() => performance.now() - seenMs > SETTLED_MS);
    await reader.sealer.seal();
    await takeBack();
    expect(await codeOf(reader.sealer.seal())).to.equal('ERR_STRONGROOM_LEDGER_ALARM');
    expect(reader.alarms.map(({ kind }) => kind)).to.deep.equal(['ledger-truncated']);
  });

  it('raises it at once about what was acknowledged', async () => {
    const writer = world.writer();
    await writer.sealed(2);
    await takeBack();
    expect(await codeOf(writer.sealer.seal())).to.equal('ERR_STRONGROOM_LEDGER_ALARM');
  });

  it('gives anchors only notes of what stays', async () => {
    const sizes: unknown[] = [];
    const put = (note: string): Promise<void> => Promise.resolve(void sizes.push(readNote(note)?.checkpoint.size));
    const [writer, reader] = [unheard(), world.writer({ anchors: [{ put }] })];
    await reader.sealed(1);
    await sealUnheard(writer, 2);
    await reader.sealer.seal();
    expect(sizes).to.deep.equal([2]);
    const seenMs = performance.now();
    await until(() => performance.now() - seenMs > SETTLED_MS);
    await reader.sealer.seal();
    await until(() => sizes.at(-1) === 4);
  });
});

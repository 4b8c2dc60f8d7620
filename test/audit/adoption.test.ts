/** History from before sealing was switched on: who takes it over, what of it, and that it is not accused. On a real mongod. */
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { adoptHistory } from '../../src/audit/adoption.js';
import { Ledger } from '../../src/audit/ledger.js';
import type { LedgerStore } from '../../src/audit/ledger-store.js';
import { createStream } from '../../src/audit/stream.js';
import { readSigningKey, readVerifierKey } from '../../src/evidence/keys.js';
import { startMongod } from '../mongod.js';
import { SealingWorld, until } from './sealing-world.js';

const LONG_AGO = new Date(Date.now() - 86_400_000);
const WARNINGS = ['adopted-history', 'stream-open'];

describe('Adoption', function suite() {
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
    world = await SealingWorld.open(server.getUri(`adoption_${databases}`));
  });
  afterEach(() => world.close());

  /** A stream of long ago, without the numbers that are gone. */
  async function writeHistory(count: number, gone: readonly number[] = []): Promise<string> {
    const writer = world.writer();
    const events = await writer.storeOnly(count, { at: LONG_AGO });
    const ids = events.filter((_, index) => gone.includes(index)).map(({ _id }) => _id);
    await world.trail.deleteMany({ _id: { $in: ids as never[] } });
    return writer.id;
  }

  it('is done by the writer of the first entry, for streams that nobody writes any more', async () => {
    const old = await writeHistory(3);
    const young = world.writer();
    await young.storeOnly(2);
    const writer = world.writer();
    await writer.sealed(1);
    expect(await world.told(old)).to.deep.equal(['adopt 0+3']);
    expect(await world.told(young.id)).to.deep.equal([]);
    expect((await world.entries()).at(-1)).to.include({ kind: 'adopt', by: writer.id });
  });

  it('is not accused', async () => {
    await writeHistory(3);
    await world.writer().sealed(1);
    expect(await world.intact()).to.have.members(WARNINGS);
  });

  it('is done by a whole room that switches evidence on, after one that had it off', async () => {
    const before = world.room(false);
    await before.audit.record({ action: 'user.update', at: LONG_AGO });
    await before.close();
    expect(await world.ledger.countDocuments()).to.equal(0);
    const room = world.room({ sealEvery: '20ms' });
    await room.audit.record({ action: 'user.update' });
    await until(async () => (await world.told()).includes('adopt 0+1'));
    await room.close();
    expect(await world.intact()).to.deep.equal(['adopted-history']);
  });

  it('is done before the end by a process that lives for less than a tick', async () => {
    const old = await writeHistory(3);
    const room = world.room({ sealEvery: '1h' });
    await room.audit.record({ action: 'user.update' });
    await room.close();
    expect(await world.told(old)).to.deep.equal(['adopt 0+3']);
    expect(await world.intact()).to.have.members(WARNINGS.filter((kind) => kind !== 'stream-open'));
  });

  it('is not done later, nor by anyone else: events that are put in are not taken over', async () => {
    const first = world.writer();
    await first.sealed(1);
    const forged = await writeHistory(2);
    await first.sealed(1);
    await world.writer().sealed(1);
    expect(await world.told(forged)).to.deep.equal([]);
    const { violations } = await world.verify({ now: new Date(Date.now() + 3_600_000) });
    expect(violations.map(({ kind }) => kind)).to.deep.equal(['stream-unregistered']);
  });

  it('takes over what is there of a history with holes', async () => {
    const old = await writeHistory(10, [0, 1, 4, 5, 9]);
    await world.writer().sealed(1);
    expect(await world.told(old)).to.deep.equal(['adopt 2+2', 'adopt 6+3']);
    expect(await world.intact()).to.include('adopted-history');
    await world.trail.deleteOne({ _id: `${old}.000000000003` as never });
    const { violations } = await world.verify();
    expect(violations.map(({ kind, where }) => [kind, where])).to.deep.equal([
      ['event-missing', `${old}.000000000003`],
    ]);
  });

  it('accuses an event that is put into such a hole afterwards', async () => {
    const old = await writeHistory(5, [2]);
    const stored = await world.trail.findOne({ _id: `${old}.000000000001` as never });
    await world.writer().sealed(1);
    await world.trail.insertOne({ ...stored, _id: `${old}.000000000002` as never });
    const { violations } = await world.verify();
    expect(violations.map(({ kind, where }) => [kind, where])).to.deep.equal([
      ['event-unsealed', `${old}.000000000002`],
    ]);
  });

  it('leaves out what is no event, and takes over what is behind it', async () => {
    const old = await writeHistory(4);
    await world.trail.updateOne({ _id: `${old}.000000000001` as never }, { $set: { extra: new Date() } });
    await world.trail.insertMany([{ _id: 5 }, { _id: 'foreign' }, { _id: `${old}.x` }] as never[]);
    await world.writer().sealed(1);
    expect(await world.told(old)).to.deep.equal(['adopt 0+1', 'adopt 2+2']);
  });

  it('needs several entries for more than 65,536 events, while its own seals go on', async () => {
    const old = await writeHistory(65_539);
    const writer = world.writer();
    await until(async () => {
      await writer.sealed(1);
      return (await world.told(old)).length === 2;
    });
    expect(await world.told(old)).to.deep.equal(['adopt 0+65536', 'adopt 65536+3']);
    expect(await world.intact()).to.have.members(['adopted-history', ...WARNINGS]);
  });

  it('goes on where it was when the database was away in between', async () => {
    const old = [await writeHistory(6, [3]), await writeHistory(2)];
    let answers = 0;
    const store = (real: LedgerStore): LedgerStore => ({
      ...real,
      // open, seal and one adoption are answered; the next one is stored, and its answer is lost.
      async insert(document) {
        const outcome = await real.insert(document);
        answers += 1;
        return answers === 4 ? { kind: 'unknown', error: new Error('no answer') } : outcome;
      },
    });
    const writer = world.writer({ store });
    await writer.record(1);
    await writer.sealer.seal().catch(() => undefined);
    await writer.sealer.seal();
    expect(await world.told(old[0])).to.deep.equal(['adopt 0+3', 'adopt 4+2']);
    expect(await world.told(old[1])).to.deep.equal(['adopt 0+2']);
    expect(await world.intact()).to.have.members(['adopted-history', 'adopted-history', ...WARNINGS]);
  });

  it('covers nothing twice when it is asked for twice at once', async () => {
    await world.writer().sealed(1);
    const old = [await writeHistory(3), await writeHistory(5, [2])];
    const signer = readSigningKey(world.key.signingKey, 'key');
    const keys = [readVerifierKey(world.key.vkey, 'key')];
    const adopt = (): Promise<unknown> => {
      const parts = { signer, keys, origin: 'audit.test/sealing', now: () => Date.now(), onEntry: () => undefined };
      const ledger = new Ledger({ ...parts, store: world.store });
      return adoptHistory({ ledger, store: world.store, by: createStream().id, before: Date.now() });
    };
    await Promise.all([adopt(), adopt(), adopt()]);
    expect(await world.told(old[0])).to.deep.equal(['adopt 0+3']);
    expect(await world.told(old[1])).to.deep.equal(['adopt 0+2', 'adopt 3+2']);
    await world.intact();
  });
});

/** The ledger's store on a real mongod: what it gives of documents that others put there, and how much of them. */
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose from 'mongoose';
import { createStream } from '../../src/audit/stream.js';
import { useConnection } from '../../src/mongo/connection.js';
import { createLedgerStore } from '../../src/mongo/ledger-store.js';
import { SealingWorld, TRAIL } from '../audit/sealing-world.js';
import { startMongod } from '../mongod.js';

describe('The store of the ledger', function suite() {
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
    world = await SealingWorld.open(server.getUri(`ledger_${databases}`));
  });
  afterEach(() => world.close());

  it('stores an entry once, and says that its number is taken', async () => {
    const entry = { _id: 0, kind: 'open', stream: 's', from: null, entry: '{}', note: 'n', peaks: Buffer.alloc(32, 1) };
    expect(await world.store.insert(entry)).to.deep.equal({ kind: 'stored' });
    expect(await world.store.insert(entry)).to.deep.equal({ kind: 'duplicate' });
    expect(await world.store.read(0, 10)).to.deep.equal([entry]);
    expect(await world.store.newest()).to.deep.equal(entry);
  });

  it('builds the indexes that its questions need', async () => {
    await world.writer().sealed(1);
    const keys = (await world.ledger.listIndexes().toArray()).map(({ key }) => Object.keys(key as object).join());
    expect(keys).to.have.members(['_id', 'stream,from,_id', 'kind,stream']);
  });

  it('gives the same whatever an app chose for its connection', async () => {
    await world.writer().sealed(3);
    const options = { promoteValues: false, promoteLongs: false, promoteBuffers: true, useBigInt64: false };
    const connection = await mongoose.createConnection(server.getUri(`ledger_${databases}`), options).asPromise();
    try {
      const store = createLedgerStore({ link: useConnection(connection), collection: TRAIL });
      expect(await store.read(0, 10)).to.deep.equal(await world.store.read(0, 10));
      const stream = await store.nextStream('');
      expect(await store.readEvents(stream ?? '', 0, 10)).to.deep.equal(
        await world.store.readEvents(stream ?? '', 0, 10),
      );
    } finally {
      await connection.close();
    }
  });

  it('lists the open streams, the youngest first, as many as are asked for, none from the future', async () => {
    const writers = [world.writer(), world.writer(), world.writer(), world.writer()];
    for (const writer of writers) await writer.sealed(1);
    await writers[1]?.sealer.close(5000);
    const open = [0, 2, 3].map((index) => writers[index]?.id ?? '');
    const youngestFirst = open.toSorted().toReversed();
    await world.ledger.insertMany([
      { _id: 'a', kind: 'open', stream: '7ZZZZZZZZZZZZZZZZZZZZZZZZZ' },
      { _id: 'b', kind: 'open', stream: 5 },
      { _id: 'c', kind: 'open', stream: 'x' },
      { _id: 'd', kind: 'open' },
      { _id: 'e', kind: 'close', stream: createStream().id },
      { _id: 'f', kind: 'open', stream: youngestFirst[0] },
    ] as never[]);
    expect(await world.store.openStreams(10)).to.deep.equal(youngestFirst);
    expect(await world.store.openStreams(2)).to.deep.equal(youngestFirst.slice(0, 2));
    await world.ledger.dropIndexes();
    expect(await world.store.openStreams(10)).to.deep.equal(youngestFirst);
  });

  it('passes over what is no event of a stream, however much of it', async () => {
    const writer = world.writer();
    await writer.sealed(2);
    const junk = Array.from({ length: 5000 }, (_, index) => ({ _id: `${writer.id}.x${index}` }));
    await world.trail.insertMany([...junk, { _id: 1 }, { _id: 'a' }] as never[]);
    expect(await world.store.nextStream('')).to.equal(writer.id);
    expect(await world.store.nextStream(writer.id)).to.equal(null);
    expect((await world.store.lastEvent(writer.id))?._id).to.equal(`${writer.id}.000000000001`);
    expect(await world.store.readEvents(writer.id, 0, 10)).to.have.length(2);
  });

  it('gives no more than one answer of the server at a time', async () => {
    const { id } = createStream();
    const large = 'x'.repeat(7_000_000);
    for (let n = 0; n < 5; n += 1)
      await world.trail.insertOne({ _id: `${id}.${String(n).padStart(12, '0')}`, large } as never);
    const first = await world.store.readEvents(id, 0, 1000);
    expect(first.length).to.be.within(1, 3);
    expect(await world.store.readEvents(id, 4, 1000)).to.have.length(1);
  });

  it('takes for the last entry of a stream only what stands at its number', async () => {
    const writer = world.writer();
    await writer.sealed(2);
    const { _id: n, ...copy } = (await world.documents()).at(-1) as { _id: number };
    await world.ledger.insertMany([
      { ...copy, _id: -7, from: 99 },
      { ...copy, _id: 0.5, from: 98 },
      { ...copy, _id: 'x' },
    ] as never[]);
    expect(await world.store.lastOf(writer.id)).to.include({ n, kind: 'seal', from: 0, count: 2 });
    expect((await world.store.covering(writer.id, 1))?.document._id).to.equal(n);
    expect(await world.store.covering(writer.id, 2)).to.equal(null);
    expect(await world.store.lastOf(createStream().id)).to.equal(null);
  });
});

/** Verification of a trail in a real mongod: attacks on its bytes, what dump and restore leave, and writers that go on. */
import { createRequire } from 'node:module';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose from 'mongoose';
import { generateKey } from '../../src/evidence/keys.js';
import type { VerifyReport } from '../../src/evidence/report.js';
import { verifyEvidence } from '../../src/evidence/verify.js';
import { createEvidenceSource } from '../../src/mongo/evidence-source.js';
import { memoryProvider, strongroom, type Strongroom } from '../../src/index.js';
import { makeEvent } from '../audit/events.js';
import { makeTrail, trusting, violationsOf, VKEYS } from '../evidence/trail.js';
import { startMongod } from '../mongod.js';

type Made = Awaited<ReturnType<typeof makeTrail>>;
type Db = NonNullable<typeof mongoose.connection.db>;

const { BSON, Long, ObjectId } = mongoose.mongo;
const mongoose8 = createRequire(import.meta.url)('mongoose8') as typeof mongoose;

/** The driver writes a Map as it iterates: so a key can stand twice. */
class Twice extends Map<string, unknown> {
  readonly #pairs: readonly [string, unknown][];

  constructor(pairs: readonly [string, unknown][]) {
    super();
    this.#pairs = pairs;
  }

  override entries(): MapIterator<[string, unknown]> {
    return this.#pairs.values();
  }
}

describe('verification of a trail in MongoDB', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let connection: mongoose.Connection;
  let trail: Made;
  let db: Db;
  let name = '';
  let count = 0;

  before(async () => {
    server = await startMongod();
    connection = await mongoose.createConnection(server.getUri('evidence')).asPromise();
    db = connection.db!;
  });
  after(async () => {
    await connection.close();
    await server.stop();
  });

  /** As a driver stores it; `key` sets a key as the package's own drafts do. */
  async function store(): Promise<void> {
    trail = await makeTrail();
    name = `trail_${(count += 1)}`;
    await db.collection<any>(name).insertMany(trail.events as never);
    await db.collection<any>(`${name}_ledger`).insertMany(trail.ledger as never);
  }

  function verify(): Promise<VerifyReport> {
    const keys = trusting(VKEYS[0]!, VKEYS[1]!);
    return verifyEvidence(createEvidenceSource(db, name), { keys, now: new Date(trail.now) });
  }

  async function replace(id: unknown, change: (document: Record<string, unknown>) => object): Promise<void> {
    const events = db.collection<any>(name);
    const document = (await events.findOne({ _id: id }))!;
    await events.deleteOne({ _id: id });
    await events.insertOne(change(document));
  }

  it('finds nothing in an honest one, through the drivers of mongoose 9 and 8', async () => {
    await store();
    expect(violationsOf(await verify())).to.deep.equal([]);
    const other = await mongoose8.createConnection(server.getUri('evidence')).asPromise();
    const own = db;
    db = other.db as never;
    expect(violationsOf(await verify())).to.deep.equal([]);
    db = own;
    await other.close();
  });

  it('finds nothing when members stand in another order, and after canonical extended JSON', async () => {
    await store();
    for (const { _id } of trail.events) {
      await replace(_id, (document) => {
        const turned = Object.fromEntries(Object.entries(document).reverse());
        const text = BSON.EJSON.stringify(turned, { relaxed: false });
        return BSON.EJSON.parse(text, { relaxed: false }) as object;
      });
    }
    expect(violationsOf(await verify())).to.deep.equal([]);
  });

  it('finds nothing in a copy of its bytes in another database, in any order, as mongodump and mongorestore leave it', async () => {
    await store();
    const own = db;
    const restored = connection.getClient().db('restored');
    for (const part of [name, `${name}_ledger`]) {
      const read = (from: Db): Promise<Buffer[]> =>
        from
          .collection(part)
          .find({}, { raw: true, sort: { _id: -1 } })
          .toArray() as Promise<unknown> as Promise<Buffer[]>;
      const dumped = await read(own);
      // Of all types as they are: what goes in are the bytes that came out.
      const exact = { promoteValues: false, promoteBuffers: false } as const;
      await restored.collection(part).insertMany(dumped.map((bytes) => BSON.deserialize(bytes, exact)));
      expect(Buffer.concat(await read(restored)).equals(Buffer.concat(dumped))).to.equal(true);
    }
    db = restored;
    const report = await verify().finally(() => (db = own));
    expect(violationsOf(report)).to.deep.equal([]);
    expect(report).to.include({ events: trail.events.length, entries: trail.ledger.length });
  });

  const attacks: readonly (readonly [string, (id: string) => Promise<unknown>, (id: string) => string[]])[] = [
    [
      'an event is edited',
      (id) => db.collection<any>(name).updateOne({ _id: id }, { $set: { actorId: 'x' } }),
      (id) => [`event-edited ${id}`],
    ],
    ['an event is deleted', (id) => db.collection<any>(name).deleteOne({ _id: id }), (id) => [`event-missing ${id}`]],
    [
      'a number is stored as a Long, which compares equal',
      (id) => db.collection<any>(name).updateOne({ _id: id }, { $set: { v: Long.fromNumber(1) } }),
      (id) => [`event-type ${id}`],
    ],
    [
      'the time is stored as text, so that queries by time miss it',
      (id) => replace(id, (document) => ({ ...document, at: (document['at'] as Date).toISOString() })),
      (id) => [`event-type ${id}`],
    ],
    [
      'a text becomes null',
      (id) => db.collection<any>(name).updateOne({ _id: id }, { $set: { salt: null } }),
      (id) => [`event-edited ${id}`],
    ],
    [
      'a regular expression stands in an event',
      (id) => db.collection<any>(name).updateOne({ _id: id }, { $set: { 'meta.n': /x/ } }),
      (id) => [`event-malformed ${id}`],
    ],
    [
      'an event has an ObjectId',
      () => db.collection<any>(name).insertOne({ ...makeEvent(), _id: new ObjectId('65f000000000000000000001') }),
      () => ['event-inserted 65f000000000000000000001'],
    ],
    ['an event has a number', () => db.collection<any>(name).insertOne({ _id: 5 }), () => ['event-inserted 5']],
    [
      'a query copy in the ledger is a Long',
      () => db.collection<any>(`${name}_ledger`).updateOne({ _id: 4 }, { $set: { from: Long.fromNumber(3) } }),
      () => ['ledger-index-field ledger#4'],
    ],
    [
      'someone without a key takes the next number of the ledger',
      () => db.collection<any>(`${name}_ledger`).insertOne({ _id: trail.ledger.length }),
      () => [`ledger-entry-malformed ledger#${trail.ledger.length}`],
    ],
    [
      'the ledger has a document without a number',
      () => db.collection<any>(`${name}_ledger`).insertOne({ _id: 'x' }),
      () => ['ledger-entry-malformed ledger#x'],
    ],
    [
      'leaves are deleted',
      () => db.collection<any>(`${name}_ledger`).updateOne({ _id: 2 }, { $unset: { leaves: 1 } }),
      () => ['leaves-damaged ledger#2'],
    ],
  ];
  for (const [what, act, expected] of attacks) {
    it(`tells when ${what}`, async () => {
      await store();
      const id = `${trail.a}.000000000004`;
      await act(id);
      expect(violationsOf(await verify())).to.deep.equal(expected(id));
    });
  }

  it('tells when a key stands twice and hides a value from queries', async () => {
    await store();
    const id = `${trail.a}.000000000004`;
    const event = trail.find(id);
    await db.collection<any>(name).deleteOne({ _id: id });
    // Queries see the first value, drivers show the last: only the bytes tell.
    const [first, ...rest] = Object.entries(event);
    const twice = new Twice([first!, ['actorId', 'nobody'], ...rest]);
    await db.command({ insert: name, documents: [twice] });
    expect(await db.collection<any>(name).countDocuments({ _id: id, actorId: 'nobody' })).to.equal(1);
    expect(violationsOf(await verify())).to.deep.equal([`event-type ${id}`]);
  });

  it('rejects when the database cannot be read, and quotes nothing', async () => {
    const closed = await mongoose.createConnection(server.getUri('evidence')).asPromise();
    const source = createEvidenceSource(closed.db!, 'trail_1');
    await closed.close();
    const options = { keys: trusting(VKEYS[0]!), now: new Date() };
    const error = await verifyEvidence(source, options).catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'ERR_STRONGROOM_AUDIT_UNAVAILABLE' });
  });

  it('never accuses anybody while four writers write, seal, end and begin anew', async () => {
    const { signingKey, vkey } = generateKey('live.example');
    const open = (): Strongroom =>
      strongroom({
        environment: 'test',
        secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: signingKey }) },
        audit: { uri: server.getUri('live'), evidence: { sealEvery: '50ms' } },
      });
    let isOver = false;
    let runs = 0;
    const write = async (): Promise<void> => {
      while (!isOver) {
        const room = open();
        for (let burst = 0; burst < 6 && !isOver; burst += 1) {
          const records = Array.from({ length: 40 }, (_, n) =>
            room.audit.record({ action: 'auth.login', meta: { n } }),
          );
          await Promise.all(records);
        }
        await room.close();
      }
    };
    const writers = [write(), write(), write(), write()];
    const watching = mongoose.createConnection(server.getUri('live'));
    const source = createEvidenceSource((await watching.asPromise()).db!, 'audit_events');
    let report: VerifyReport | undefined;
    try {
      for (const endAt = performance.now() + 8000; performance.now() < endAt; runs += 1) {
        report = await verifyEvidence(source, { keys: trusting(vkey), now: new Date(), state: report?.state });
        expect(violationsOf(report)).to.deep.equal([]);
      }
    } finally {
      isOver = true;
      await Promise.all(writers);
    }
    report = await verifyEvidence(source, { keys: trusting(vkey), now: new Date(), state: report?.state });
    expect(violationsOf(report)).to.deep.equal([]);
    expect(report.warnings).to.deep.equal([]);
    expect(report.events).to.be.greaterThan(1000);
    expect(runs).to.be.greaterThan(5);
    await watching.close();
  });
});

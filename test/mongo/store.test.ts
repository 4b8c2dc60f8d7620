/** The store against a real mongod: what it says of a batch, and that every query is served by an index. */
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose, { type Connection } from 'mongoose';
import type { AuditStore, UnnumberedEvent } from '../../src/audit/store.js';
import { useConnection } from '../../src/mongo/connection.js';
import { countPipeline, groupPipeline, hintFor, matchPage, NEWEST_FIRST } from '../../src/mongo/reads.js';
import { createMongoStore } from '../../src/mongo/store.js';
import { makeEvent } from '../audit/events.js';
import { startMongod } from '../mongod.js';

describe('mongo/store', () => {
  let server: MongoMemoryServer;
  let connection: Connection;

  before(async () => {
    server = await startMongod();
    connection = await mongoose.createConnection(server.getUri(), { dbName: 'store' }).asPromise();
  });
  after(async () => {
    await connection.close();
    await server.stop();
  });

  function open(collection: string, tenant: boolean = false): AuditStore {
    return createMongoStore({ link: useConnection(connection), collection, tenant });
  }

  const numbered = (from: number, count: number, stream: string = 'S') =>
    Array.from({ length: count }, (_, index) =>
      makeEvent({
        _id: `${stream}.${String(from + index).padStart(12, '0')}`,
        at: new Date(1_700_000_000_000 + index),
      }),
    );

  it('stores a batch, and gives back what a majority holds, to the byte', async () => {
    const store = open('plain');
    const batch = numbered(0, 3);
    expect(await store.insert(batch)).to.deep.equal({ kind: 'stored' });
    const back = await store.readBack([...batch.map(({ _id }) => _id), 'S.999999999999']);
    expect([...back].sort((a, b) => (a._id < b._id ? -1 : 1))).to.deep.equal(batch);
  });

  it('gives back what stands under names that every object inherits', async () => {
    const store = open('inherited');
    const [event] = numbered(0, 1);
    event!.meta = JSON.parse('{"constructor":[{"a":1}],"toString":[["x"]]}') as UnnumberedEvent['meta'];
    await store.insert([event!]);
    expect(await store.find({ equals: {}, limit: 1 })).to.deep.equal([event]);
  });

  it('says where a number is taken, and stores what stands before it', async () => {
    const store = open('taken');
    await store.insert(numbered(2, 1));
    expect(await store.insert(numbered(0, 5))).to.deep.equal({ kind: 'duplicate', index: 2 });
    expect(await store.count({ equals: {} })).to.equal(3);
  });

  it('names the event that the server can never store', async () => {
    await connection.db!.createCollection('strict', { validator: { action: { $ne: 'poison' } } });
    const batch = numbered(0, 4);
    batch[2]!.action = 'poison';
    const outcome = await open('strict').insert(batch);
    expect(outcome).to.include({ kind: 'poison', index: 2 });
    expect(await open('strict').count({ equals: {} })).to.equal(2);
  });

  it('takes a batch that cannot become BSON for poison of unknown place', async () => {
    const batch = numbered(0, 2);
    let deep: object = {};
    for (let level = 0; level < 200; level += 1) deep = { deep };
    batch[1]!.meta = deep as never;
    expect(await open('deep').insert(batch)).to.include({ kind: 'poison' });
  });

  it('says unknown when nobody answers, and rejects reads as unavailable', async () => {
    const lost = mongoose.createConnection();
    const store = createMongoStore({ link: useConnection(lost), collection: 'x', tenant: false });
    expect(await store.insert(numbered(0, 1))).to.include({ kind: 'unknown' });
    const error = await store.find({ equals: {}, limit: 1 }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.include({ code: 'ERR_STRONGROOM_AUDIT_UNAVAILABLE', status: 503 });
  });

  it('builds the indexes once and sees them afterwards', async () => {
    expect(await open('fresh', true).inspect(5000)).to.deep.equal({ indexes: 'created', enforcement: 'unenforced' });
    expect(await open('fresh', true).inspect(5000)).to.deep.equal({ indexes: 'ok', enforcement: 'unenforced' });
    const keys = (await connection.db!.collection('fresh').listIndexes().toArray()).map(
      ({ key }) => Object.keys(key)[0],
    );
    expect(keys).to.have.members(['_id', 'at', 'actorId', 'action', 'targetId', 'target', 'status', 'tenantId']);
  });

  it('leaves a probed collection as it was', async () => {
    const store = open('probed');
    await store.insert(numbered(0, 2));
    const bytes = async () => (await connection.db!.collection('probed').find({}, { raw: true }).toArray()).map(String);
    const before = await bytes();
    await store.inspect(5000);
    expect(await bytes()).to.deep.equal(before);
  });

  describe('50,000 events', () => {
    const TOTAL = 50_000;
    const ACTIONS = ['auth.login', 'auth.logout', 'user.update', 'access.denied', 'billing.refund'];

    before(async function fill() {
      this.timeout(120_000);
      const store = open('many', true);
      await store.inspect(5000);
      for (let start = 0; start < TOTAL; start += 5000) {
        const batch = Array.from({ length: 5000 }, (_, offset) => {
          const index = start + offset;
          return makeEvent({
            _id: `S.${String(index).padStart(12, '0')}`,
            // 20,000 events share one millisecond.
            at: new Date(1_700_000_000_000 + (index < 20_000 ? 0 : index)),
            actorId: `u${index % 100}`,
            targetId: `t${index % 500}`,
            target: `kind${index % 10}`,
            action: ACTIONS[index % ACTIONS.length]!,
            status: index % 7 === 0 ? 'failure' : 'success',
            tenantId: `org${index % 20}`,
          });
        });
        expect(await store.insert(batch)).to.deep.equal({ kind: 'stored' });
      }
    });

    const events = () => connection.db!.collection('many');

    const filters: Record<string, Record<string, string | string[]>> = {
      'no filter': {},
      actorId: { actorId: 'u7' },
      action: { action: 'auth.logout' },
      'several actions': { action: ['auth.login', 'auth.logout', 'billing.refund'] },
      targetId: { targetId: 't77' },
      target: { target: 'kind3' },
      status: { status: 'failure' },
      tenantId: { tenantId: 'org5' },
    };

    for (const [name, equals] of Object.entries(filters)) {
      it(`serves page after page from an index: ${name}`, async () => {
        const store = open('many', true);
        const values = Object.values(equals).flat().length;
        let after: { at: Date; id: string } | undefined;
        for (let page = 0; page < 4; page += 1) {
          const request = { equals, limit: 51, after, from: new Date(1_600_000_000_000) };
          const plan = await events()
            .find(matchPage(request), { ...hintFor(request, { tenant: true }), sort: NEWEST_FIRST, limit: 51 })
            .explain('executionStats');
          const text = JSON.stringify(plan.queryPlanner.winningPlan);
          expect(text)
            .to.include('IXSCAN')
            .and.not.match(/COLLSCAN|"SORT"/);
          expect(plan.executionStats.totalKeysExamined).to.be.at.most(1.2 * 52 + values);
          expect(plan.executionStats.totalDocsExamined).to.be.at.most(1.2 * 52 + values);
          const found = await store.find(request);
          const last = found.at(-1);
          if (last === undefined) break;
          after = { at: last.at, id: last._id };
        }
      });
    }

    it('walks ties by _id: no event twice, none left out', async () => {
      const store = open('many', true);
      const seen = new Set<string>();
      let after: { at: Date; id: string } | undefined;
      for (;;) {
        const page = await store.find({ equals: { actorId: 'u7' }, limit: 37, after });
        for (const { _id } of page) seen.add(_id);
        const last = page.at(-1);
        if (last === undefined) break;
        after = { at: last.at, id: last._id };
      }
      expect(seen.size).to.equal(TOTAL / 100);
    });

    it('counts on an index, without reading an event', async () => {
      const filter = { equals: { actorId: 'u7' }, from: new Date(1_700_000_000_000), to: new Date(1_800_000_000_000) };
      expect(await open('many', true).count(filter)).to.equal(TOTAL / 100);
      for (const counted of [filter, { equals: {} }]) {
        const plan = await events()
          .aggregate(countPipeline(counted), hintFor(counted, { tenant: true }))
          .explain();
        expect(JSON.stringify(plan))
          .to.match(/COUNT_SCAN|IXSCAN/)
          .and.not.match(/COLLSCAN|FETCH/);
      }
    });

    it('groups on an index', async () => {
      const request = { equals: {}, by: ['action'] };
      const groups = await open('many', true).aggregate(request);
      expect(groups).to.have.length(ACTIONS.length);
      expect(groups[0]).to.deep.equal({ key: { action: 'access.denied' }, count: TOTAL / 5 });
      const hint = hintFor(request, { tenant: true, by: request.by });
      const plan = JSON.stringify(await events().aggregate(groupPipeline(request), hint).explain());
      expect(plan)
        .to.include('IXSCAN')
        .and.not.match(/COLLSCAN|FETCH/);
    });

    it('groups by day and by hour in UTC', async () => {
      const days = await open('many', true).aggregate({
        equals: { status: 'failure' },
        by: ['status'],
        interval: 'day',
      });
      expect(days[0]!.from).to.deep.equal(new Date('2023-11-14T00:00:00.000Z'));
      expect(days.reduce((sum, { count }) => sum + count, 0)).to.equal(Math.ceil(TOTAL / 7));
    });

    it('does without an index that is missing', async () => {
      const store = open('bare');
      await connection.db!.collection('bare').insertOne(makeEvent({ _id: 'S.0' }) as never);
      expect(await store.count({ equals: {} })).to.equal(1);
    });
  });
});

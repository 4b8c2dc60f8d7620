/** The trail's own connection and its rights, on a mongod with access control: rotated passwords, a late server, an insert-only user. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose from 'mongoose';
import type { AuditStore } from '../../src/audit/store.js';
import { type Link, openConnection, useConnection } from '../../src/mongo/connection.js';
import { createMongoStore } from '../../src/mongo/store.js';
import { makeEvent } from '../audit/events.js';
import { until } from '../audit/sealing-world.js';
import { startMongod } from '../mongod.js';

describe('mongo/connection', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let admin: MongoClient;
  const links: Link[] = [];

  before(async () => {
    server = await startMongod({ auth: true });
    admin = new MongoClient(server.getUri(), { auth: { username: 'root', password: 'root' } });
    await admin.db('audit').command({
      createRole: 'appender',
      privileges: [{ resource: { db: 'audit', collection: 'trail' }, actions: ['find', 'insert'] }],
      roles: [],
    });
    await admin.db('audit').command({ createUser: 'writer', pwd: 'first', roles: ['appender'] });
    await admin.db('audit').command({ createUser: 'broad', pwd: 'broad', roles: ['readWrite'] });
    await admin.db('audit').createCollection('trail');
  });
  after(async () => {
    await admin.close();
    await server.stop();
  });
  afterEach(async () => {
    for (const link of links.splice(0)) await link.close();
  });

  const uri = (user: string, password: string) =>
    server.getUri('audit').replace('mongodb://', `mongodb://${user}:${password}@`) + '?authSource=audit';

  function open(readUri: () => string): { link: Link; store: AuditStore } {
    const link = openConnection(() => Promise.resolve(readUri()));
    links.push(link);
    return { link, store: createMongoStore({ link, collection: 'trail', tenant: false }) };
  }

  let sequence = 0;
  const next = () => [makeEvent({ _id: `S.${String((sequence += 1)).padStart(12, '0')}` })];

  it('waits for a person when the password is wrong, and finds the right one at the next attempt', async () => {
    let password = 'wrong';
    const { store } = open(() => uri('writer', password));
    expect(await store.insert(next())).to.include({ kind: 'refused' });
    password = 'first';
    expect(await store.insert(next())).to.deep.equal({ kind: 'stored' });
  });

  it('logs in anew when the password was rotated while it was connected', async () => {
    let password = 'first';
    const { store, link } = open(() => uri('writer', password));
    expect(await store.insert(next())).to.deep.equal({ kind: 'stored' });
    await admin.db('audit').command({ updateUser: 'writer', pwd: 'second' });
    // The server ends what was logged in with the old password as soon as its cache notices; a new socket is refused at once.
    await admin.db('admin').command({ invalidateUserCache: 1 });
    await (
      await link.database(1000)
    )
      .admin()
      .command({ ping: 1 })
      .catch(() => undefined);
    password = 'second';
    let outcome = await store.insert(next());
    for (let attempt = 0; outcome.kind !== 'stored' && attempt < 5; attempt += 1) outcome = await store.insert(next());
    expect(outcome).to.deep.equal({ kind: 'stored' });
    await admin.db('audit').command({ updateUser: 'writer', pwd: 'first' });
  });

  it('reports an insert-only user as enforced, without touching anything', async () => {
    const { store } = open(() => uri('writer', 'first'));
    const before = await admin.db('audit').collection('trail').countDocuments();
    expect(await store.inspect(5000)).to.deep.equal({ enforcement: 'enforced', indexes: 'unknown' });
    expect(await admin.db('audit').collection('trail').countDocuments()).to.equal(before);
    const page = await store.find({ equals: {}, limit: 5 });
    expect(page.length).to.be.greaterThan(0);
    expect(await store.count({ equals: {} })).to.equal(before);
  });

  it('reports a user who may change the trail as unenforced', async () => {
    const { store } = open(() => uri('broad', 'broad'));
    expect((await store.inspect(5000)).enforcement).to.equal('unenforced');
  });

  it('hangs one listener on a connection of the app, however many rooms share it, and tells none that is closed', async () => {
    const connection = mongoose.createConnection();
    const told: number[] = [];
    const shared = Array.from({ length: 20 }, () => useConnection(connection));
    for (const [index, link] of shared.entries()) link.onConnected(() => told.push(index));
    for (const link of shared.slice(0, 18)) await link.close();
    expect(connection.listenerCount('connected')).to.equal(1);
    connection.emit('connected');
    expect(told).to.deep.equal([18, 19]);
    await connection.close();
  });

  it('rejects ready() in time when nobody answers, naming no password', async () => {
    const { store } = open(() => 'mongodb://root:hunter2@127.0.0.1:1/audit');
    const error = await store.inspect(300).then(
      () => undefined,
      (reason: unknown) => reason as Error & { code: string },
    );
    expect(error?.code).to.equal('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
    expect(error?.message).to.not.include('hunter2');
  });

  it('breaks an attempt to connect off when it is closed, which would hold the process for seconds', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    for (const target of [port, 1]) {
      const { link } = open(() => `mongodb://127.0.0.1:${target}/audit`);
      const attempt = link.database(60_000).then(
        () => 'connected',
        () => 'failed',
      );
      await until(() => link.connection.readyState === 2);
      const before = performance.now();
      await link.close();
      expect(await attempt).to.equal('failed');
      expect(performance.now() - before).to.be.below(1000);
    }
    silent.close();
  });

  it("leaves the app's own connection open", async () => {
    const own = await mongoose.createConnection(uri('writer', 'first')).asPromise();
    const link = useConnection(own);
    await link.database(1000);
    await link.close();
    expect(own.readyState).to.equal(1);
    await own.close();
  });
});

/** Layer 3 on a mongod with access control: what the server refuses the appender, who is named for what, and what a room makes of it. */
import { expect } from 'chai';
import { type Document, MongoClient } from 'mongodb';
import { inspectTrail } from '../../src/mongo/doctor.js';
import { readEnforcement } from '../../src/mongo/privileges.js';
import { provision } from '../../src/mongo/provision-run.js';
import { makeEvent } from '../audit/events.js';
import { type GuardedMongod, startMongod, startMongodWithAuth } from '../mongod.js';

const TRAIL = 'audit_events';
const LEDGER = 'audit_events_ledger';
const APPENDER = { user: 'shop', password: 'secret' };
const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

const ENTRY = { kind: 'open', stream: ULID, entry: '{}', note: 'n\n', peaks: Buffer.alloc(32) };

describe('mongo/privileges', function suite() {
  this.timeout(60_000);
  let server: GuardedMongod;
  let admin: MongoClient;
  const clients: MongoClient[] = [];

  before(async () => {
    server = await startMongodWithAuth();
    admin = await new MongoClient(server.adminUri('admin')).connect();
    const request = { database: 'app', collection: TRAIL, tenant: false, user: APPENDER.user };
    await provision(admin.db('app') as never, request, APPENDER.password);
    await admin
      .db('app')
      .collection(TRAIL)
      .insertOne(makeEvent({ _id: idOf(0) }) as never);
    await admin
      .db('app')
      .collection(LEDGER)
      .insertOne({ ...ENTRY, _id: 0 } as never);
  });
  after(async () => {
    await admin.close();
    await server.stop();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });

  function idOf(seq: number): string {
    return `${ULID}.${String(seq).padStart(12, '0')}`;
  }

  async function connect(uri: string): Promise<MongoClient> {
    const client = await new MongoClient(uri).connect();
    clients.push(client);
    return client;
  }

  const asAppender = () => connect(server.uri('app', APPENDER));

  let users = 0;
  /** Logs in as a new user of the trail's database with these roles. */
  async function withRoles(...roles: (string | { role: string; db: string })[]): Promise<MongoClient> {
    users += 1;
    const user = `user${users}`;
    await admin.db('app').command({ createUser: user, pwd: 'x', roles });
    return connect(server.uri('app', { user, password: 'x' }));
  }

  let roles = 0;
  async function makeRole(privileges: object[], inherited: string[] = []): Promise<string> {
    roles += 1;
    await admin.db('app').command({ createRole: `custom${roles}`, privileges, roles: inherited });
    return `custom${roles}`;
  }

  const look = (client: MongoClient) => readEnforcement(client.db('app') as never, TRAIL);

  describe('the appender', () => {
    it('inserts and reads, in both collections', async () => {
      const db = (await asAppender()).db();
      await db.collection(TRAIL).insertOne(makeEvent({ _id: idOf(1) }) as never);
      await db.collection(LEDGER).insertOne({ ...ENTRY, _id: 1 } as never);
      expect(await db.collection(TRAIL).countDocuments()).to.equal(2);
      expect(await db.collection(LEDGER).find().toArray()).to.have.length(2);
    });

    it('has a $merge that only inserts for an insert', async () => {
      const db = (await asAppender()).db();
      const copy = { $project: { _id: 0, salt: 0 } };
      const into = { $merge: { into: TRAIL, on: '_id', whenMatched: 'fail', whenNotMatched: 'insert' } };
      const code = await db
        .collection(TRAIL)
        .aggregate([copy, into])
        .toArray()
        .catch((error: unknown) => (error as { code: number }).code);
      // It may, and what it brings is no event: the validator says so.
      expect(code).to.equal(121);
    });

    for (const name of [TRAIL, LEDGER]) {
      const changes: Record<string, (client: MongoClient) => Promise<unknown>> = {
        updateOne: (client) =>
          client
            .db()
            .collection(name)
            .updateOne({}, { $set: { x: 1 } }),
        updateMany: (client) =>
          client
            .db()
            .collection(name)
            .updateMany({}, { $set: { x: 1 } }),
        replaceOne: (client) => client.db().collection(name).replaceOne({}, { x: 1 }),
        upsert: (client) =>
          client
            .db()
            .collection(name)
            .updateOne({ _id: 'new' as never }, { $set: { x: 1 } }, { upsert: true }),
        deleteOne: (client) => client.db().collection(name).deleteOne({}),
        deleteMany: (client) => client.db().collection(name).deleteMany({}),
        findOneAndUpdate: (client) =>
          client
            .db()
            .collection(name)
            .findOneAndUpdate({}, { $set: { x: 1 } }),
        findOneAndDelete: (client) => client.db().collection(name).findOneAndDelete({}),
        'bulkWrite with an update': (client) =>
          client
            .db()
            .collection(name)
            .bulkWrite([{ updateOne: { filter: {}, update: { $set: { x: 1 } } } }]),
        'bulkWrite with a deletion': (client) =>
          client
            .db()
            .collection(name)
            .bulkWrite([{ deleteMany: { filter: {} } }]),
        $out: (client) =>
          client
            .db()
            .collection(TRAIL)
            .aggregate([{ $out: name }])
            .toArray(),
        'an overwriting $merge': (client) =>
          client
            .db()
            .collection(TRAIL)
            .aggregate([{ $merge: { into: name, whenMatched: 'replace' } }])
            .toArray(),
        drop: (client) => client.db().collection(name).drop(),
        rename: (client) => client.db().collection(name).rename('elsewhere'),
        'rename to another database': (client) =>
          client.db('admin').command({ renameCollection: `app.${name}`, to: 'elsewhere.x' }),
        'createIndex with a TTL': (client) =>
          client.db().collection(name).createIndex({ at: 1 }, { expireAfterSeconds: 1 }),
        dropIndexes: (client) => client.db().command({ dropIndexes: name, index: '*' }),
        collMod: (client) => client.db().command({ collMod: name, validationLevel: 'off' }),
        convertToCapped: (client) => client.db().command({ convertToCapped: name, size: 4096 }),
        'an insert past the validator': (client) =>
          client
            .db()
            .collection(name)
            .insertOne({ _id: 'junk' as never }, { bypassDocumentValidation: true }),
        applyOps: (client) =>
          client.db('admin').command({ applyOps: [{ op: 'd', ns: `app.${name}`, o: { _id: idOf(0) } }] }),
      };
      for (const [what, change] of Object.entries(changes)) {
        it(`is refused by the server: ${what} (${name})`, async () => {
          const client = await asAppender();
          const before = await content(name);
          const code = await change(client).then(
            () => 'it was done',
            (error: unknown) => (error as { code: number }).code,
          );
          expect(code).to.equal(13);
          expect(await content(name)).to.equal(before);
        });
      }
    }

    it('is refused by the server: dropDatabase, granting itself a role', async () => {
      const db = (await asAppender()).db();
      for (const command of [{ dropDatabase: 1 }, { grantRolesToUser: 'shop', roles: ['readWrite'] }]) {
        const code = await db.command(command).catch((error: unknown) => (error as { code: number }).code);
        expect(code).to.equal(13);
      }
    });
  });

  /** Documents, options and indexes of a collection. */
  async function content(name: string): Promise<string> {
    const db = admin.db('app');
    const documents = await db.collection(name).find().sort({ _id: 1 }).toArray();
    const collections = await db.listCollections({ name }).toArray();
    return JSON.stringify([documents, collections, await db.collection(name).listIndexes().toArray()]);
  }

  describe('enforcement', () => {
    it('is enforced for the appender, without reasons and without effect', async () => {
      const before = [await content(TRAIL), await content(LEDGER)];
      expect(await look(await asAppender())).to.deep.equal({
        enforcement: 'enforced',
        accessControl: 'on',
        reasons: [],
      });
      expect([await content(TRAIL), await content(LEDGER)]).to.deep.equal(before);
    });

    const named: Record<string, [roles: () => Promise<(string | Document)[]>, reason: RegExp]> = {
      readWrite: [async () => ['readWrite'], /^this user may update, remove, .* \(role readWrite on db app\)$/],
      dbAdmin: [async () => ['dbAdmin'], /^this user may .*collMod.* \(role dbAdmin on db app\)$/],
      dbOwner: [async () => ['dbOwner'], /^this user may .*dropDatabase.* \(role dbOwner on db app\)$/],
      userAdmin: [async () => ['userAdmin'], /^this user may .*grantRole.* \(role userAdmin on db app\)$/],
      root: [async () => [{ role: 'root', db: 'admin' }], /^this user may .*applyOps.* \(role root on db admin\)$/],
      restore: [async () => [{ role: 'restore', db: 'admin' }], /^this user may .* \(role restore on db admin\)$/],
      readWriteAnyDatabase: [
        async () => [{ role: 'readWriteAnyDatabase', db: 'admin' }],
        /^this user may .*update.* \(role readWriteAnyDatabase on db admin\)$/,
      ],
      'a role with createIndex only': [
        async () => [await makeRole([{ resource: { db: 'app', collection: TRAIL }, actions: ['createIndex'] }])],
        /^this user may createIndex \(role custom\d+ on db app\)$/,
      ],
      'a role with update on the ledger only': [
        async () => [await makeRole([{ resource: { db: 'app', collection: LEDGER }, actions: ['update'] }])],
        /^this user may update \(role custom\d+ on db app\)$/,
      ],
      'a role with renameCollectionSameDB only': [
        async () => [
          await makeRole([{ resource: { db: 'app', collection: '' }, actions: ['renameCollectionSameDB'] }]),
        ],
        /^this user may renameCollectionSameDB \(role custom\d+ on db app\)$/,
      ],
      'a role that inherits': [
        async () => [await makeRole([], ['dbAdmin'])],
        /^this user may .*collMod.* \(role custom\d+ on db app, by dbAdmin\)$/,
      ],
    };
    for (const [name, [rolesOf, reason]] of Object.entries(named)) {
      it(`is unenforced, by name, for the appender who also has ${name}`, async () => {
        const found = await look(await withRoles('strongroomAppender', ...((await rolesOf()) as string[])));
        expect(found).to.include({ enforcement: 'unenforced', accessControl: 'on' });
        expect(found.reasons).to.have.length(1);
        expect(found.reasons[0]).to.match(reason);
      });
    }

    it('is unenforced, by name, for applyOps on the cluster', async () => {
      const privileges = [{ resource: { cluster: true }, actions: ['applyOps'] }];
      await admin.db('admin').command({ createRole: 'replayer', privileges, roles: [] });
      const found = await look(await withRoles('strongroomAppender', { role: 'replayer', db: 'admin' }));
      expect(found.enforcement).to.equal('unenforced');
      expect(found.reasons).to.deep.equal(['this user may applyOps (role replayer on db admin)']);
    });

    for (const [action, collection] of [
      ['insert', 'system.users'],
      ['update', 'system.roles'],
      ['remove', 'system.users'],
    ] as const) {
      it(`is unenforced, by name, for ${action} in admin.${collection}, by which users give themselves any role`, async () => {
        const role = `clerk_${action}`;
        const privileges = [{ resource: { db: 'admin', collection }, actions: ['find', action] }];
        await admin.db('admin').command({ createRole: role, privileges, roles: [] });
        const found = await look(await withRoles('strongroomAppender', { role, db: 'admin' }));
        expect(found.enforcement).to.equal('unenforced');
        expect(found.reasons).to.deep.equal([
          `this user may ${action} in admin.${collection} (role ${role} on db admin)`,
        ]);
      });
    }

    it('is enforced for who may only read the users, or write the system collections of another database', async () => {
      const privileges = [
        { resource: { db: 'admin', collection: 'system.users' }, actions: ['find'] },
        { resource: { db: 'shop', collection: 'system.js' }, actions: ['insert', 'update', 'remove'] },
      ];
      await admin.db('admin').command({ createRole: 'looker', privileges, roles: [] });
      const found = await look(await withRoles('strongroomAppender', { role: 'looker', db: 'admin' }));
      expect(found).to.deep.equal({ enforcement: 'enforced', accessControl: 'on', reasons: [] });
    });

    it('knows that a user who may do anything may insert', async () => {
      const found = await look(await withRoles({ role: '__system', db: 'admin' }));
      expect(found.enforcement).to.equal('unenforced');
      expect(found.reasons.join())
        .to.match(/anyAction.*role __system on db admin/)
        .and.not.match(/may not insert/);
    });

    it('is enforced whatever the user may do elsewhere', async () => {
      const elsewhere = await makeRole([{ resource: { db: 'app', collection: 'orders' }, actions: ['update'] }]);
      const found = await look(await withRoles('strongroomAppender', elsewhere, { role: 'readWrite', db: 'shop' }));
      expect(found).to.deep.equal({ enforcement: 'enforced', accessControl: 'on', reasons: [] });
    });

    it('is unenforced without access control, although no privilege is shown', async () => {
      const open = await startMongod();
      try {
        const client = await connect(open.getUri('app'));
        const found = await look(client);
        expect(found).to.include({ enforcement: 'unenforced', accessControl: 'off' });
        expect(found.reasons.join()).to.match(/^access control is off, .* allowed update in audit_events, delete in /);
      } finally {
        await open.stop();
      }
    });

    it('is unknown for a connection that is not logged in, and for a user who may make the missing collection', async () => {
      const stranger = await look(await connect(server.uri('app')));
      expect(stranger.enforcement).to.equal('unknown');
      expect(stranger.reasons.join()).to.include('is not logged in');
      const resource = { db: 'app', collection: 'later' };
      const early = await withRoles(await makeRole([{ resource, actions: ['find', 'insert'] }]));
      const found = await readEnforcement(early.db('app') as never, 'later');
      expect(found.enforcement).to.equal('unknown');
      expect(found.reasons).to.deep.equal([
        'the collection later is missing, and this user could make it, also one that expires: provision it first',
        'this user may not insert into later_ledger',
      ]);
    });

    it('is unknown after the user was dropped', async () => {
      const client = await withRoles('strongroomAppender');
      await look(client);
      await admin.db('app').command({ dropUser: `user${users}` });
      const found = await look(client);
      expect(found.enforcement).to.equal('unknown');
    });
  });

  describe('doctor', () => {
    const inspect = (client: MongoClient, collection: string = TRAIL) =>
      inspectTrail(client.db('app') as never, { collection, tenant: false });

    it('tells the appender what the appender may know', async () => {
      const unseen = { exists: true, validator: 'unknown', indexes: 'unknown', flaws: [] };
      expect(await inspect(await asAppender())).to.deep.equal({
        enforcement: 'enforced',
        accessControl: 'on',
        reasons: [],
        trail: { name: TRAIL, ...unseen },
        ledger: { name: LEDGER, ...unseen },
        users: { scope: 'none', risky: [] },
      });
    });

    it('names to an administrator every user of the server who can change the trail, and no other', async () => {
      await admin.db('shop').command({ createUser: 'web', pwd: 'x', roles: [{ role: 'readWrite', db: 'app' }] });
      await admin.db('shop').command({ createUser: 'own', pwd: 'x', roles: ['readWrite'] });
      const { users: seen, trail, ledger } = await inspect(admin);
      expect(trail).to.deep.equal({ name: TRAIL, exists: true, validator: 'ok', indexes: 'ok', flaws: [] });
      expect(ledger).to.deep.equal({ name: LEDGER, exists: true, validator: 'ok', indexes: 'ok', flaws: [] });
      expect(seen.scope).to.equal('server');
      const names = seen.risky.map(({ user, db }) => `${user}@${db}`);
      expect(names).to.include.members(['root@admin', 'web@shop']).and.not.include.members(['shop@app']);
      expect(names).to.not.include('own@shop');
      const web = seen.risky.find(({ user }) => user === 'web');
      expect(web?.reasons).to.have.length(1);
      expect(web?.reasons[0]).to.match(/^.*update.* \(role readWrite on db app\)$/);
    });

    it('looks at the users of the database where it may not look at all', async () => {
      const { users: seen } = await inspect(await withRoles('userAdmin'));
      expect(seen.scope).to.equal('database');
      expect(seen.risky.map(({ user }) => user)).to.include(`user${users}`);
    });

    it('reports what is missing, and what deletes', async () => {
      await admin.db('app').collection('bare').createIndex({ at: 1 }, { expireAfterSeconds: 60 });
      const { trail, ledger } = await inspect(admin, 'bare');
      expect(trail).to.deep.equal({
        name: 'bare',
        exists: true,
        validator: 'missing',
        indexes: 'missing',
        flaws: ['its index "at_1" deletes documents by their age'],
      });
      expect(ledger).to.deep.equal({
        name: 'bare_ledger',
        exists: false,
        validator: 'missing',
        indexes: 'missing',
        flaws: [],
      });
    });
  });
});

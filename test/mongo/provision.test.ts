/** Provisioning on a mongod with access control: what it makes, that a second run changes nothing, and what it refuses. */
import { expect } from 'chai';
import { type Db, Long, MongoClient } from 'mongodb';
import { planProvision, formatPlan, type ProvisionRequest } from '../../src/mongo/provision.js';
import { provision } from '../../src/mongo/provision-run.js';
import { makeEvent } from '../audit/events.js';
import { type GuardedMongod, startMongodWithAuth } from '../mongod.js';

const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV.000000000000';

describe('mongo/provision', function suite() {
  this.timeout(60_000);
  let server: GuardedMongod;
  let admin: MongoClient;
  let db: Db;
  let request: ProvisionRequest;
  let databases = 0;

  before(async () => {
    server = await startMongodWithAuth();
    admin = await new MongoClient(server.adminUri('admin')).connect();
  });
  after(async () => {
    await admin.close();
    await server.stop();
  });
  beforeEach(() => {
    databases += 1;
    db = admin.db(`provision_${databases}`);
    request = { database: db.databaseName, collection: 'audit_events', tenant: false, user: 'shop' };
  });

  const run = (change: Partial<ProvisionRequest> = {}, password: string | undefined = 'secret') =>
    provision(db as never, { ...request, ...change }, password);
  const lines = async (change: Partial<ProvisionRequest> = {}) =>
    (await run(change)).map(({ what, outcome, detail }) => [what, outcome, detail].filter(Boolean).join(': '));
  const refusal = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'it was done',
      (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
    );

  /** Everything that provisioning could change. */
  async function state(): Promise<string> {
    const collections = (await db.listCollections().toArray()).sort((a, b) => a.name.localeCompare(b.name));
    const indexes = await Promise.all(
      collections.map(({ name, type }) =>
        type === 'view' ? Promise.resolve([]) : db.collection(name).listIndexes().toArray(),
      ),
    );
    const { roles } = await db.command({ rolesInfo: 1, showPrivileges: true });
    const { users } = await db.command({ usersInfo: 1, showCredentials: true });
    return JSON.stringify({ collections, indexes, roles, users });
  }

  it('makes the collections first, then roles, then the user, and a second run changes nothing', async () => {
    expect(await lines()).to.deep.equal([
      'collection audit_events: created',
      'indexes of audit_events: created',
      'collection audit_events_ledger: created',
      'indexes of audit_events_ledger: created',
      'role strongroomAppender: created',
      'role strongroomReader: created',
      'user shop: created',
    ]);
    const made = await state();
    expect(await lines()).to.deep.equal([
      'collection audit_events: already there',
      'indexes of audit_events: already there',
      'collection audit_events_ledger: already there',
      'indexes of audit_events_ledger: already there',
      'role strongroomAppender: already there',
      'role strongroomReader: already there',
      'user shop: already there: its password was left',
    ]);
    expect(await state()).to.equal(made);
  });

  it('gives the roles exactly find and insert, and find', async () => {
    await run();
    const { roles } = await db.command({ rolesInfo: 1, showPrivileges: true });
    const on = (collection: string, actions: string[]) => ({ resource: { db: db.databaseName, collection }, actions });
    expect(
      roles.map(({ role, privileges, roles: inherited }: any) => ({ role, privileges, inherited })),
    ).to.have.deep.members([
      {
        role: 'strongroomAppender',
        privileges: [on('audit_events', ['find', 'insert']), on('audit_events_ledger', ['find', 'insert'])],
        inherited: [],
      },
      {
        role: 'strongroomReader',
        privileges: [on('audit_events', ['find']), on('audit_events_ledger', ['find'])],
        inherited: [],
      },
    ]);
  });

  it('completes what is there: events stay, validator and missing indexes come', async () => {
    await db.collection('audit_events').insertOne(makeEvent({ _id: 'an old one' }) as never);
    await db.collection('audit_events').createIndex({ actorId: 1, at: -1, _id: -1 });
    const told = await lines({ tenant: true });
    expect(told.slice(0, 2)).to.deep.equal([
      'collection audit_events: changed: it got its validator',
      'indexes of audit_events: created',
    ]);
    expect(await db.collection('audit_events').countDocuments()).to.equal(1);
    expect(await db.collection('audit_events').listIndexes().toArray()).to.have.length(8);
    expect((await lines({ tenant: true })).slice(0, 2)).to.deep.equal([
      'collection audit_events: already there',
      'indexes of audit_events: already there',
    ]);
  });

  it('puts its validator back in force when somebody took it out', async () => {
    await run();
    await db.command({ collMod: 'audit_events', validationAction: 'warn' });
    expect((await lines())[0]).to.equal(
      'collection audit_events: changed: its validator was replaced by the present one',
    );
    expect((await lines())[0]).to.equal('collection audit_events: already there');
  });

  it('lets the roles cover several trails of a database, and says so', async () => {
    await run();
    const told = await lines({ collection: 'second' });
    const name = db.databaseName;
    expect(told[4]).to.equal(
      `role strongroomAppender: changed: added: find and insert on ${name}.second, find and insert on ${name}.second_ledger; ` +
        `also for find and insert on ${name}.audit_events, find and insert on ${name}.audit_events_ledger`,
    );
    const client = await new MongoClient(server.uri(name, { user: 'shop', password: 'secret' })).connect();
    for (const trail of ['audit_events', 'second']) {
      await client
        .db()
        .collection(trail)
        .insertOne(makeEvent({ _id: ID }) as never);
    }
    await client.close();
    const settled = await state();
    expect((await lines())[4]).to.match(/^role strongroomAppender: already there: also for /);
    expect(await state()).to.equal(settled);
  });

  it('takes away what somebody added to the role, and says so', async () => {
    await run();
    await db.command({
      grantPrivilegesToRole: 'strongroomAppender',
      privileges: [{ resource: { db: db.databaseName, collection: 'audit_events' }, actions: ['update'] }],
    });
    await db.command({ grantRolesToRole: 'strongroomAppender', roles: ['readWrite'] });
    expect((await lines())[4]).to.match(/taken away: find and insert and update on .*, role readWrite on /);
    expect((await lines())[4]).to.equal('role strongroomAppender: already there');
    await db.command({
      grantPrivilegesToRole: 'strongroomAppender',
      privileges: [{ resource: { db: db.databaseName, collection: 'orders' }, actions: ['remove'] }],
    });
    const told = `role strongroomAppender: changed: taken away: remove on ${db.databaseName}.orders`;
    expect((await lines())[4]).to.equal(told);
    expect((await lines())[4]).to.equal('role strongroomAppender: already there');
  });

  it('gives an existing user the role, keeps its other roles and its password, and says so', async () => {
    await db.command({ createUser: 'shop', pwd: 'older', roles: ['readWrite'] });
    expect((await run({}, undefined)).at(-1)).to.deep.equal({
      what: 'user shop',
      outcome: 'changed',
      detail: `it got the role strongroomAppender; it also has readWrite on db ${db.databaseName}`,
      warning:
        'the user shop can change the trail all the same: update, remove, createIndex, dropIndex, dropCollection, ' +
        `renameCollectionSameDB, convertToCapped (role readWrite on db ${db.databaseName}); take these roles from it`,
    });
    const client = await new MongoClient(server.uri(db.databaseName, { user: 'shop', password: 'older' })).connect();
    await client.close();
  });

  it('warns of no role that is harmless to the trail', async () => {
    await db.command({ createUser: 'shop', pwd: 'older', roles: [{ role: 'readWrite', db: 'elsewhere' }, 'read'] });
    expect((await run()).at(-1)).to.include({ outcome: 'changed', warning: '' });
  });

  it('warns that the trails of a database share the role by which the app inserts', async () => {
    expect((await run()).map(({ warning }) => warning).join('')).to.equal('');
    const warnings = (await run({ collection: 'second' })).filter(({ warning }) => warning !== '');
    expect(warnings.map(({ what }) => what)).to.deep.equal(['role strongroomAppender']);
    expect(warnings[0]?.warning).to.match(/may also insert into audit_events, audit_events_ledger;/);
  });

  it('may run several times at once: what another run made is there already', async () => {
    for (let round = 0; round < 5; round += 1) {
      db = admin.db(`provision_race_${round}`);
      request = { ...request, database: db.databaseName };
      const [first, more] = [
        ['audit_events', 'audit_events', 'second'],
        ['second', 'third', 'fourth', 'fifth'],
      ];
      for (const some of [first, more]) await Promise.all(some.map((collection) => run({ collection })));
      const trails = [...new Set([...first, ...more])];
      const { roles } = await db.command({ rolesInfo: 'strongroomAppender', showPrivileges: true });
      const covered = (roles[0].privileges as { resource: { collection: string } }[]).map((one) => one.resource);
      expect(covered.map(({ collection }) => collection)).to.have.members(
        trails.flatMap((name) => [name, `${name}_ledger`]),
      );
      for (const collection of trails) {
        expect((await run({ collection })).map(({ outcome }) => outcome)).to.deep.equal(Array(7).fill('already there'));
      }
    }
  });

  const refused: Record<string, [() => Promise<unknown>, RegExp]> = {
    'a view': [() => db.createCollection('audit_events', { viewOn: 'x', pipeline: [] }), /it is a view/],
    'a capped collection': [() => db.createCollection('audit_events', { capped: true, size: 4096 }), /it is capped/],
    'a time-series collection': [
      () => db.createCollection('audit_events', { timeseries: { timeField: 'at' } }),
      /it is a time-series collection/,
    ],
    'a clustered collection that expires': [
      () =>
        db.createCollection('audit_events', {
          clusteredIndex: { key: { _id: 1 }, unique: true },
          expireAfterSeconds: 60,
        }),
      /its documents expire/,
    ],
    'a TTL index': [
      () => db.collection('audit_events_ledger').createIndex({ at: 1 }, { expireAfterSeconds: 60 }),
      /"audit_events_ledger" cannot be used: its index "at_1" deletes documents by their age/,
    ],
    'a unique index': [
      () => db.collection('audit_events').createIndex({ actorId: 1 }, { unique: true }),
      /its index "actorId_1" is unique/,
    ],
    'a validator of others': [
      () => db.createCollection('audit_events', { validator: { action: { $ne: 'x' } } }),
      /it has a validator that is not from here/,
    ],
  };
  for (const [name, [make, reason]] of Object.entries(refused)) {
    it(`refuses ${name} before it changes anything`, async () => {
      await make();
      const before = await state();
      expect(await refusal(run()))
        .to.match(/^ERR_STRONGROOM_OPTIONS_INVALID: /)
        .and.to.match(reason);
      expect(await state()).to.equal(before);
    });
  }

  it('asks for a password before it changes anything', async () => {
    const text = await refusal(provision(db as never, request));
    expect(text).to.equal(
      'ERR_STRONGROOM_OPTIONS_INVALID: provision: the user "shop" is not there yet: a password is needed to create it',
    );
    expect(await db.listCollections().toArray()).to.deep.equal([]);
  });

  it('shows its plan as lines for the shell that do the same, with a question for the password', async () => {
    const shown = formatPlan(request);
    expect(shown[0]).to.equal(`db = db.getSiblingDB("${db.databaseName}")`);
    expect(shown.at(-1)).to.equal(
      'db.runCommand({"createUser":"shop","pwd":passwordPrompt(),"roles":["strongroomAppender"]})',
    );
    const commands: object[] = [];
    const shell = { getSiblingDB: () => shell, runCommand: (command: object) => void commands.push(command) };
    // oxlint-disable-next-line typescript/no-implied-eval -- the lines are a program for a shell
    new Function('db', 'passwordPrompt', shown.join('\n'))(shell, () => 'secret');
    expect(commands).to.have.length(planProvision(request).length);
    for (const command of commands) await db.command({ ...command });
    expect((await lines()).every((line) => line.includes('already there'))).to.equal(true);
  });

  describe('validators', () => {
    const ENTRY = { kind: 'seal', stream: ID.slice(0, 26), from: 0, entry: '{}', note: 'n\n', peaks: Buffer.alloc(32) };
    const insert = (collection: string, document: object): Promise<unknown> =>
      db
        .collection(collection)
        .insertOne(document as never)
        .then(
          () => 'stored',
          (error: unknown) => (error as { code: number }).code,
        );

    beforeEach(() => run());

    it('take events of every kind, also with members that are not known yet', async () => {
      const events = [
        {},
        { http: { method: 'POST', route: null, status: null } },
        { http: { method: 'GET', route: '/x', status: 200 }, meta: { deep: [{ a: 1.5, b: null }] } },
        { action: 'audit.gap', source: 'system', meta: { lost: 1, reason: 'poison' } },
        { v: 2, later: { more: true } },
        { v: Long.fromNumber(1) },
      ];
      for (const [index, event] of events.entries()) {
        const _id = `${ID.slice(0, 27)}${String(index).padStart(12, '0')}`;
        expect(await insert('audit_events', { ...makeEvent(), ...event, _id })).to.equal('stored');
      }
    });

    it('refuse what is no event', async () => {
      const { salt, ...unsalted } = makeEvent({ _id: ID });
      expect(salt).to.be.a('string');
      const others = [
        { ...makeEvent(), _id: 'S.1' },
        { ...makeEvent(), _id: `${ID}1` },
        { ...makeEvent(), _id: ID.replace('Z', 'U') },
        unsalted,
        { ...makeEvent({ _id: ID }), at: '2026-01-01T00:00:00.000Z' },
        { ...makeEvent({ _id: ID }), v: 1.5 },
        { ...makeEvent({ _id: ID }), status: 'fine' },
        { ...makeEvent({ _id: ID }), actorId: 7 },
        { ...makeEvent({ _id: ID }), meta: 'text' },
        { ...makeEvent({ _id: ID }), http: { method: 'GET' } },
      ];
      for (const document of others) expect(await insert('audit_events', document)).to.equal(121);
    });

    it('take entries of the ledger, and refuse what is none', async () => {
      expect(await insert('audit_events_ledger', { _id: 0, ...ENTRY, leaves: Buffer.alloc(64) })).to.equal('stored');
      expect(await insert('audit_events_ledger', { _id: Long.fromNumber(1), ...ENTRY })).to.equal('stored');
      const { kind, entry, note, peaks } = ENTRY;
      expect(await insert('audit_events_ledger', { _id: 2, kind, entry, note, peaks })).to.equal('stored');
      const others = [
        { _id: -1 },
        { _id: 1.5 },
        { _id: 'x' },
        { _id: 9, entry: {} },
        { _id: 9, note: null },
        { _id: 9, peaks: 'text' },
        { _id: 9, leaves: [] },
        { _id: 9, from: 'x' },
      ];
      for (const other of others) expect(await insert('audit_events_ledger', { ...ENTRY, ...other })).to.equal(121);
    });
  });
});

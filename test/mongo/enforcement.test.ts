/** A real room in production and elsewhere, as the appender and as users who may do more: what ready() says, and what is warned of. */
import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import mongoose from 'mongoose';
import { generateKey } from '../../src/evidence/keys.js';
import { provision } from '../../src/mongo/provision-run.js';
import { envProvider, strongroom, type Strongroom, type StrongroomOptions } from '../../src/index.js';
import { type GuardedMongod, startMongodWithAuth } from '../mongod.js';

type Outcome = { code: string; message: string; help: string; status: number };

describe('mongo/enforcement', function suite() {
  this.timeout(60_000);
  let server: GuardedMongod;
  let admin: MongoClient;
  const rooms: Strongroom[] = [];
  const { signingKey, vkey } = generateKey('localhost/enforcement');
  let warnings: { code: string; message: string }[] = [];
  const note = (warning: Error) => void warnings.push(warning as unknown as { code: string; message: string });

  before(async () => {
    server = await startMongodWithAuth();
    admin = await new MongoClient(server.adminUri('admin')).connect();
    const request = { database: 'app', collection: 'audit_events', tenant: false, user: 'shop' };
    await provision(admin.db('app') as never, request, 'secret');
    await admin.db('app').command({ createUser: 'broad', pwd: 'secret', roles: ['readWrite'] });
    process.on('warning', note);
  });
  after(async () => {
    process.off('warning', note);
    await admin.close();
    await server.stop();
  });
  beforeEach(() => {
    warnings = [];
  });
  afterEach(async () => {
    for (const room of rooms.splice(0)) await room.close();
  });

  function open(
    user: string,
    audit: object = {},
    environment: StrongroomOptions['environment'] = 'production',
  ): Strongroom {
    const uri = server.uri('app', { user, password: 'secret' });
    const provider = envProvider({ source: { AUDIT_SIGNING_KEY: signingKey } });
    const room = strongroom({
      environment,
      secrets: { provider },
      audit: { uri, evidence: { anchors: [] }, ...audit },
    });
    rooms.push(room);
    return room;
  }

  const refusal = (room: Strongroom): Promise<Outcome> =>
    room.ready().then(
      () => expect.fail('it is ready'),
      (error: unknown) => error as Outcome,
    );
  const unenforced = () => warnings.filter(({ code }) => code === 'STRONGROOM_UNENFORCED');

  /** Polls for what comes beside the first write, for five seconds at most. */
  async function until(isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + 5000;
    while (!isSo()) {
      if (Date.now() > deadline) throw new Error(`never happened: ${String(isSo)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it('is ready as the appender, records and reads', async () => {
    const room = open('shop');
    expect((await room.ready()).audit).to.include({ enforcement: 'enforced', indexes: 'unknown' });
    const { _id } = await room.audit.record({ action: 'user.update', actorId: 'u1' });
    expect((await room.audit.find({ actorId: 'u1' })).events.map((event) => event._id)).to.deep.equal([_id]);
    expect(unenforced()).to.deep.equal([]);
  });

  it('seals as the appender, and the trail verifies: the validators take what the package writes', async () => {
    const room = open('shop');
    expect((await room.ready()).audit).to.include({ evidence: 'signed' });
    await room.audit.record({ action: 'user.update' });
    await room.audit.seal();
    const report = await room.audit.verify({ keys: [vkey] });
    expect(report.violations).to.deep.equal([]);
    expect(report.intact).to.equal(true);
    await room.close();
    const kinds = await admin.db('app').collection('audit_events_ledger').distinct('kind');
    expect(kinds).to.include.members(['open', 'seal', 'close']);
  });

  it('is not ready in production as a user who may change the trail, and says why and what to do', async () => {
    const error = await refusal(open('broad'));
    expect(error).to.include({ code: 'ERR_STRONGROOM_AUDIT_UNENFORCED', name: 'AuditWriteError', status: 500 });
    expect(error.message).to.match(/this user may update, remove, .* \(role readWrite on db app\)/);
    expect(error.message).to.include('`strongroom provision`').and.include('audit.dangerouslyAllowUnenforced: true');
    expect(error.message).to.not.include('secret');
  });

  it('builds nothing when it is not ready', async () => {
    await refusal(open('broad', { collection: 'never_made' }));
    const names = await admin.db('app').listCollections({ name: 'never_made' }).toArray();
    expect(names).to.deep.equal([]);
  });

  it('is ready all the same where that is said to be wanted, and outside production', async () => {
    const allowed = open('broad', { dangerouslyAllowUnenforced: true });
    expect((await allowed.ready()).audit).to.include({ enforcement: 'unenforced' });
    expect((await open('broad', {}, 'test').ready()).audit).to.include({ enforcement: 'unenforced' });
    await allowed.audit.record({ action: 'user.update' });
    expect(unenforced()).to.deep.equal([]);
  });

  it('is ready, with a warning, where the collection is still to be made', async () => {
    const resource = (collection: string) => ({ resource: { db: 'app', collection }, actions: ['find', 'insert'] });
    await admin.db('app').command({ createRole: 'early', privileges: [resource('later')], roles: [] });
    await admin.db('app').command({ createUser: 'early', pwd: 'secret', roles: ['early'] });
    expect((await open('early', { collection: 'later' }).ready()).audit).to.include({ enforcement: 'unknown' });
    await until(() => unenforced().length > 0);
    expect(unenforced()[0]?.message).to.include('the collection later is missing').and.include('provision it first');
  });

  it('warns once, beside the first write, when nobody asked whether it is ready', async () => {
    // A warning comes once a process and text: no other test warns of this user.
    await admin.db('app').command({ createUser: 'cleaner', pwd: 'secret', roles: ['dbOwner'] });
    const room = open('cleaner');
    await room.audit.record({ action: 'user.update', actorId: 'u2' });
    await until(() => unenforced().length > 0);
    const second = open('cleaner');
    await Promise.all([room.audit.record({ action: 'user.update' }), second.audit.record({ action: 'user.update' })]);
    await room.close();
    await second.close();
    expect(unenforced().map(({ message }) => message)).to.have.length(1);
    expect(unenforced()[0]?.message).to.match(
      /does not protect the audit trail: this user may update, remove, .*dbOwner/,
    );
  });

  it('writes and does not warn outside production', async () => {
    await admin
      .db('app')
      .command({ createUser: 'tester', pwd: 'secret', roles: [{ role: 'dbOwner', db: 'app' }, 'readWrite'] });
    const room = open('tester', {}, 'test');
    await room.audit.record({ action: 'user.update' });
    await room.ready();
    expect(unenforced()).to.deep.equal([]);
  });

  it('looks once, however much is written', async () => {
    const uri = server.uri('app', { user: 'broad', password: 'secret' });
    const connection = await mongoose.createConnection(uri, { monitorCommands: true }).asPromise();
    let looks = 0;
    connection.getClient().on('commandStarted', ({ commandName }) => {
      if (commandName === 'connectionStatus') looks += 1;
    });
    const room = strongroom({ environment: 'production', audit: { connection, evidence: false } });
    for (let n = 0; n < 5; n += 1) await room.audit.record({ action: 'user.update' });
    await until(() => looks > 0);
    await room.close();
    await connection.close();
    expect(looks).to.equal(1);
  });
});

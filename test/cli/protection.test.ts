/** `strongroom provision` and `strongroom doctor` against a server with access control. */
import { expect } from 'chai';
import { Binary, MongoClient } from 'mongodb';
import type { LedgerDocument } from '../../src/evidence/ledger-document.js';
import { type GuardedMongod, startMongod, startMongodWithAuth } from '../mongod.js';
import { strongroom, strongroomJson } from './command-line.js';
import { SealedTrail, STREAM } from './sealed-trail.js';

const PASSWORD = 'correct horse';
const OTHER = '01BX5ZZKBKACTAV9WEVGEMMVRZ';

interface Doctor {
  enforcement: string;
  reasons: string[];
  users: { scope: string; risky: { user: string }[] };
  ledgerState: {
    size: number;
    junk: string[];
    openStreams: { stream: string; unsealed: number }[];
    unknownStream: string | null;
  };
}

describe('strongroom provision, strongroom doctor', function suite() {
  this.timeout(120_000);
  let server: GuardedMongod;
  let admin: MongoClient;
  let databases = 0;
  let name: string;

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
    name = `cli_${databases}`;
  });

  const provision = (...more: string[]) =>
    strongroomJson<{ steps: { what: string; outcome: string }[] }>(
      ['provision', '--uri', server.adminUri('admin'), '--db', name, '--user', 'shop', '--password-env', 'PW', ...more],
      { PW: PASSWORD },
    );
  const appUri = () => server.uri(name, { user: 'shop', password: PASSWORD });

  it('makes what the app needs, changes nothing the second time, and the doctor finds it enforced', async () => {
    const first = await provision();
    expect(first.code).to.equal(0);
    expect(new Set(first.result.steps.map(({ outcome }) => outcome))).to.deep.equal(new Set(['created']));
    const again = await provision();
    expect(new Set(again.result.steps.map(({ outcome }) => outcome))).to.deep.equal(new Set(['already there']));
    const { code, stdout, stderr } = await strongroom(['doctor'], { MONGODB_URI: appUri() });
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(stdout).to.match(/^enforcement: enforced$/m);
    expect(stdout).to.match(/^ledger: 0 entries; 0 streams open$/m);
  });

  it('prints lines for mongosh with --dry-run, without a connection', async () => {
    const args = ['provision', '--db', name, '--user', 'shop', '--collection', 'acts', '--dry-run'];
    const { code, stdout } = await strongroom(args);
    expect(code).to.equal(0);
    expect(stdout).to.match(new RegExp(`^db = db.getSiblingDB\\("${name}"\\)\ndb.runCommand\\(`));
    expect(stdout).to.include('"acts_ledger"').and.to.include('passwordPrompt()');
    expect(await admin.db(name).listCollections().toArray()).to.have.length(0);
  });

  it('needs the password of a new user, in a variable that is set: exit 2', async () => {
    const args = ['provision', '--uri', server.adminUri('admin'), '--db', name, '--user', 'shop'];
    const missing = await strongroom(args);
    expect(missing.code).to.equal(2);
    expect(missing.stderr).to.match(/a password is needed/);
    expect((await strongroom([...args, '--password-env', 'PW'])).stderr).to.match(/it is not set/);
  });

  it('tells no password: not of a wrong log-in, not of a server that is not there', async () => {
    const wrong = await strongroom(['doctor', '--uri', server.uri(name, { user: 'shop', password: 'hunter2' })]);
    expect(wrong.code).to.equal(2);
    expect(wrong.stderr).to.match(/refuses the credentials/);
    const gone = await strongroom([
      'doctor',
      '--uri',
      'mongodb://shop:hunter2@127.0.0.1:1/x?serverSelectionTimeoutMS=200',
    ]);
    expect(gone.code).to.equal(2);
    expect(gone.stderr).to.match(/cannot be reached/);
    const broken = await strongroom(['doctor', '--uri', 'mongodb://shop:hunter2@127.0.0.1:1/x?hunter2=1']);
    expect(broken.code).to.equal(2);
    expect(wrong.stderr + gone.stderr + broken.stderr + broken.stdout).not.to.include('hunter2');
  });

  it('finds an administrator unenforced, exit 1, and shows it who else can change the trail', async () => {
    await provision();
    await admin.db(name).command({ createUser: 'careless', pwd: PASSWORD, roles: ['readWrite'] });
    const { code, result } = await strongroomJson<Doctor>(['doctor', '--uri', server.adminUri(name)]);
    expect(code).to.equal(1);
    expect(result.enforcement).to.equal('unenforced');
    expect(result.reasons).not.to.have.length(0);
    expect(result.users.scope).to.equal('server');
    expect(result.users.risky.map(({ user }) => user))
      .to.include.members(['careless', 'root'])
      .and.not.to.include('shop');
    const text = (await strongroom(['doctor', '--uri', server.adminUri(name)])).stdout;
    expect(text).to.match(/^ {2}careless \(of cli_\d+\): /m);
  });

  it('shows how far the ledger is, which streams lag, and what squats on the next number', async () => {
    await provision();
    const trail = new SealedTrail();
    await trail.open();
    await trail.seal(trail.record(3), 'close');
    await trail.open(OTHER);
    await trail.seal(trail.record(2, { stream: OTHER }));
    trail.record(4, { stream: OTHER });
    const db = admin.db(name);
    await trail.store(db);
    const { code, result } = await strongroomJson<Doctor>(['doctor', '--uri', appUri()]);
    expect(code).to.equal(0);
    expect(result.ledgerState).to.deep.include({ size: 4, junk: [], unknownStream: null });
    expect(result.ledgerState.openStreams).to.have.length(1);
    expect(result.ledgerState.openStreams[0]).to.include({ stream: OTHER, unsealed: 4 });

    const app = await new MongoClient(appUri()).connect();
    const { _id, peaks, leaves, ...newest } = trail.ledger.at(-1) as Required<LedgerDocument>;
    const squatter = { ...newest, _id: _id + 1, peaks: new Binary(peaks), leaves: new Binary(leaves) };
    await app
      .db()
      .collection('audit_events_ledger')
      .insertOne(squatter as never);
    await app.close();
    const after = await strongroom(['doctor', '--uri', appUri()]);
    expect(after.code).to.equal(1);
    expect(after.stdout).to.match(/ledger: 4 entries, the newest [\d,]+ days ago; 1 stream open/);
    expect(after.stdout).to.match(/^ {2}ledger#4 is no entry/m);
    expect(after.stdout).to.match(new RegExp(`^ {2}${OTHER}: 4 events not sealed yet`, 'm'));
  });

  it('warns on stderr of what makes it worth less: roles of the user, trails that share the role', async () => {
    await admin.db(name).command({ createUser: 'shop', pwd: PASSWORD, roles: ['readWrite'] });
    const first = await provision();
    expect(first.code).to.equal(0);
    expect(first.stderr).to.match(/^warning: the user shop can change the trail all the same: update, .*readWrite/);
    await admin.db(name).command({ revokeRolesFromUser: 'shop', roles: ['readWrite'] });
    const second = await provision('--collection', 'second');
    expect(second.stderr).to.match(/^warning: the trails of this database share the role strongroomAppender: .*\n$/);
    expect(second.result).to.include({ accessControl: 'on' });
  });

  it('warns that roles bind nobody on a server without access control', async () => {
    const open = await startMongod();
    try {
      const args = ['provision', '--uri', open.getUri(), '--db', name, '--user', 'shop', '--password-env', 'PW'];
      const { code, stderr } = await strongroom(args, { PW: PASSWORD });
      expect(code).to.equal(0);
      expect(stderr).to.match(/^warning: access control is off on this server: roles bind nobody there/);
    } finally {
      await open.stop();
    }
  });

  it('makes the index for audit.tenant with --tenant, which the doctor then asks for', async () => {
    const indexes = async (...more: string[]) =>
      (await strongroomJson<{ trail: { indexes: string } }>(['doctor', '--uri', server.adminUri(name), ...more])).result
        .trail.indexes;
    await provision();
    expect([await indexes(), await indexes('--tenant')]).to.deep.equal(['ok', 'missing']);
    await provision('--tenant');
    expect(await indexes('--tenant')).to.equal('ok');
    expect(
      (await strongroom(['provision', '--db', name, '--user', 'shop', '--tenant', '--dry-run'])).stdout,
    ).to.include('"tenantId":1');
  });

  it('prunes nothing, and says so in no entry, as a user who may not delete: exit 2', async () => {
    await provision();
    const trail = new SealedTrail();
    await trail.open();
    await trail.seal(trail.record(3), 'close');
    await trail.store(admin.db(name));
    const args = ['prune', '--uri', appUri(), '--before', '2026-06-01', '--yes'];
    const { code, stderr } = await strongroom(args, { AUDIT_SIGNING_KEY: trail.key.signingKey });
    expect({ code, stderr }).to.deep.equal({
      code: 2,
      stderr: 'strongroom: this user may not delete; nothing was done\n',
    });
    expect(await admin.db(name).collection('audit_events_ledger').countDocuments()).to.equal(2);
    expect(await admin.db(name).collection('audit_events').countDocuments()).to.equal(3);
  });

  it('says when the newest stream of the trail is not in the ledger', async () => {
    await provision();
    const trail = new SealedTrail();
    trail.record(2);
    await trail.store(admin.db(name));
    const { result } = await strongroomJson<Doctor>(['doctor', '--uri', appUri()]);
    expect(result.ledgerState.unknownStream).to.equal(STREAM);
  });
});

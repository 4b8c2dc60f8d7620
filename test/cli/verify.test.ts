/** `strongroom verify` on databases and exported folders: verdicts, exit codes, anchors, the saved state. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Binary, Decimal128, Long, MongoClient, ObjectId } from 'mongodb';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { generateKey } from '../../src/evidence/keys.js';
import type { VerifyReport, VerifyState } from '../../src/evidence/report.js';
import { startMongod } from '../mongod.js';
import { NODE_ARGUMENTS, strongroom, strongroomJson } from './command-line.js';
import { KEY, openRoom, record, writeTrail } from './history.js';

/** The driver writes a Map as it iterates: a document with one key twice, of which it shows the last. */
class Twice extends Map<string, unknown> {
  override *entries(): MapIterator<[string, unknown]> {
    yield ['index', 'hidden'];
    yield ['index', 0];
    yield ['text', 'a "quoted" wörd'];
  }
}

const DAY = new Date('2026-01-01T00:00:00Z');

describe('strongroom verify', function suite() {
  this.timeout(120_000);
  let server: MongoMemoryServer;
  let client: MongoClient;
  let folder: string;
  let uri: string;
  let name: string;
  let databases = 0;

  before(async () => {
    server = await startMongod();
    client = await new MongoClient(server.getUri()).connect();
  });
  after(async () => {
    await client.close();
    await server.stop();
  });
  beforeEach(async () => {
    databases += 1;
    name = `verify_${databases}`;
    uri = server.getUri(name);
    folder = await mkdtemp(join(tmpdir(), 'strongroom-verify-'));
    await writeFile(path('keys'), `${KEY.vkey}\n`);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const path = (file: string) => join(folder, file);
  const events = () => client.db(name).collection<{ _id: string }>('audit_events');
  const ledger = () => client.db(name).collection<{ _id: number; note: string }>('audit_events_ledger');
  const verify = (...more: string[]) => strongroom(['verify', '--uri', uri, '--keys', path('keys'), ...more]);
  const verifyFrom = (...more: string[]) =>
    strongroom(['verify', '--from', path('out'), '--keys', path('keys'), ...more]);
  const exportAll = () => strongroom(['export', '--uri', uri, '--to', path('out')]);
  const kinds = (text: string) => [...text.matchAll(/^([a-z-]+) {2}/gm)].map(([, kind]) => kind);

  it('finds an honest trail intact, in the database and in its export: exit 0', async () => {
    await writeTrail(uri, [DAY, DAY], 40);
    await exportAll();
    for (const run of [await verify(), await verifyFrom()]) {
      expect({ code: run.code, stderr: run.stderr }, run.stdout).to.deep.equal({ code: 0, stderr: '' });
      const lines = run.stdout.trimEnd().split('\n');
      expect(lines[0]).to.match(/^\d+ entries of the ledger, 80 events, \d+ warnings?$/);
      expect(lines.at(-1)).to.equal('intact');
    }
    const args = ['verify', '--from', path('out'), '--keys', path('keys')];
    const { code, result } = await strongroomJson<VerifyReport>(args);
    expect(code).to.equal(0);
    expect(Object.keys(result).sort()).to.deep.equal(
      ['entries', 'events', 'intact', 'newest', 'state', 'violations', 'warnings'].sort(),
    );
    expect(result).to.deep.include({ intact: true, events: 80, violations: [] });
  });

  it('finds an export intact that was taken while rooms come, write and go', async () => {
    const rooms = [openRoom(uri, { sealEvery: 50 })];
    let isDone = false;
    const writing = (async () => {
      while (!isDone) {
        const room = rooms.at(-1) ?? openRoom(uri);
        await record(room, 20, new Date());
        rooms.push(openRoom(uri, { sealEvery: 50 }));
        if (rooms.length > 3) await rooms.shift()?.close();
      }
    })();
    await record(rooms[0] as never, 200, new Date());
    const exported = await exportAll();
    const live = await verify();
    isDone = true;
    await writing;
    await Promise.all(rooms.map((room) => room.close()));
    expect(exported.code, exported.stderr).to.equal(0);
    expect(live.code, live.stdout).to.equal(0);
    const run = await verifyFrom();
    expect(run.code, run.stdout + run.stderr).to.equal(0);
  });

  it('names what was changed, where and how: exit 1, the verdict in the last line', async () => {
    const ids = await writeTrail(uri, [DAY], 5);
    await events().updateOne({ _id: ids[1] ?? '' }, { $set: { actorId: 'somebody\u001b[2Jelse' } });
    await events().deleteOne({ _id: ids[3] ?? '' });
    await exportAll();
    for (const run of [await verify(), await verifyFrom()]) {
      expect(run.code).to.equal(1);
      expect(kinds(run.stdout)).to.deep.equal(['event-edited', 'event-missing']);
      expect(run.stdout).to.include(`event-edited  ${ids[1]}  `).and.to.include(`event-missing  ${ids[3]}  `);
      expect(run.stdout).to.match(/\nNOT intact: 2 violations\n$/);
    }
  });

  it('names in an export what was hidden in bytes, or is no event at all', async () => {
    const [id = ''] = await writeTrail(uri, [DAY]);
    const stored = await events().findOne({ _id: id });
    await events().deleteOne({ _id: id });
    await events().insertOne({ ...stored, meta: new Twice() } as never);
    await events().insertOne({ _id: 7, at: DAY } as never);
    const exported = await exportAll();
    expect(exported).to.include({ code: 0 });
    expect(exported.stderr).to.match(new RegExp(`: ${id}$`, 'm'));
    for (const run of [await verifyFrom(), await verify()]) {
      expect(run.code).to.equal(1);
      expect(kinds(run.stdout)).to.deep.equal(['event-inserted', 'event-type']);
      expect(run.stdout).to.include('event-inserted  7  ').and.to.include(`event-type  ${id}  `);
    }
  });

  it('writes the state after an intact run only, for its owner alone, and finds what was cut off since', async () => {
    await writeTrail(uri, [DAY]);
    expect((await verify('--state', path('state'))).code).to.equal(0);
    const first = await readFile(path('state'), 'utf8');
    expect(JSON.parse(first) as VerifyState).to.include({ v: 1 });
    expect((await stat(path('state'))).mode & 0o777).to.equal(0o600);
    await writeTrail(uri, [DAY]);
    expect((await verify('--state', path('state'))).code).to.equal(0);
    const second = await readFile(path('state'), 'utf8');
    expect(second).not.to.equal(first);

    const { size } = JSON.parse(first) as unknown as { size: number };
    await ledger().deleteMany({ _id: { $gte: size } });
    const ids = (await events().find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
    await events().deleteMany({ _id: { $in: ids.slice(3) } });
    const cut = await verify('--state', path('state'));
    expect(cut.code).to.equal(1);
    expect(kinds(cut.stdout)).to.deep.equal(['ledger-truncated']);
    expect(await readFile(path('state'), 'utf8')).to.equal(second);
    expect((await verify()).code).to.equal(0);
  });

  it('takes notes that were kept elsewhere as anchors, several files of them', async () => {
    await writeTrail(uri, [DAY, DAY]);
    const notes = (await ledger().find().sort({ _id: 1 }).toArray()).map(({ note }) => note);
    await writeFile(path('one'), notes[1] ?? '');
    await writeFile(path('log'), notes.join('\n'));
    const anchors = ['--anchor', path('one'), '--anchor', path('log')];
    const honest = await verify(...anchors);
    expect(honest.code, honest.stdout).to.equal(0);
    expect(honest.stdout).not.to.include('anchor-unusable');
    const ids = (await events().find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
    await ledger().deleteMany({ _id: { $gte: 2 } });
    await events().deleteMany({ _id: { $in: ids.slice(3) } });
    const cut = await verify(...anchors);
    expect(cut.code).to.equal(1);
    expect(kinds(cut.stdout)).to.deep.equal(['ledger-truncated']);
  });

  it('says why it could not verify: exit 2, no verdict', async () => {
    await writeTrail(uri, [DAY]);
    await writeFile(path('bad'), '{"v":1,"hunter2"');
    await writeFile(path('strange'), '{"v":1}');
    const wrong: readonly [string[], RegExp][] = [
      [['verify', '--uri', uri], /--keys FILE is missing/],
      [['verify', '--uri', uri, '--keys', path('none')], /none: there is no such file/],
      [['verify', '--uri', uri, '--keys', path('bad')], /--keys \(line 1\) must be a vkey/],
      [['verify', '--uri', uri, '--keys', path('keys'), '--state', path('bad')], /--state must be a file/],
      [['verify', '--uri', uri, '--keys', path('keys'), '--state', path('strange')], /state/],
      [['verify', '--uri', uri, '--from', folder, '--keys', path('keys')], /exclude each other/],
      [['verify', '--from', path('none'), '--keys', path('keys')], /there is no such file/],
      [['verify', '--uri', uri, '--keys', path('keys'), '--collection', 'evnts'], /there is no ledger "evnts_ledger"/],
    ];
    for (const [args, message] of wrong) {
      const { code, stdout, stderr } = await strongroom(args);
      expect({ code, stdout }, stderr).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.match(message).and.not.to.include('hunter2');
    }
  });

  it('names the flag of a folder where a file should be: exit 2', async () => {
    await writeTrail(uri, [DAY]);
    for (const flag of ['--anchor', '--state']) {
      const { code, stderr } = await verify(flag, folder);
      expect({ code, stderr }).to.deep.equal({
        code: 2,
        stderr: `strongroom: ${flag} ${folder}: that is a folder (read)\n`,
      });
    }
  });

  it('gives no verdict without a ledger, of a database and of its export alike', async () => {
    const room = openRoom(uri, false);
    await record(room, 3, new Date());
    await room.close();
    const exported = await strongroomJson(['export', '--uri', uri, '--to', path('out')]);
    expect(exported.result).to.include({ events: 3, entries: 0, left: 0 });
    expect(exported.stderr).to.match(/the ledger is empty: no seal covers/);
    for (const run of [await verify(), await verifyFrom(), await verify('--state', path('state'))]) {
      expect({ code: run.code, stdout: run.stdout }, run.stderr).to.deep.equal({ code: 2, stdout: '' });
      expect(run.stderr).to.match(/nothing could be verified/);
    }
    expect((await readdir(folder)).sort()).to.deep.equal(['keys', 'out']);
  });

  it('finds events without a ledger unregistered once they are old, in both: exit 1', async () => {
    await writeTrail(uri, [DAY]);
    const stored = await events().find().toArray();
    await events().deleteMany({});
    await events().insertMany(
      stored.map((event) => ({ ...event, _id: `01ARZ3NDEKTSV4RRFFQ69G5FAV${event._id.slice(26)}` })),
    );
    await ledger().drop();
    await exportAll();
    for (const run of [await verify(), await verifyFrom()]) {
      expect(run.code, run.stderr).to.equal(1);
      expect(kinds(run.stdout)).to.deep.equal(['stream-unregistered']);
    }
  });

  it('calls a foreign _id the same in the database and in its export', async () => {
    await writeTrail(uri, [DAY]);
    const [event] = await events().find().limit(1).toArray();
    const foreign = [
      '',
      'x',
      7,
      1.5,
      true,
      null,
      DAY,
      new ObjectId(),
      { b: ['x', null], a: 'é' },
      Long.fromNumber(2 ** 40),
    ];
    const bytes = [
      new Binary(Buffer.from('00ff10', 'hex')),
      Decimal128.fromString('1'),
      { a: new Binary(Buffer.alloc(3)) },
    ];
    const long = ['"'.repeat(39), 'a"b\\u0041'.padEnd(39), { a: 'x'.repeat(100) }];
    for (const _id of [...foreign, ...bytes, ...long]) await events().insertOne({ ...event, _id } as never);
    const { stderr } = await exportAll();
    const [live, exported] = [await verify(), await verifyFrom()];
    const findings = (text: string) =>
      text.split('\n').filter((line) => / {2}/.test(line) && !line.startsWith('warning'));
    expect(findings(exported.stdout)).to.deep.equal(findings(live.stdout)).and.to.have.length(16);
    expect(live.stdout)
      .to.include('  {a:é,b:[x,null]}  ')
      .and.to.include('  binary:00ff10  ')
      .and.to.include('event-inserted    ');
    expect(stderr)
      .to.match(/: binary:00ff10$/m)
      .and.to.match(/: decimal128:[0-9a-f]{32}$/m);
  });

  it('trusts no other key: exit 1', async () => {
    await writeTrail(uri, [DAY]);
    await writeFile(path('keys'), generateKey('audit.test/rooms').vkey);
    const run = await verify();
    expect(run.code).to.equal(1);
    expect(kinds(run.stdout)).to.include('ledger-no-known-signature');
  });

  it('keeps its exit code when nobody reads on', async () => {
    const ids = await writeTrail(uri, [DAY], 50);
    await events().deleteMany({ _id: { $in: ids.slice(0, 49) } });
    const args = [...NODE_ARGUMENTS, 'verify', '--uri', uri, '--keys', path('keys')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stderr }).to.deep.equal({ code: 1, stderr: '' });
  });
});

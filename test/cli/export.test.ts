/** `strongroom export`: what stands in the folder, and what never happens to it. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { Long, MongoClient } from 'mongodb';
import { canonicalLine } from '../../src/evidence/line.js';
import { readLedgerLine } from '../../src/evidence/ledger-document.js';
import { startMongod } from '../mongod.js';
import { strongroom, strongroomJson } from './command-line.js';
import { KEY, writeTrail } from './history.js';
import { SealedTrail } from './sealed-trail.js';

interface Exported {
  folder: string;
  events: number;
  entries: number;
  left: number;
  strange: string[];
}

describe('strongroom export', function suite() {
  this.timeout(120_000);
  let server: MongoMemoryServer;
  let client: MongoClient;
  let folder: string;
  let uri: string;
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
    uri = server.getUri(`export_${databases}`);
    folder = join(await mkdtemp(join(tmpdir(), 'strongroom-export-')), 'out');
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

  const events = () => client.db(`export_${databases}`).collection<{ _id: string }>('audit_events');
  const linesOf = async (name: string) => (await readFile(join(folder, name), 'utf8')).split('\n');
  const run = (...more: string[]) => strongroomJson<Exported>(['export', '--uri', uri, '--to', folder, ...more]);

  it('writes every event as its line, in order, every ledger document, and the keys, for the owner alone', async () => {
    const ids = await writeTrail(uri, [new Date('2026-01-01'), new Date('2026-01-02')]);
    const keys = join(folder, '..', 'mine.txt');
    await writeFile(keys, `# mine\n${KEY.vkey}`);
    const { code, result, stderr } = await run('--keys', keys);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    expect(result).to.deep.include({ folder, events: 6, strange: [] });
    expect((await readdir(folder)).sort()).to.deep.equal(['events.ndjson', 'keys.txt', 'ledger.ndjson']);
    const stored = await events().find().sort({ _id: 1 }).toArray();
    expect(stored.map(({ _id }) => _id)).to.deep.equal(ids);
    expect(await linesOf('events.ndjson')).to.deep.equal([...stored.map((event) => canonicalLine(event)), '']);
    const ledger = (await linesOf('ledger.ndjson')).slice(0, -1).map((line) => readLedgerLine(line));
    expect(ledger.map((document) => document?._id)).to.deep.equal([...Array(result.entries).keys()]);
    expect(ledger.every((document) => Buffer.isBuffer(document?.peaks))).to.equal(true);
    expect(await linesOf('keys.txt')).to.deep.equal(['# mine', KEY.vkey, '']);
    const modes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).mode));
    expect(modes.map((mode) => mode & 0o777)).to.deep.equal([0o600, 0o600, 0o600]);
  });

  it('overwrites no export, and leaves the one that is there as it is', async () => {
    await writeTrail(uri, [new Date('2026-01-01')]);
    await run();
    const before = await linesOf('events.ndjson');
    await writeTrail(uri, [new Date('2026-01-02')]);
    const { code, stderr } = await strongroom(['export', '--uri', uri, '--to', folder]);
    expect(code).to.equal(2);
    expect(stderr).to.match(/there is an export already/);
    expect(await linesOf('events.ndjson')).to.deep.equal(before);
    expect(await readdir(folder)).to.have.length(2);
  });

  it('leaves nothing under a name of its own when it fails', async () => {
    await writeTrail(uri, [new Date('2026-01-01')]);
    const keys = join(folder, '..', 'none.txt');
    await writeFile(keys, '# none\n');
    expect((await strongroom(['export', '--uri', uri, '--to', folder, '--keys', keys])).code).to.equal(2);
    const gone = ['export', '--uri', 'mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200', '--to', folder];
    expect((await strongroom(gone)).code).to.equal(2);
    expect(await readdir(join(folder, '..'))).to.deep.equal(['none.txt']);
  });

  it('refuses where there is neither trail nor ledger, and makes no folder', async () => {
    await writeTrail(uri, [new Date('2026-01-01')]);
    const { code, stderr } = await strongroom(['export', '--uri', uri, '--to', folder, '--collection', 'evnts']);
    expect(code).to.equal(2);
    expect(stderr).to.match(/there is no collection "evnts".*nothing was exported/);
    expect(await readdir(join(folder, '..'))).to.deep.equal([]);
  });

  it('exports all events of a trail whose ledger was dropped, however young they are', async () => {
    await writeTrail(uri, [new Date('2026-01-01')]);
    await client.db(`export_${databases}`).collection('audit_events_ledger').drop();
    const { result } = await run();
    expect(result).to.include({ events: 3, entries: 0, left: 0 });
    expect(await linesOf('events.ndjson')).to.have.length(4);
  });

  it('says how many events it left to the next export', async () => {
    await writeTrail(uri, [new Date('2026-01-01')]);
    const ledger = client.db(`export_${databases}`).collection<{ _id: number; entry: string }>('audit_events_ledger');
    // A ledger that was last written long ago, and a stream that began after it.
    const trail = new SealedTrail();
    await ledger.deleteMany({});
    await trail.open();
    await trail.seal(trail.record(2), 'close');
    await trail.store(client.db(`export_${databases}`));
    const { code, result, stderr } = await run();
    expect({ code, ...result }).to.include({ code: 0, events: 2, entries: 2, left: 3 });
    expect(stderr).to.match(/^3 events left to the next export/);
  });

  it('writes documents that are no events of this package as their bytes, and names them', async () => {
    const [first = ''] = await writeTrail(uri, [new Date('2026-01-01')]);
    await events().updateOne({ _id: first }, { $set: { v: Long.fromNumber(1) } });
    await events().insertOne({ _id: 7, hello: new Date() } as never);
    const { code, result, stderr } = await run();
    expect(code).to.equal(0);
    expect(result.strange).to.deep.equal(['7', first]);
    expect(stderr).to.match(/not in the form that this package stores.*: 7$/m);
    const lines = await linesOf('events.ndjson');
    expect(lines).to.have.length(3 + 1 + 1);
    const [foreign = '', edited = ''] = lines;
    expect(Object.keys(JSON.parse(foreign) as object)).to.deep.equal(['_id', 'bson']);
    expect(JSON.parse(edited)).to.include({ _id: first });
  });
});

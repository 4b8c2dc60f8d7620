/** What the sealer appends and when, on a real mongod; the verifier is the judge. What may go wrong is tested beside it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { readEntry, type SegmentEntry } from '../../src/evidence/entry.js';
import { generateKey } from '../../src/evidence/keys.js';
import { startMongod } from '../mongod.js';
import { SealingWorld, until } from './sealing-world.js';

describe('The sealer', function suite() {
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
    world = await SealingWorld.open(server.getUri(`sealer_${databases}`));
  });
  afterEach(() => world.close());

  const note = { action: 'user.update', target: 'note' };

  it('writes nothing at mount, by ready(), by seal() or by close() while nothing is recorded', async () => {
    const room = world.room();
    expect((await room.ready()).audit).to.include({ evidence: 'signed' });
    await room.audit.seal();
    await room.close();
    expect(await world.ledger.countDocuments()).to.equal(0);
  });

  it('enters a stream before its first event is stored', async () => {
    const events: string[] = [];
    const room = world.room(
      { sealEvery: '1h' },
      { hooks: { events: { 'audit:recorded': () => void events.push('recorded') } } },
    );
    const recorded = room.audit.record(note);
    await until(async () => (await world.ledger.countDocuments()) === 1);
    await recorded;
    expect(await world.told()).to.deep.equal(['open']);
    const [entry] = await world.entries();
    expect(entry).to.include({ n: 0, kind: 'open', app: null });
  });

  it('seals what is stored by itself, closes at the end, and all of it verifies', async () => {
    const room = world.room({ sealEvery: '20ms' });
    await room.audit.record(note);
    await until(async () => (await world.told()).includes('seal 0+1'));
    await Promise.all([room.audit.record(note), room.audit.record(note)]);
    await until(async () => (await world.told()).join().includes('seal 1+2'));
    await room.audit.record(note);
    await room.close();
    expect((await world.told()).at(-1)).to.equal('close 4+0');
    expect(await world.intact()).to.deep.equal([]);
  });

  it('gives an entry the time of its newest event when that is later than the clock', async () => {
    const at = new Date(Date.now() + 3000);
    const writer = world.writer();
    await writer.record(1, { at });
    await writer.sealer.seal();
    expect((await world.entries()).at(-1)?.at).to.equal(at.toISOString());
    await world.intact();
  });

  it('seals 4,096 events at once, without waiting for its time', async () => {
    const writer = world.writer();
    await writer.record(4095);
    expect(await world.told()).to.deep.equal(['open']);
    await writer.record(1);
    await until(async () => (await world.told()).includes('seal 0+4096'));
  });

  it('needs several entries for more than 65,536 events', async () => {
    const writer = world.writer();
    await writer.sealer.open(writer.id);
    const events = await writer.storeOnly(65_540);
    writer.sealer.add(events);
    await writer.sealer.seal();
    expect(await world.told()).to.deep.equal(['open', 'seal 0+65536', 'seal 65536+4']);
    const [, first] = await world.documents();
    expect(first?.leaves?.buffer.length).to.equal(65_536 * 32);
    await world.intact();
  });

  it('shows that it lives with empty seals while nothing happens', async () => {
    const room = world.room({ sealEvery: '20ms', deadAfter: '300ms' });
    await room.audit.record(note);
    await until(async () => (await world.told()).filter((told) => told === 'seal 1+0').length >= 2);
    const heartbeat = (await world.entries()).at(-1) as SegmentEntry;
    expect(heartbeat).to.include({ count: 0, root: '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' });
    expect((await world.documents()).at(-1)).to.not.have.property('leaves');
    await room.close();
    await world.intact();
  });

  it('seals every event that was acknowledged before seal() was called, whoever records meanwhile', async () => {
    const room = world.room({ sealEvery: '10ms' });
    let recorded = 0;
    for (let round = 0; round < 20; round += 1) {
      const burst = Array.from({ length: 50 }, () => room.audit.record(note));
      await burst[0];
      const acknowledged = room.audit.stats().recorded;
      await room.audit.seal();
      const covered = (await world.entries()).reduce((sum, entry) => sum + ('count' in entry ? entry.count : 0), 0);
      expect(covered).to.be.at.least(acknowledged);
      await Promise.all(burst);
      recorded += burst.length;
    }
    await room.close();
    const report = await world.verify();
    expect(report).to.include({ intact: true, events: recorded });
    expect(report.warnings).to.deep.equal([]);
  });

  it('goes on in a new stream when someone squats on its numbers, closes the old one, and loses nothing', async () => {
    const alarms: { kind: string; where: string }[] = [];
    const hooks = { events: { 'audit:alarm': (alarm: { kind: string; where: string }) => void alarms.push(alarm) } };
    const room = world.room({ sealEvery: '20ms' }, { hooks });
    const { _id } = await room.audit.record(note);
    const next = _id.replace(/0$/, '1');
    const stored = await world.trail.findOne({ _id: _id as never });
    await world.trail.insertOne({ ...stored, _id: next as never, actorId: 'forged' });
    const later = await room.audit.record(note);
    expect(later._id.slice(0, 26)).to.not.equal(_id.slice(0, 26));
    expect(alarms).to.have.length(1);
    expect(alarms[0]).to.include({ kind: 'event-inserted', where: next });
    await room.close();
    expect(await world.told(_id.slice(0, 26))).to.deep.equal(['open', 'seal 0+1', 'close 1+0']);
    expect((await world.told(later._id.slice(0, 26))).at(-1)).to.equal('close 1+0');
    const { violations } = await world.verify();
    expect(violations.map(({ kind, where }) => [kind, where])).to.deep.equal([['event-inserted', next]]);
  });

  it('shares one ledger among several rooms', async () => {
    const rooms = Array.from({ length: 5 }, () => world.room({ sealEvery: '5ms' }));
    for (let round = 0; round < 8; round += 1) {
      await Promise.all(rooms.flatMap((room) => [room.audit.record(note), room.audit.seal(), room.audit.record(note)]));
    }
    await Promise.all(rooms.map((room) => room.close()));
    const report = await world.verify();
    expect(report).to.include({ intact: true, events: 80 });
    expect(report.warnings).to.deep.equal([]);
    const entries = await world.entries();
    expect(entries.filter(({ kind }) => kind === 'open')).to.have.length(5);
    expect(entries.filter(({ kind }) => kind === 'close')).to.have.length(5);
  });

  it('takes turns between two keys of one log', async () => {
    const other = generateKey('audit.test/sealing');
    const [one, two] = [
      world.writer({ evidence: { keys: [other.vkey] } }),
      world.writer({ key: other.signingKey, evidence: { keys: [world.key.vkey] } }),
    ];
    for (const writer of [one, two, one, two]) await writer.sealed(1);
    await Promise.all([one, two].map(({ sealer }) => sealer.close(5000)));
    expect(await world.intact({ keys: [world.key.vkey, other.vkey] })).to.deep.equal([]);
    expect([...one.alarms, ...two.alarms]).to.deep.equal([]);
  });

  it('computes leaves again from what is stored when too many wait', async () => {
    const writer = world.writer({ maxLeaves: 100 });
    await writer.record(250);
    await writer.sealer.seal();
    await writer.sealed(7);
    await writer.sealer.close(5000);
    expect((await world.told()).at(-1)).to.equal('close 257+0');
    expect(await world.intact()).to.deep.equal([]);
  });

  it('says which event is gone when leaves have to be computed again', async () => {
    const writer = world.writer({ maxLeaves: 10 });
    const events = await writer.record(30);
    const gone = events[3]?._id ?? '';
    await world.trail.deleteOne({ _id: gone as never });
    await writer.sealer.seal().catch(() => undefined);
    expect(await world.told()).to.deep.equal(['open', 'seal 0+3']);
    expect(writer.alarms).to.have.length(1);
    expect(writer.alarms[0]).to.include({ kind: 'event-missing', where: gone });
  });

  it('keeps no process alive', async () => {
    const script = `
      import { memoryProvider, strongroom } from './src/index.ts';
      import mongoose from 'mongoose';
      const connection = await mongoose.createConnection(process.env.URI).asPromise();
      const provider = memoryProvider({ AUDIT_SIGNING_KEY: process.env.KEY });
      const room = strongroom({ environment: 'test', secrets: { provider }, audit: { connection, evidence: { sealEvery: '1h' } } });
      await room.audit.record({ action: 'user.update' });
      await room.audit.seal();
      await connection.close();
    `;
    const env = { ...process.env, URI: server.getUri(`sealer_${databases}`), KEY: world.key.signingKey };
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      env,
      stdio: 'inherit',
    });
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).to.equal(0);
    expect(await world.told()).to.deep.equal(['open', 'seal 0+1']);
  });

  it('seals at the end, but does not close, a stream of which a spool still holds events', async () => {
    const writer = world.writer();
    await writer.record(3);
    await writer.sealer.close(5000, writer.id);
    expect(await world.told(writer.id)).to.deep.equal(['open', 'seal 0+3']);
    const other = world.writer();
    await other.record(3);
    await other.sealer.close(5000, 'another');
    expect((await world.told(other.id)).at(-1)).to.match(/^close /);
  });

  it('proves an event, also with documents between the numbers that say they are about its stream', async () => {
    const writer = world.writer();
    const [first] = await writer.record(3);
    await writer.sealer.seal();
    const { _id, ...copy } = (await world.documents())[1] as { _id: number };
    await world.ledger.insertMany([
      { ...copy, _id: -1, from: 0 },
      { ...copy, _id: 'x', entry: '{}' },
    ] as never[]);
    const room = world.room();
    expect(await room.audit.prove(first?._id ?? '')).to.include('c2sp.org/tlog-proof');
    expect(readEntry((await world.documents()).find(({ _id: n }) => n === 1)?.entry ?? '')).to.include({ n: _id });
  });
});

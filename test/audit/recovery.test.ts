/** What becomes of the events that a dead or paused process stored and did not seal; on a real mongod, with clocks that the test moves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import type { SegmentEntry } from '../../src/evidence/entry.js';
import { startMongod } from '../mongod.js';
import { SealingWorld, until, type Writer, type WriterOptions } from './sealing-world.js';

const DEAD_AFTER_MS = 300_000;

describe('Recovery', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let world: SealingWorld;
  let databases = 0;
  let aheadMs = 0;

  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());
  beforeEach(async () => {
    databases += 1;
    aheadMs = 0;
    world = await SealingWorld.open(server.getUri(`recovery_${databases}`));
  });
  afterEach(() => world.close());

  const now = (): number => Date.now() + aheadMs;
  const writer = (options: WriterOptions = {}): Writer => world.writer({ now, ...options });
  const judge = (): Promise<string[]> => world.intact({ now: new Date(now()) });

  it('covers what a process left, once it is dead, and says that it was someone else', async () => {
    const dead = writer();
    await dead.sealed(2);
    await dead.storeOnly(3);
    const alive = writer();
    await alive.sealed(1);
    expect(await world.told(dead.id)).to.deep.equal(['open', 'seal 0+2']);
    aheadMs = DEAD_AFTER_MS + 1000;
    await alive.sealer.seal();
    expect((await world.told(dead.id)).at(-1)).to.equal('recover 2+3');
    expect((await world.entries()).at(-1)).to.include({ kind: 'recover', by: alive.id });
    expect(await judge()).to.include('recovered-segment');
  });

  it('leaves a stream alone that was alive when the process started', async () => {
    const alive = writer();
    await alive.sealed(1);
    await alive.storeOnly(2);
    // Who starts knows the newest entry; of this stream it knows only that it is open.
    await writer().sealed(1);
    await writer().sealed(1);
    expect(await world.told(alive.id)).to.deep.equal(['open', 'seal 0+1']);
  });

  it('covers what a process left that died before its first seal', async () => {
    const dead = writer();
    await dead.sealer.open(dead.id);
    await dead.storeOnly(2);
    aheadMs = DEAD_AFTER_MS + 1000;
    await writer().sealed(1);
    expect(await world.told(dead.id)).to.deep.equal(['open', 'recover 0+2']);
    await judge();
  });

  it('is done by a process that has recorded nothing, in its own name, and by itself once it is ready', async () => {
    const dead = writer();
    await dead.sealed(2);
    await dead.storeOnly(1);
    const idle = writer({ evidence: { sealEvery: '20ms' } });
    await idle.sealer.inspect(5000);
    expect(await world.told(idle.id), 'nothing to cover: no entry').to.deep.equal([]);
    aheadMs = DEAD_AFTER_MS + 1000;
    await until(async () => (await world.told(dead.id)).includes('recover 2+1'));
    expect(await world.told(idle.id)).to.deep.equal(['open']);
    await idle.sealer.close(5000);
    expect((await world.told(idle.id)).at(-1)).to.equal('close 0+0');
    expect(await judge()).to.include('recovered-segment');
  });

  it('finds in the ledger who is open, also when it starts long after', async () => {
    const dead = [writer(), writer(), writer()];
    for (const one of dead) await one.record(1);
    await dead[1]?.sealer.close(5000);
    aheadMs = 10 * DEAD_AFTER_MS;
    await writer().sealed(1);
    const told = await Promise.all(dead.map(({ id }) => world.told(id)));
    expect(told.map((one) => one.at(-1))).to.deep.equal(['recover 0+1', 'close 1+0', 'recover 0+1']);
    await judge();
  });

  it('is done once, by whomever, when several look at the same time', async () => {
    const dead = writer();
    await dead.record(5);
    const others = Array.from({ length: 6 }, () => writer());
    await Promise.all(others.map((one) => one.sealed(1)));
    aheadMs = DEAD_AFTER_MS + 1000;
    await Promise.all(others.map(({ sealer }) => sealer.seal()));
    expect(await world.told(dead.id)).to.deep.equal(['open', 'recover 0+5']);
    await judge();
  });

  it('goes on behind what it covered when more turns up later', async () => {
    const dead = writer();
    await dead.sealed(1);
    await dead.storeOnly(1);
    const alive = writer();
    await alive.sealed(1);
    aheadMs = DEAD_AFTER_MS + 1000;
    await alive.sealer.seal();
    await dead.storeOnly(2);
    aheadMs *= 3;
    await alive.sealer.seal();
    expect((await world.told(dead.id)).slice(-2)).to.deep.equal(['recover 1+1', 'recover 2+2']);
    await judge();
  });

  it('covers more than 65,536 events by several entries', async () => {
    const dead = writer();
    await dead.sealed(1);
    await dead.storeOnly(65_538);
    aheadMs = DEAD_AFTER_MS + 1000;
    await writer().sealed(1);
    expect((await world.told(dead.id)).slice(-2)).to.deep.equal(['recover 1+65536', 'recover 65537+2']);
    await judge();
  });

  it('lets a paused process take over what was recovered, and go on behind it', async () => {
    const paused = writer();
    await paused.sealed(2);
    await paused.record(3);
    aheadMs = DEAD_AFTER_MS + 1000;
    await writer().sealed(1);
    await paused.sealed(4);
    await paused.sealer.close(5000);
    expect(await world.told(paused.id)).to.deep.equal(['open', 'seal 0+2', 'recover 2+3', 'seal 5+4', 'close 9+0']);
    expect(paused.alarms).to.deep.equal([]);
    await judge();
  });

  it('lets it go on when events were recovered whose acknowledgement it had not got', async () => {
    const paused = writer();
    await paused.sealed(1);
    const unanswered = await paused.storeOnly(3);
    aheadMs = DEAD_AFTER_MS + 1000;
    await writer().sealed(1);
    await paused.sealer.seal();
    expect((await world.told(paused.id)).at(-1)).to.equal('recover 1+3');
    paused.sealer.add(unanswered.slice(0, 2));
    await paused.sealer.seal();
    paused.sealer.add(unanswered.slice(2));
    await paused.sealed(2);
    expect((await world.told(paused.id)).at(-1)).to.equal('seal 4+2');
    expect(paused.alarms).to.deep.equal([]);
    await judge();
  });

  it('tells an alarm when what was recovered is not what the paused process stored', async () => {
    const paused = writer();
    await paused.sealed(1);
    const [event] = await paused.record(1);
    await world.trail.updateOne({ _id: event?._id as never }, { $set: { actorId: 'other' } });
    aheadMs = DEAD_AFTER_MS + 1000;
    await writer().sealed(1);
    await paused.sealer.seal();
    expect(paused.alarms.map(({ kind }) => kind)).to.deep.equal(['segment-root']);
  });

  it('closes a stream that was left while an entry covers what someone else put in', async () => {
    const paused = writer();
    await paused.sealed(1);
    await paused.storeOnly(1, { actorId: 'squatter' });
    aheadMs = DEAD_AFTER_MS + 1000;
    await writer().sealed(1);
    await paused.sealer.seal();
    expect(paused.alarms).to.deep.equal([]);
    await paused.sealer.close(5000);
    expect((await world.told(paused.id)).slice(-2)).to.deep.equal(['recover 1+1', 'close 2+0']);
    expect(paused.alarms.map(({ kind }) => kind)).to.deep.equal(['segment-root']);
  });

  it('stops before what is no event of this package, tells it, and follows no event far into the future', async () => {
    const [damaged, future] = [writer(), writer()];
    for (const one of [damaged, future]) await one.sealed(1);
    await future.storeOnly(1, { at: new Date('2999-01-01T00:00:00.000Z') });
    await damaged.storeOnly(1);
    await damaged.storeOnly(1, { meta: { at: new Date() } as never });
    const alive = writer();
    aheadMs = DEAD_AFTER_MS + 1000;
    await alive.sealed(1);
    expect((await world.told(damaged.id)).at(-1)).to.equal('recover 1+1');
    aheadMs *= 4;
    await alive.sealer.seal();
    expect(alive.alarms.map(({ kind, where }) => [kind, where])).to.deep.equal([
      ['event-malformed', `${damaged.id}.000000000002`],
    ]);
    expect(Date.parse((await world.entries()).at(-1)?.at ?? '')).to.be.below(now() + 1000);
    const { violations } = await world.verify({ now: new Date(now()) });
    expect(violations.map(({ kind }) => kind)).to.have.members(['event-time', 'event-type', 'event-unsealed']);
  });

  it('is not misled by documents between the numbers', async () => {
    const dead = writer();
    await dead.sealed(2);
    await dead.storeOnly(1);
    const { _id: _n, ...copy } = (await world.documents()).at(-1) as { _id: number };
    const far = { ...copy, from: 1e9, entry: JSON.stringify({ from: 1e9 }) };
    await world.ledger.insertMany([
      { ...far, _id: -5 },
      { ...far, _id: 'text' },
      { ...far, _id: -0.5 },
    ] as never[]);
    aheadMs = DEAD_AFTER_MS + 1000;
    await writer().sealed(1);
    const recovered = (await world.entries()).filter((entry) => entry?.kind === 'recover') as SegmentEntry[];
    expect(recovered.map(({ from, count }) => [from, count])).to.deep.equal([[2, 1]]);
  });

  it('covers what a killed process left', async () => {
    const script = `
      import { memoryProvider, strongroom } from './src/index.ts';
      const provider = memoryProvider({ AUDIT_SIGNING_KEY: process.env.KEY });
      const audit = { uri: process.env.URI, evidence: { sealEvery: '10m' } };
      const room = strongroom({ environment: 'test', secrets: { provider }, audit });
      for (let index = 0; index < 25; index += 1) await room.audit.record({ action: 'user.update' });
      console.log('stored');
      setInterval(() => undefined, 1000);
    `;
    const env = { ...process.env, URI: server.getUri(`recovery_${databases}`), KEY: world.key.signingKey };
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    const room = world.room({ sealEvery: '20ms', deadAfter: '500ms' });
    await room.audit.record({ action: 'user.update' });
    await until(async () => (await world.told()).includes('recover 0+25'));
    await room.close();
    const report = await world.verify();
    expect(report).to.include({ intact: true, events: 26 });
  });
});

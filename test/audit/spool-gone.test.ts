/** A spool that is taken away under a living process: what it had in memory is stored, what it had not is counted, and what someone else has is neither. */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { Pending } from '../../src/audit/pending.js';
import { createEntry } from '../../src/audit/outbox.js';
import { SpoolDirectory } from '../../src/audit/spool-directory.js';
import { SpoolLog } from '../../src/audit/spool-log.js';
import { SpoolOutbox } from '../../src/audit/spool-outbox.js';
import { createStream } from '../../src/audit/stream.js';
import { eventId } from '../../src/evidence/entry.js';
import type { AuditEvent } from '../../src/event.js';
import type { Strongroom } from '../../src/index.js';
import { makeEvent } from './events.js';
import { codeOf, until } from './sealing-world.js';
import { numbersOf, numbersTo, recordMany, SpoolWorld } from './spool-world.js';

describe('A spool that is taken away', function suite() {
  this.timeout(60_000);
  let world: SpoolWorld;
  let lost: { count: number; reason: string }[] = [];
  let told: string[] = [];

  before(async () => {
    world = await SpoolWorld.open();
  });
  after(() => world.close());
  beforeEach(async () => {
    [lost, told] = [[], []];
    await world.begin();
    await world.kill();
  });
  afterEach(() => world.end());

  /** A room with more on disk than in memory. */
  async function full(count: number = 400): Promise<Strongroom> {
    const room = world.room({ maxPendingBytes: 64 * 1024, timeout: '500ms' });
    room.hooks.on('audit:lost', (payload) => void lost.push(payload));
    room.hooks.on('audit:recorded', ({ event }) => void told.push(event._id));
    await recordMany(room, count);
    return room;
  }

  async function expectCounted(room: Strongroom, total: number): Promise<void> {
    const isGap = ({ action }: AuditEvent): boolean => action === 'audit.gap';
    await until(async () => (await world.stored()).some(isGap));
    const found = await world.stored();
    const acts = numbersOf(found).length;
    expect(acts).to.be.within(20, total - 100);
    const [gap, ...others] = found.filter(isGap);
    expect(others).to.deep.equal([]);
    expect(gap?.meta).to.include({ lost: total - acts, reason: 'spool_gone' });
    expect(lost).to.deep.equal([{ count: total - acts, reason: 'spool_gone' }]);
    await until(() => room.audit.stats().pending === 0);
    expect(room.audit.stats()).to.include({ lost: total - acts, spooled: 0 });
    expect(told).to.have.length(new Set(told).size);
    await room.audit.seal();
    expect(await world.intact(room)).to.not.include('unsealed-tail');
  }

  it('counts what it had not in memory, found when it is to be sent', async () => {
    const room = await full();
    await rm(world.directory, { recursive: true });
    await world.start();
    await expectCounted(room, 400);
    await room.audit.flush();
  });

  it('counts what it had not in memory, found when something is written', async () => {
    const room = await full();
    await rm(world.directory, { recursive: true });
    const late = codeOf(room.audit.record({ action: 'test.act', meta: { n: 400 } }));
    await until(() => lost.length > 0);
    expect(await late).to.equal('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
    await world.start();
    await until(async () => numbersOf(await world.stored()).includes(400));
    await expectCounted(room, 401);
  });

  it('counts all of it when the process is closed meanwhile', async () => {
    const room = await full(50);
    await rm(world.directory, { recursive: true });
    void room.audit.record({ action: 'test.act' });
    await until(() => lost.length > 0);
    await room.close({ timeout: 0 });
    expect(room.audit.stats().lost).to.equal(51);
    expect(lost.map(({ reason }) => reason)).to.deep.equal(['spool_gone', 'closed']);
  });

  it('counts nothing when someone else has it, who sends it', async () => {
    const room = await full();
    const [path = ''] = await world.segments();
    const folder = dirname(path);
    await rename(folder, folder.replace(/@.*/, `@${'Z'.repeat(26)}`));
    const late = codeOf(room.audit.record({ action: 'test.act', meta: { n: 400 } }));
    expect(await late).to.equal('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
    await world.start();
    const other = world.room();
    await other.ready();
    await until(async () => (await world.events.countDocuments()) === 401);
    expect(numbersOf(await world.stored()).sort((a, b) => Number(a) - Number(b))).to.deep.equal(numbersTo(401));
    expect(lost).to.deep.equal([]);
  });

  describe('as a log', () => {
    let root = '';
    const stream = createStream().id;
    const events = (count: number, from: number = 0): AuditEvent[] =>
      numbersTo(count).map((n) => makeEvent({ _id: eventId(stream, from + n) }));

    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'strongroom-gone-'));
    });
    afterEach(() => rm(root, { recursive: true, force: true }));

    it('is not removed when someone took it over and sent all of it', async () => {
      const place = { directory: root, collection: 'events', segmentBytes: 4096 };
      const frozen = await SpoolDirectory.open(place);
      const log = await frozen.createLog();
      await log.append(events(3), false);
      await frozen.release();
      const other = await SpoolDirectory.open(place);
      const adopted = await other.adoptLog();
      expect(await log.isRemoved()).to.equal(false);
      await adopted?.readNext({ fill: () => makeEvent(), lose: () => undefined, gone: () => undefined });
      adopted?.acknowledge(3);
      await adopted?.close();
      expect(await log.isRemoved()).to.equal(false);
      expect(await other.adoptLog()).to.equal(undefined);
      const logs = join(root, 'events', 'logs');
      for (const name of await readdir(logs)) await rm(join(logs, name), { recursive: true });
      expect(await log.isRemoved()).to.equal(true);
      await rm(root, { recursive: true });
      expect(await log.isRemoved()).to.equal(true);
      await other.release();
    });

    it('takes nothing along of the log that follows it', async () => {
      const window = new Pending({ timeoutMs: 1000, maxBytes: 1_000_000 });
      const ignore = (): undefined => undefined;
      const gone: number[] = [];
      const outbox = new SpoolOutbox({
        window,
        windowBytes: 1_000_000,
        numbers: createStream(),
        damage: { fill: () => makeEvent(), lose: ignore, gone: (count) => void gone.push(count) },
        pushGap: ignore,
        quarantine: () => Promise.resolve(),
        onReady: ignore,
        onUnreadable: ignore,
        onGone: ignore,
        onSettled: ignore,
        onHoldUp: ignore,
        onMove: ignore,
      });
      const put = async (log: SpoolLog, from: number): Promise<void> => {
        const group = events(3, from);
        await log.append(group, true);
        outbox.use(log);
        outbox.deliver(group.map((event) => createEntry(event, 100, true)));
      };
      await put(await SpoolLog.create(join(root, `${'A'.repeat(26)}@X`), 4096), 0);
      await rm(root, { recursive: true });
      await outbox.leave();
      root = await mkdtemp(join(tmpdir(), 'strongroom-gone-'));
      const next = await SpoolLog.create(join(root, `${'B'.repeat(26)}@X`), 4096);
      await put(next, 3);
      outbox.settle(4);
      expect(next.size).to.equal(2);
      outbox.settle(2);
      expect(next.size).to.equal(0);
      expect(gone).to.deep.equal([]);
      await next.close();
    });
  });
});

/** The spool against a real mongod and a real disk: what is on disk is durable, comes to the trail once and in order, and nothing of the disk breaks recording. */
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Strongroom } from '../../src/index.js';
import { strongroom as strongroomCommand } from '../cli/command-line.js';
import { codeOf, until } from './sealing-world.js';
import { numbersOf, numbersTo, recordMany, SpoolWorld } from './spool-world.js';

describe('The spool', function suite() {
  this.timeout(60_000);
  let world: SpoolWorld;
  const warnings: string[] = [];
  const note = (warning: Error): unknown => warnings.push(`${(warning as { code?: string }).code}: ${warning.message}`);

  before(async () => {
    world = await SpoolWorld.open();
    process.on('warning', note);
  });
  after(async () => {
    process.off('warning', note);
    await world.close();
  });
  beforeEach(async () => {
    warnings.length = 0;
    await world.begin();
  });
  afterEach(() => world.end());

  const stats = (room: Strongroom) => room.audit.stats();
  const arrived = (count: number) => until(async () => (await world.events.countDocuments()) >= count, 30_000);

  it('makes an event durable while MongoDB is away, and stores it under its number when it is back', async () => {
    await world.kill();
    const room = world.room();
    const told: string[] = [];
    room.hooks.on('audit:recorded', ({ event }) => void told.push(event._id));
    const ids = await recordMany(room, 3);
    expect(told).to.deep.equal(ids);
    expect(await world.text()).to.contain(ids[2]);
    expect(stats(room)).to.include({ pending: 3, spooled: 3, recorded: 0, lost: 0 });
    expect(stats(room).lastDurableAt).to.be.instanceOf(Date);
    await world.start();
    await arrived(3);
    expect((await world.stored()).map(({ _id }) => _id)).to.deep.equal(ids);
    await until(() => stats(room).spooled === 0);
    expect(told).to.deep.equal(ids);
    expect(await world.intact(room)).to.not.include('recovered-segment');
  });

  it('leaves no event on disk that MongoDB has, and keeps others out', async () => {
    const room = world.room();
    await recordMany(room, 100);
    expect(await world.modes()).to.deep.equal({ files: ['600'], folders: ['700'] });
    await room.audit.flush();
    await until(async () => !(await world.text()).includes('test.act'));
    await room.close();
    expect(await world.files()).to.deep.equal([]);
  });

  it('keeps more than fits into memory, in order, each event once', async () => {
    await world.kill();
    const room = world.room({ maxPendingBytes: 64 * 1024 });
    const ids = await recordMany(room, 3000);
    expect(stats(room).pendingBytes).to.be.at.most(64 * 1024);
    expect(stats(room)).to.include({ pending: 3000, spooled: 3000, lost: 0 });
    await world.start();
    const more = await recordMany(room, 500);
    await room.audit.flush();
    const found = await world.stored();
    expect(found.map(({ _id }) => _id)).to.deep.equal([...ids, ...more]);
    expect(numbersOf(found)).to.deep.equal([...numbersTo(3000), ...numbersTo(500)]);
    expect(stats(room)).to.include({ pending: 0, pendingBytes: 0, spooled: 0, recorded: 3500 });
    expect(await world.intact(room)).to.not.include('recovered-segment');
  });

  it('stores each event once and in order while the server is killed under load', async () => {
    const room = world.room({ maxPendingBytes: 256 * 1024 });
    let ended = false;
    const killing = (async () => {
      while (!ended) {
        await world.kill();
        await world.start();
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 300));
      }
    })();
    const ids = await recordMany(room, 4000, 50);
    ended = true;
    await killing;
    await room.audit.flush();
    expect((await world.stored()).map(({ _id }) => _id)).to.deep.equal(ids);
    expect(stats(room)).to.include({ lost: 0, spooled: 0 });
  });

  it('ends a flush when all is on disk and MongoDB takes nothing, and otherwise when all is stored', async () => {
    const room = world.room();
    await recordMany(room, 10);
    await room.audit.flush();
    expect(await world.events.countDocuments()).to.equal(10);
    await world.kill();
    await recordMany(room, 10);
    await room.audit.flush();
    expect(stats(room).spooled).to.equal(10);
  });

  it('refuses events beyond its bound, counts them, and says so in the trail when storage is back', async () => {
    await world.kill();
    const room = world.room({ spool: { directory: world.directory, maxBytes: 64 * 1024 } });
    const lost: unknown[] = [];
    room.hooks.on('audit:lost', (payload) => void lost.push(payload));
    let refused = 0;
    let stored = 0;
    for (let n = 0; n < 400; n += 1) {
      const code = await codeOf(room.audit.record({ action: 'test.act', actorId: 'u1', meta: { n } }));
      if (code === 'resolved') stored += 1;
      else refused += 1;
      if (code !== 'resolved') expect(code).to.equal('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
    }
    expect(stored).to.be.within(50, 300);
    expect(stats(room)).to.include({ lost: refused, spooled: stored });
    expect(stats(room).spoolBytes).to.be.at.most(64 * 1024);
    expect(lost[0]).to.deep.equal({ count: 1, reason: 'spool_full' });
    await world.start();
    await until(async () => (await world.events.countDocuments({ action: 'audit.gap' })) > 0);
    const gaps = await world.events.find({ action: 'audit.gap' }).toArray();
    expect(gaps[0]?.reason).to.equal('spool_full');
    expect(gaps[0]?.meta).to.include({ lost: refused, reason: 'spool_full' });
    expect(gaps[0]?.meta).to.have.all.keys('lost', 'reason', 'from', 'to');
    expect(await codeOf(room.audit.record({ action: 'test.act' }))).to.equal('resolved');
  });

  it('lets failures that name nobody fill no more than a quarter of the disk', async () => {
    await world.kill();
    const room = world.room({ spool: { directory: world.directory, maxBytes: 256 * 1024 } });
    const fail = () => room.audit.recordLogin({ userId: null, success: false });
    let codes: string[] = [];
    for (let n = 0; n < 20; n += 1) codes = await Promise.all(numbersTo(20).map(() => codeOf(fail())));
    expect(codes).to.include('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
    expect(stats(room).spoolBytes).to.be.at.most(70 * 1024);
    expect(await codeOf(room.audit.record({ action: 'test.act', actorId: 'u1' }))).to.equal('resolved');
  });

  it('is shown by the doctor while MongoDB cannot be reached', async () => {
    await world.kill();
    await recordMany(world.room(), 3);
    const args = ['doctor', '--uri', world.uri, '--collection', world.collection, '--spool', world.directory];
    const [text, json] = await Promise.all([strongroomCommand(args), strongroomCommand([...args, '--json'])]);
    expect(text).to.include({ code: 2 });
    expect(text.stdout)
      .to.match(/^spool: \d+ bytes in 1 log$/m)
      .and.to.contain('quarantine: 0 events');
    expect(text.stderr).to.contain('MongoDB cannot be reached');
    expect(json.code).to.equal(2);
    const found = JSON.parse(json.stdout) as { error: { code: string }; spool: { logs: { isOwned: boolean }[] } };
    expect(found.error.code).to.equal('FAILED');
    expect(found.spool.logs.map(({ isOwned }) => isOwned)).to.deep.equal([true]);
  });

  it('is refused at once in a directory that cannot be one', () => {
    expect(() => world.room({ spool: { directory: '/tmp/a\0b' } })).to.throw(/audit\.spool\.directory must be .* NUL/);
  });

  it('says once that the directory cannot be used, and records by MongoDB alone', async () => {
    const file = join(world.directory, 'file');
    await writeFile(file, '');
    const room = world.room({ spool: { directory: join(file, 'spool') } });
    await room.ready();
    await recordMany(room, 50);
    expect(await world.events.countDocuments()).to.equal(50);
    expect(stats(room)).to.include({ spooled: 0, spoolBytes: 0, recorded: 50, lost: 0 });
    const said = warnings.filter((text) => text.startsWith('STRONGROOM_SPOOL_UNAVAILABLE'));
    expect(said).to.have.length(1);
    expect(said[0]).to.contain('ENOTDIR').and.to.contain('audit.spool.directory');
    await room.audit.seal();
    expect(await world.intact(room)).to.deep.equal(['stream-open']);
  });

  it('goes on when its directory is taken away, also with events in it', async () => {
    const room = world.room();
    const before = await recordMany(room, 5);
    await rm(world.directory, { recursive: true });
    const after = await recordMany(room, 5);
    await room.audit.flush();
    expect((await world.stored()).map(({ _id }) => _id)).to.have.members([...before, ...after]);
    expect(stats(room).lost).to.equal(0);
  });

  it('gives all that waits new numbers when someone writes under its own, on disk too', async () => {
    const room = world.room({ maxPendingBytes: 64 * 1024 });
    const [first = ''] = await recordMany(room, 1);
    await room.audit.flush();
    const squatted = first.replace(/0$/, '5');
    const [event] = await world.stored();
    const squatter = { ...event!, _id: squatted, actorId: 'squatter' };
    await world.events.insertOne(squatter, { writeConcern: { w: 'majority', journal: true } });
    await world.kill();
    await recordMany(room, 400);
    await world.start();
    await arrived(402);
    await room.audit.flush();
    await recordMany(room, 10);
    await room.audit.flush();
    const found = (await world.stored()).filter(({ actorId }) => actorId !== 'squatter');
    expect(numbersOf(found)).to.deep.equal([0, ...numbersTo(400), ...numbersTo(10)]);
    const [old, moved, ...others] = [...new Set(found.map(({ _id }) => _id.slice(0, 26)))];
    expect(others).to.deep.equal([]);
    expect(found.filter(({ _id }) => _id.startsWith(old!))).to.have.length(5);
    expect(found.filter(({ _id }) => _id.startsWith(moved!)).map(({ _id }) => Number(_id.slice(27)))).to.deep.equal(
      numbersTo(406),
    );
  });

  it('remembers the new numbers when the process ends on the way', async () => {
    const room = world.room({ maxPendingBytes: 64 * 1024 });
    const [first = ''] = await recordMany(room, 1);
    await room.audit.flush();
    const [event] = await world.stored();
    const squatter = { ...event!, _id: first.replace(/0$/, '5'), actorId: 'squatter' };
    await world.events.insertOne(squatter, { writeConcern: { w: 'majority', journal: true } });
    await world.kill();
    await recordMany(room, 8000);
    await world.start();
    await arrived(100);
    await world.kill();
    await room.close({ timeout: 0 });
    await world.start();
    expect(await world.events.countDocuments()).to.be.lessThan(8000);
    const next = world.room({ maxPendingBytes: 64 * 1024 });
    await next.ready();
    await until(
      () => stats(next).spooled === 0 && world.events.countDocuments().then((count) => count >= 8002),
      30_000,
    );
    const found = (await world.stored()).filter(({ actorId }) => actorId !== 'squatter');
    expect(numbersOf(found)).to.deep.equal([0, ...numbersTo(8000)]);
    expect(new Set(found.map(({ _id }) => _id.slice(0, 26))).size).to.equal(2);
  });

  it('keeps a poison event for good, and a gap takes its number', async () => {
    const room = world.room();
    await room.ready();
    await recordMany(room, 1);
    await room.audit.flush();
    await world.events.db.command({ collMod: world.collection, validator: { 'meta.n': { $ne: 3 } } });
    const ids = await recordMany(room, 10);
    await room.audit.flush();
    const found = await world.stored();
    expect(found.slice(1).map(({ _id }) => _id)).to.deep.equal(ids);
    expect(found[4]).to.deep.include({ action: 'audit.gap', reason: 'poison' });
    const kept = (await world.files()).filter((path) => path.includes('quarantine'));
    expect(kept).to.have.length(1);
    const { line, reason } = JSON.parse(await readFile(kept[0]!, 'utf8')) as { line: string; reason: string };
    expect(JSON.parse(line)).to.deep.include({ _id: ids[3], meta: { n: 3 } });
    expect(reason).to.contain('121');
    expect(await world.modes()).to.deep.equal({ files: ['600'], folders: ['700'] });
    const told = await strongroomCommand([
      'doctor',
      '--uri',
      world.uri,
      '--collection',
      world.collection,
      '--spool',
      world.directory,
    ]);
    expect(told.stdout).to.contain('quarantine: 1 event').and.to.contain(ids[3]);
    await room.audit.seal();
    expect(await world.intact(room)).to.deep.equal(['stream-open']);
  });

  it('leaves at close what MongoDB does not take, and the next process stores it under its numbers', async () => {
    await world.kill();
    const room = world.room();
    const lost: unknown[] = [];
    room.hooks.on('audit:lost', (payload) => void lost.push(payload));
    const ids = await recordMany(room, 50);
    const end = room.close({ timeout: '200ms' });
    await Promise.all([end, room.close()]);
    expect(lost).to.deep.equal([]);
    expect(warnings.join('\n')).to.contain('STRONGROOM_SPOOL_LEFT: close() left 50 audit events');
    await world.start();
    const next = world.room();
    await next.ready();
    await arrived(50);
    expect((await world.stored()).map(({ _id }) => _id)).to.deep.equal(ids);
    await world.intact(next);
    await until(async () => (await world.intact(next)).includes('recovered-segment'));
    await until(async () => !(await world.text()).includes('test.act'));
    await next.close();
    expect(await world.files()).to.deep.equal([]);
    await world.intact(next).catch(() => undefined);
  });

  it('does not close a stream of which it leaves events behind', async () => {
    const refuse = (validator: object) => world.events.db.command({ collMod: world.collection, validator });
    const room = world.room();
    // A collection whose indexes are being built cannot be changed.
    await room.ready();
    const before = await recordMany(room, 5);
    await room.audit.flush();
    await room.audit.seal();
    // The ledger can be written, the trail takes nothing, not even a gap.
    await refuse({ _id: 'never' });
    const after = await recordMany(room, 5);
    await room.close({ timeout: '500ms' });
    expect(warnings.join('\n')).to.contain('they wait in memory, or in the spool');
    await refuse({});
    const next = world.room();
    await next.ready();
    await arrived(10);
    const found = (await world.stored()).map(({ _id }) => _id);
    expect(found).to.deep.equal([...before, ...after]);
    await until(async () => (await world.intact(next)).includes('recovered-segment'));
  });

  describe('with damage on disk', () => {
    async function leave(count: number): Promise<string[]> {
      await world.kill();
      const room = world.room();
      const ids = await recordMany(room, count);
      await room.close({ timeout: 0 });
      await world.start();
      return ids;
    }

    async function flip(path: string, position: number): Promise<void> {
      const handle = await open(path, 'r+');
      const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, position);
      await handle.write(Buffer.from([buffer[0]! ^ 0x01]), 0, 1, position);
      await handle.close();
    }

    async function lineStarts(path: string): Promise<number[]> {
      const bytes = await readFile(path);
      const starts = [0];
      for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) starts.push(at + 1);
      return starts;
    }

    it('loses no more than what was hit, and a gap takes its number', async () => {
      const ids = await leave(20);
      const [path = ''] = await world.segments();
      const starts = await lineStarts(path);
      await flip(path, starts[4]! + 50);
      const room = world.room();
      const lost: unknown[] = [];
      room.hooks.on('audit:lost', (payload) => void lost.push(payload));
      await room.ready();
      await arrived(20);
      const found = await world.stored();
      expect(found.map(({ _id }) => _id)).to.deep.equal(ids);
      expect(found.filter(({ action }) => action === 'audit.gap').map(({ _id, meta }) => [_id, meta])).to.deep.equal([
        [ids[3], { lost: 1, reason: 'spool_damaged' }],
      ]);
      expect(lost).to.deep.equal([{ count: 1, reason: 'spool_damaged' }]);
      await until(async () => (await world.intact(room)).includes('recovered-segment'));
    });

    for (const [what, line] of [
      ['the first line, which says where the numbers begin', 0],
      ['the first event', 1],
      ['the last event', 20],
    ] as const) {
      it(`survives a flipped byte in ${what}`, async () => {
        const ids = await leave(20);
        const [path = ''] = await world.segments();
        await flip(path, (await lineStarts(path))[line]! + 20);
        const room = world.room();
        await room.ready();
        await arrived(20);
        expect((await world.stored()).map(({ _id }) => _id)).to.deep.equal(ids);
        await until(async () => (await world.intact(room)).includes('recovered-segment'));
      });
    }

    it('survives any flipped byte, and files of nonsense', async () => {
      const ids = await leave(20);
      const [path = ''] = await world.segments();
      const { length } = await readFile(path);
      for (let n = 0; n < 12; n += 1) await flip(path, Math.floor(Math.random() * length));
      await writeFile(path.replace('00000001', '00000009'), Buffer.from([0, 255, 10, 10, 123, 10]));
      await writeFile(path.replace('00000001.log', 'changes'), 'nonsense');
      const room = world.room();
      await room.ready();
      await until(() => stats(room).spooled === 0);
      await recordMany(room, 1);
      await room.audit.flush();
      const found = (await world.stored()).filter(({ action }) => action === 'test.act').map(({ _id }) => _id);
      expect(found.filter((id) => ids.includes(id)).length).to.be.within(6, 20);
      await until(async () => (await world.intact(room)).includes('recovered-segment'));
    });

    it('takes a torn end for what it is: a write that nobody was told of', async () => {
      const ids = await leave(20);
      const [path = ''] = await world.segments();
      await appendFile(path, '00112233 {"_id":"');
      const room = world.room();
      await room.ready();
      await arrived(20);
      await recordMany(room, 1);
      await room.audit.flush();
      expect((await world.stored()).map(({ _id }) => _id).slice(0, 20)).to.deep.equal(ids);
      expect(stats(room).lost).to.equal(0);
    });

    it('gives back the last event when only its line feed is gone', async () => {
      const ids = await leave(20);
      const [path = ''] = await world.segments();
      await truncate(path, (await stat(path)).size - 1);
      const room = world.room();
      await room.ready();
      await arrived(20);
      expect((await world.stored()).map(({ _id }) => _id)).to.deep.equal(ids);
      expect(stats(room).lost).to.equal(0);
    });

    it('tells of an end that is damaged, and a gap takes the first number that it hit', async () => {
      const ids = await leave(20);
      const [path = ''] = await world.segments();
      const bytes = await readFile(path);
      await writeFile(path, bytes.fill(0, (await lineStarts(path))[19]! + 30));
      const room = world.room();
      await room.ready();
      await arrived(19);
      const found = await world.stored();
      expect(found.map(({ _id }) => _id)).to.deep.equal(ids.slice(0, 19));
      expect(found.at(-1)?.meta).to.deep.equal({ lost: 1, reason: 'spool_damaged' });
      expect(stats(room).lost).to.equal(1);
    });

    it('tells of a file of which nothing is left but zeros', async () => {
      await leave(20);
      const [path = ''] = await world.segments();
      await writeFile(path, Buffer.alloc(5000));
      const room = world.room();
      const lost: unknown[] = [];
      room.hooks.on('audit:lost', (payload) => void lost.push(payload));
      await room.ready();
      await arrived(1);
      const [gap] = await world.stored();
      expect(gap?.meta).to.deep.equal({ lost: 1, reason: 'spool_damaged' });
      expect(lost).to.deep.equal([{ count: 1, reason: 'spool_damaged' }]);
    });

    it('puts the same gap there when it is sent again', async () => {
      const ids = await leave(20);
      const [path = ''] = await world.segments();
      await flip(path, (await lineStarts(path))[4]! + 50);
      const first = world.room({ dangerouslyAllowUnenforced: true });
      await world.kill();
      await until(async () => {
        await first.ready({ timeout: 100 }).catch(() => undefined);
        return stats(first).spooled === 20;
      });
      await first.close({ timeout: 0 });
      await world.start();
      const second = world.room();
      await second.ready();
      await arrived(20);
      expect((await world.stored()).map(({ _id }) => _id)).to.deep.equal(ids);
      expect(stats(second).lost).to.equal(0);
    });
  });

  describe('on a small disk', () => {
    let mounted = '';

    before(function onlyAsRoot() {
      if (process.getuid?.() !== 0 || process.platform !== 'linux') this.skip();
      try {
        execFileSync('mount', ['--version'], { stdio: 'ignore' });
      } catch {
        this.skip();
      }
    });
    afterEach(() => {
      if (mounted !== '') execFileSync('umount', ['-l', mounted]);
      mounted = '';
    });

    async function mount(options: string): Promise<string> {
      const path = join(world.directory, 'disk');
      await mkdir(path);
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
      mounted = path;
      return path;
    }

    it('loses nothing when the disk is full: what does not fit waits in memory', async () => {
      const room = world.room({ spool: { directory: await mount('size=256k') }, timeout: '200ms' });
      await world.kill();
      const codes: string[] = [];
      for (let from = 0; from < 1000; from += 100) {
        const group = numbersTo(100).map((n) => room.audit.record({ action: 'test.act', meta: { n: from + n } }));
        codes.push(...(await Promise.all(group.map(codeOf))));
      }
      expect(codes).to.include.members(['resolved', 'ERR_STRONGROOM_AUDIT_UNAVAILABLE']);
      expect(stats(room)).to.include({ pending: 1000, lost: 0 });
      expect(warnings.join('\n')).to.contain('ENOSPC');
      await world.start();
      await arrived(1000);
      await room.audit.flush();
      expect(numbersOf(await world.stored())).to.deep.equal(numbersTo(1000));
      await until(async () => (await world.intact(room)).every((kind) => kind !== 'unsealed-tail'));
    });

    it('records by MongoDB alone on a read-only disk', async () => {
      const room = world.room({ spool: { directory: join(await mount('ro'), 'spool') } });
      await recordMany(room, 10);
      expect(await world.events.countDocuments()).to.equal(10);
      expect(warnings.join('\n')).to.contain('EROFS');
    });
  });
});

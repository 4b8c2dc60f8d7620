/** What may lie in a spool: the bound holds for all processes together, dead ones included, and anybody's failures get no more than their part. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { SpoolDirectory } from '../../src/audit/spool-directory.js';
import type { AuditOptions, Strongroom } from '../../src/index.js';
import { codeOf, until } from './sealing-world.js';
import { numbersOf, numbersTo, recordMany, SpoolWorld } from './spool-world.js';

const FULL = 'ERR_STRONGROOM_AUDIT_UNAVAILABLE';
const MAX_BYTES = 256 * 1024;

describe('The bound of the spool', function suite() {
  this.timeout(60_000);
  let world: SpoolWorld;

  before(async () => {
    world = await SpoolWorld.open();
  });
  after(() => world.close());
  beforeEach(async () => {
    await world.begin();
    await world.kill();
  });
  afterEach(() => world.end());

  const bounded = (audit: Partial<AuditOptions> = {}): Strongroom =>
    world.room({ spool: { directory: world.directory, maxBytes: MAX_BYTES }, ...audit });
  const large = (room: Strongroom): Promise<string> =>
    codeOf(room.audit.record({ action: 'test.act', actorId: 'u1', meta: { text: 'x'.repeat(1000) } }));
  const fail = (room: Strongroom): Promise<string> => codeOf(room.audit.recordLogin({ userId: null, success: false }));
  const resolved = (codes: readonly string[]): number => codes.filter((code) => code === 'resolved').length;

  async function diskBytes(): Promise<number> {
    const sizes = (await world.files()).map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    );
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  async function fill(room: Strongroom, times: number): Promise<string[]> {
    const codes: string[] = [];
    for (let n = 0; n < times; n += 1) codes.push(await large(room));
    return codes;
  }

  it('holds when processes die one after another', async () => {
    let codes: string[] = [];
    for (let life = 0; life < 6; life += 1) {
      const room = bounded();
      codes = await fill(room, 100);
      await room.close({ timeout: 0 });
    }
    expect(resolved(codes)).to.equal(0);
    expect(await diskBytes()).to.be.within(MAX_BYTES * 0.9, MAX_BYTES * 1.02);
  });

  it('holds for what is recorded before anyone can look at the directory', async () => {
    let lost = 0;
    let codes: string[] = [];
    for (let life = 0; life < 12; life += 1) {
      const room = bounded();
      lost = 0;
      room.hooks.on('audit:lost', ({ count, reason }) => void (lost += reason === 'spool_full' ? count : 0));
      codes = await Promise.all(numbersTo(80).map(() => large(room)));
      await room.close({ timeout: 0 });
    }
    expect([...new Set(codes)]).to.deep.equal([FULL]);
    expect(lost).to.equal(80);
    expect(await diskBytes()).to.be.within(MAX_BYTES * 0.9, MAX_BYTES * 1.02);
    await world.start();
    const room = bounded();
    await room.ready();
    await until(async () => (await large(room)) === 'resolved', 3000);
  });

  it('leaves nothing of processes that left nothing', async () => {
    await fill(bounded(), 1);
    for (let life = 0; life < 3; life += 1) {
      const dead = await SpoolDirectory.open({
        directory: world.directory,
        collection: world.collection,
        segmentBytes: 4096,
      });
      await dead.createLog();
      await dead.release();
    }
    const logs = join(world.directory, world.collection, 'logs');
    expect((await readdir(logs)).length).to.be.at.most(2);
    await fill(bounded(), 1);
    expect(await readdir(logs)).to.have.length(2);
    expect(await readdir(join(world.directory, world.collection, 'owners'))).to.have.length(2);
  });

  it('ends a flush of what was refused', async () => {
    const first = bounded();
    await fill(first, 300);
    const room = bounded({ timeout: '20s' });
    const refused = Promise.all(numbersTo(5).map(() => large(room)));
    await world.start();
    await room.audit.flush();
    expect([...new Set(await refused)]).to.deep.equal([FULL]);
    expect(room.audit.stats()).to.include({ pending: 0, lost: 5 });
  });

  it('holds for processes that live side by side', async () => {
    const rooms = [bounded(), bounded(), bounded(), bounded()];
    const codes: string[] = [];
    for (let n = 0; n < 150; n += 1) codes.push(...(await Promise.all(rooms.map(large))));
    expect(resolved(codes.slice(-4))).to.equal(0);
    expect(await diskBytes()).to.be.within(MAX_BYTES * 0.9, MAX_BYTES * 1.1);
  });

  it('sees what others write also while it cannot send what a dead one left', async () => {
    const dead = bounded();
    await large(dead);
    await dead.close({ timeout: 0 });
    const room = bounded();
    expect(await large(room)).to.equal('resolved');
    await until(() => room.audit.stats().spooled === 2);
    await fill(bounded(), 300);
    await until(async () => (await large(room)) === FULL, 10_000);
    expect(await diskBytes()).to.be.at.most(MAX_BYTES * (1 + 1 / 8) + 3000);
  });

  it('counts a log once when it is taken over', async () => {
    const dead = bounded();
    expect(resolved(await fill(dead, 110))).to.equal(110);
    await dead.close({ timeout: 0 });
    const room = bounded();
    const codes = await fill(room, 20);
    await until(() => room.audit.stats().spooled > 20);
    expect(resolved([...codes, ...(await fill(room, 20))])).to.equal(40);
  });

  it('gives failures that name nobody no more than a quarter in one burst', async () => {
    const room = bounded({ failureLimit: { burst: 1_000_000, perSecond: 1_000_000 } });
    await large(room);
    const draft = { action: 'auth.login', status: 'failure', meta: { text: 'x'.repeat(5000) } } as const;
    const codes = await Promise.all(numbersTo(100).map(() => codeOf(room.audit.record(draft))));
    expect(resolved(codes)).to.be.within(3, 12);
    expect(await diskBytes()).to.be.at.most(MAX_BYTES / 4 + 3000);
    expect(await large(room)).to.equal('resolved');
  });

  it('gives failures that name nobody no more than a quarter when processes die one after another', async () => {
    for (let life = 0; life < 8; life += 1) {
      const room = bounded({ failureLimit: { burst: 1_000_000, perSecond: 1_000_000 } });
      await Promise.all(numbersTo(30).map(() => fail(room)));
      for (let n = 0; n < 30; n += 1) await fail(room);
      await room.close({ timeout: 0 });
    }
    expect(await diskBytes()).to.be.within(MAX_BYTES / 8, MAX_BYTES / 4 + 4000);
    expect(await large(bounded())).to.equal('resolved');
  });

  it('ends a flush when its time is up and all is on disk, however long MongoDB takes to fail', async () => {
    const room = bounded({ timeout: '500ms' });
    await recordMany(room, 10);
    await room.audit.flush();
    expect(room.audit.stats()).to.include({ spooled: 10, recorded: 0 });
    await world.start();
    await until(() => room.audit.stats().spooled === 0);
    expect(numbersOf(await world.stored())).to.deep.equal(numbersTo(10));
  });

  it('does not end a flush by what is in memory only', async () => {
    const room = world.room({ spool: false, timeout: '300ms' });
    const recorded = codeOf(room.audit.record({ action: 'test.act' }));
    expect(await codeOf(room.audit.flush())).to.equal(FULL);
    expect(await recorded).to.equal(FULL);
  });
});

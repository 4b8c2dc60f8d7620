/** Anchors: what they keep and when, those that fail or hang, and what they show when a room starts. The ledger is on a real mongod. */
import { spawnSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { AnchorKeeper } from '../../src/audit/anchor-keeper.js';
import { readNote } from '../../src/evidence/note.js';
import { type Anchor, fileAnchor, mongoAnchor, stdoutAnchor } from '../../src/index.js';
import { startMongod } from '../mongod.js';
import { codeOf, SealingWorld, until } from './sealing-world.js';

const LEDGER_ALARM = 'ERR_STRONGROOM_LEDGER_ALARM';
const note = (size: number, root = 1): string =>
  `log.test\n${size}\n${Buffer.alloc(32, root).toString('base64')}\n\n— log.test ${Buffer.alloc(68, size).toString('base64')}\n`;
const sizeOf = (text: string | null | undefined): number | undefined => readNote(text ?? '')?.checkpoint.size;

describe('Anchors', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let world: SealingWorld;
  let folder = '';
  let databases = 0;

  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());
  beforeEach(async () => {
    databases += 1;
    world = await SealingWorld.open(server.getUri(`anchors_${databases}`));
    folder = await mkdtemp(join(tmpdir(), 'strongroom-anchor-'));
  });
  afterEach(async () => {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  });

  describe('in a file', () => {
    it('are appended one after the other, for the owner alone, and the newest is found again', async () => {
      const path = join(folder, 'checkpoints');
      const anchor = fileAnchor(path, { every: 0 });
      expect(await anchor.latest?.()).to.equal(null);
      for (const size of [1, 2, 3]) await anchor.put(note(size));
      expect(await readFile(path, 'utf8')).to.equal([1, 2, 3].map((size) => `\n${note(size)}\n`).join(''));
      expect(await fileAnchor(path).latest?.()).to.equal(note(3));
    });

    it('are found behind what a crash tore off, wherever it did', async () => {
      const path = join(folder, 'checkpoints');
      const whole = `\n${note(1)}\n`;
      const torn = `\n${note(2)}\n`;
      for (let length = 1; length < torn.length; length += 1) {
        await writeFile(path, whole + torn.slice(0, length));
        const anchor = fileAnchor(path, { every: 0 });
        expect(sizeOf(await anchor.latest?.()), String(length)).to.equal(1);
        await anchor.put(note(3));
        expect(sizeOf(await anchor.latest?.()), String(length)).to.equal(3);
      }
    });

    it('are compared by size: of two processes the one that is behind may write last', async () => {
      const path = join(folder, 'checkpoints');
      const [one, two] = [fileAnchor(path, { every: 0 }), fileAnchor(path, { every: 0 })];
      await one.put(note(9));
      await two.put(note(8));
      expect(sizeOf(await one.latest?.())).to.equal(9);
    });

    it('stay under the path as it was when the anchor was made', async () => {
      const cwd = process.cwd();
      process.chdir(folder);
      const anchor = fileAnchor('checkpoints', { every: 0 });
      process.chdir(cwd);
      await anchor.put(note(1));
      expect(await readFile(join(folder, 'checkpoints'), 'utf8')).to.include('log.test');
    });

    it('reject where they cannot be written, and keep the newest for the next attempt', async () => {
      const path = join(folder, 'later', 'checkpoints');
      const anchor = fileAnchor(path, { every: '1h' });
      expect(await codeOf(anchor.put(note(1)))).to.equal('ENOENT');

      await mkdir(join(folder, 'later'));
      await anchor.flush?.();
      expect(sizeOf(await anchor.latest?.())).to.equal(1);
    });
  });

  describe('that hold back', () => {
    it('write the first at once, of the others the newest in time, and what is left when they are told to', async () => {
      const path = join(folder, 'checkpoints');
      const anchor = fileAnchor(path, { every: '200ms' });
      const sizes = async (): Promise<number[]> =>
        [...(await readFile(path, 'utf8')).matchAll(/\n(\d+)\n/g)].map(([, size]) => Number(size));
      for (const size of [1, 2, 3]) await anchor.put(note(size));
      expect(await sizes()).to.deep.equal([1]);
      await until(async () => (await sizes()).length === 2);
      expect(await sizes()).to.deep.equal([1, 3]);
      await anchor.put(note(4));
      await anchor.flush?.();
      await anchor.flush?.();
      expect(await sizes()).to.deep.equal([1, 3, 4]);
    });

    it('refuse bad options at once', () => {
      for (const make of [
        () => stdoutAnchor({ every: 'x' as never }),
        () => fileAnchor(''),
        () => fileAnchor('x', { evry: 1 } as never),
        () => mongoAnchor({}),
        () => mongoAnchor({ uri: 'http://x' }),
        () => mongoAnchor({ uri: 'mongodb://x', connection: world.connection }),
        () => mongoAnchor({ uri: 'mongodb://x', collection: 'system.x' }),
      ]) {
        expect(make).to.throw(/^(stdout|file|mongo)Anchor/);
      }
    });
  });

  it('on standard output are one JSON line each; in production that is the default, and close() writes the last', async () => {
    const script = `
      import { memoryProvider, strongroom } from './src/index.ts';
      const provider = { ...memoryProvider({ AUDIT_SIGNING_KEY: process.env.KEY }), productionSafe: true };
      const audit = { uri: process.env.URI, dangerouslyAllowUnenforced: true, evidence: { sealEvery: '10ms' } };
      const room = strongroom({ environment: 'production', secrets: { provider }, audit });
      for (let index = 0; index < 5; index += 1) { await room.audit.record({ action: 'user.update' }); await room.audit.seal(); }
      await room.close();
    `;
    const env = { ...process.env, URI: server.getUri(`anchors_${databases}`), KEY: world.key.signingKey };
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      env,
      encoding: 'utf8',
    });
    expect(run.status, run.stderr).to.equal(0);
    const lines = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; note: string });
    expect(lines).to.have.length(2);
    for (const line of lines) expect(line).to.include({ type: 'strongroom.checkpoint' });
    expect(sizeOf(lines[1]?.note)).to.equal(await world.ledger.countDocuments());
    expect(await world.intact({ anchors: [run.stdout] })).to.deep.equal([]);
  });

  it('of your own that throw, reject or hang hold nothing up, and the others get their notes', async () => {
    const kept: string[] = [];
    const bad: Anchor[] = [
      {
        put: () => {
          throw new Error('no');
        },
      },
      { put: () => Promise.reject(new Error('no')) },
      {
        put: () => new Promise(() => undefined),
        flush: () => {
          throw new Error('no');
        },
      },
      { put: () => undefined as never, latest: () => Promise.reject(new Error('no')) },
      { put: () => Promise.resolve(), latest: () => 5 as never },
    ];
    const good: Anchor = { put: async (text) => void kept.push(text), flush: async () => void kept.push('flushed') };
    const room = world.room({ sealEvery: '10ms', anchors: [...bad, good] });
    await room.audit.record({ action: 'user.update' });
    await room.audit.seal();
    await room.audit.record({ action: 'user.update' });
    await room.audit.seal();
    const startedMs = performance.now();
    await room.close({ timeout: '1s' });
    expect(performance.now() - startedMs).to.be.below(3000);
    await until(() => sizeOf(kept.findLast((text) => text !== 'flushed')) === 4);
    expect(kept.at(-1)).to.equal('flushed');
    expect(await world.intact()).to.deep.equal([]);
  });

  it('that hang when they are read hold the first event up for a moment only', async () => {
    const hanging: Anchor = { put: () => Promise.resolve(), latest: () => new Promise(() => undefined) };
    const room = world.room({ anchors: [hanging, hanging] });
    const startedMs = performance.now();
    await room.audit.record({ action: 'user.update' });
    expect(performance.now() - startedMs).to.be.below(4000);
    expect(await world.told()).to.deep.equal(['open']);
  });

  it('get one note at a time, and always the newest', async () => {
    const given: string[] = [];
    let finish = (): void => undefined;
    const anchor: Anchor = {
      put: (text) => {
        given.push(text);
        return new Promise((resolve) => (finish = resolve));
      },
    };
    const keeper = new AnchorKeeper([anchor]);
    for (const size of [1, 2, 3]) keeper.put(note(size));
    finish();
    await until(() => given.length === 2);
    finish();
    await keeper.flush();
    expect(given.map(sizeOf)).to.deep.equal([1, 3]);
  });

  describe('when a room starts', () => {
    let path = '';
    const start = async (): Promise<string> => {
      const room = world.room({ sealEvery: '1h', anchors: [fileAnchor(path, { every: 0 })] });
      await room.audit.record({ action: 'user.update' });
      return codeOf(room.audit.seal());
    };
    beforeEach(async () => {
      path = join(folder, 'checkpoints');
      expect(await start()).to.equal('resolved');
    });

    it('show nothing while the ledger is what they saw', async () => {
      expect(await start()).to.equal('resolved');
    });

    it('show that the ledger was rolled back while nothing ran, until it is restored', async () => {
      const documents = await world.ledger.find().toArray();
      await world.ledger.deleteMany({ _id: { $gte: 1 } as never });
      expect(await start()).to.equal(LEDGER_ALARM);
      const events = await world.trail.countDocuments();
      expect(events).to.equal(2);
      await world.ledger.insertMany(documents.slice(1));
      expect(await start()).to.equal('resolved');
    });

    it('show that all of it is gone', async () => {
      await world.ledger.deleteMany({});
      expect(await start()).to.equal(LEDGER_ALARM);
      expect(await world.ledger.countDocuments()).to.equal(0);
    });

    it('show that it is another ledger of the same key', async () => {
      await world.ledger.deleteMany({});
      await world.trail.deleteMany({});
      await world.writer().sealed(5);
      await world.writer().sealed(5);
      expect(await start()).to.equal(LEDGER_ALARM);
    });

    it('are not believed when no trusted key signed them', async () => {
      await appendFile(path, `\n${note(1000)}\n`);
      expect(await start()).to.equal('resolved');
    });
  });

  describe('in another MongoDB', () => {
    it('are documents that are only ever inserted; the newest is found among what is none', async () => {
      const uri = server.getUri(`elsewhere_${databases}`);
      const anchor = mongoAnchor({ uri, every: 0 });
      expect(await anchor.latest?.()).to.equal(null);
      for (const size of [1, 11, 2]) await anchor.put(note(size));
      const notes = world.connection.useDb(`elsewhere_${databases}`).collection('audit_anchors');
      await notes.insertMany([
        { size: 1e9, note: 'junk' },
        { size: 99, note: note(3) },
        { size: 'x' },
        { size: 98, note: 5 },
      ]);
      expect(await anchor.latest?.()).to.equal(note(11));
      expect(await notes.countDocuments({ size: { $in: [1, 2, 11] } })).to.equal(3);
    });

    it('take part in a room by a connection of yours, which stays open, and show a rollback', async () => {
      const connection = world.connection.useDb(`elsewhere_${databases}`);
      const anchors = [mongoAnchor({ connection, collection: 'kept', every: 0 })];
      const room = world.room({ sealEvery: '1h', anchors });
      await room.audit.record({ action: 'user.update' });
      await room.close();
      expect(
        sizeOf((await connection.collection('kept').findOne({}, { sort: { size: -1 } }))?.['note'] as string),
      ).to.equal(3);
      await world.ledger.deleteOne({ _id: 2 as never });
      const next = world.room({ sealEvery: '1h', anchors });
      await next.audit.record({ action: 'user.update' });
      expect(await codeOf(next.audit.seal())).to.equal(LEDGER_ALARM);
    });

    it('hold nothing up while that one is away', async () => {
      const uri = 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200';
      const room = world.room({ sealEvery: '1h', anchors: [mongoAnchor({ uri })] });
      await room.audit.record({ action: 'user.update' });
      await room.audit.seal();
      await room.close({ timeout: '1s' });
      expect(await world.intact()).to.deep.equal([]);
    });
  });
});

/** `strongroom prove`, `adopt` and `prune` on trails of real rooms. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { MongoClient } from 'mongodb';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { readEntry } from '../../src/evidence/entry.js';
import { generateKey } from '../../src/evidence/keys.js';
import { canonicalLine } from '../../src/evidence/line.js';
import { startMongod } from '../mongod.js';
import { type Run, strongroom, strongroomJson } from './command-line.js';
import { KEY, openRoom, record, writeTrail } from './history.js';

const SIGNING = { AUDIT_SIGNING_KEY: KEY.signingKey };
const OLD = new Date('2025-01-01T00:00:00Z');
const NEW = new Date('2026-03-01T00:00:00Z');

interface Pruned {
  through: number | null;
  covered: number;
  deleted: number;
}

describe('strongroom prove, adopt, prune', function suite() {
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
    folder = await mkdtemp(join(tmpdir(), 'strongroom-acts-'));
    await writeFile(join(folder, 'keys'), KEY.vkey);
  });
  after(async () => {
    await client.close();
    await server.stop();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    databases += 1;
    name = `acts_${databases}`;
    uri = server.getUri(name);
  });

  const events = () => client.db(name).collection<{ _id: string }>('audit_events');
  const ledger = () => client.db(name).collection<{ _id: number; entry: string }>('audit_events_ledger');
  /** What prune says of itself stands in the trail too. */
  const NO_TRACE = { action: { $ne: 'audit.prune' } };
  const storedIds = async () => (await events().find(NO_TRACE).sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
  const entries = async () =>
    (await ledger().find().sort({ _id: 1 }).toArray()).map(({ entry }) => readEntry(entry)?.kind);
  const intact = async () => {
    const { code, stdout, stderr } = await strongroom(['verify', '--uri', uri, '--keys', join(folder, 'keys')]);
    expect({ code, stderr }, stdout).to.deep.equal({ code: 0, stderr: '' });
  };
  const assertNoKey = ({ stdout, stderr }: Run) => {
    for (const secret of [KEY.signingKey, KEY.signingKey.slice(-20)]) expect(stdout + stderr).not.to.include(secret);
  };

  describe('prove', () => {
    it('prints a proof that check-proof takes, without a key', async () => {
      const [, id = ''] = await writeTrail(uri, [OLD]);
      const { code, stdout, stderr } = await strongroom(['prove', '--id', id], { MONGODB_URI: uri });
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      expect(stdout).to.match(/^c2sp\.org\/tlog-proof@v1\n/);
      const stored = await events().findOne({ _id: id });
      await writeFile(join(folder, 'proof'), stdout);
      await writeFile(join(folder, 'event'), canonicalLine({ ...stored }));
      const args = ['proof', 'event', 'keys'].flatMap((file) => [`--${file}`, join(folder, file)]);
      expect((await strongroom(['check-proof', ...args])).code).to.equal(0);
    });

    it('says what it cannot prove: exit 2; an event that was edited: exit 1', async () => {
      const [id = ''] = await writeTrail(uri, [OLD]);
      const missing = await strongroom(['prove', '--uri', uri, '--id', id.replace(/0$/, '9')]);
      expect(missing.code).to.equal(2);
      expect(missing.stderr).to.match(/there is no event of this _id/);
      await events().updateOne({ _id: id }, { $set: { action: 'user.create' } });
      const edited = await strongroom(['prove', '--uri', uri, '--id', id]);
      expect(edited.code).to.equal(1);
      expect(edited.stderr).to.match(/event-edited/);
      expect(edited.stdout).to.equal('');
    });
  });

  describe('adopt', () => {
    const writeUnsealed = async () => {
      const room = openRoom(uri, false);
      await record(room, 5, OLD);
      await room.close();
    };

    it('takes over streams that were written with evidence off, after which the trail is intact', async () => {
      await writeTrail(uri, [OLD]);
      await writeUnsealed();
      const args = ['adopt', '--uri', uri, '--yes'];
      const { code, result } = await strongroomJson<{ streams: { stream: string; count: number }[] }>(args, SIGNING);
      expect(code).to.equal(0);
      expect(result.streams.map(({ count }) => count)).to.deep.equal([5]);
      expect((await entries()).at(-1)).to.equal('adopt');
      await intact();
      const again = await strongroom(args, SIGNING);
      expect(again).to.include({ code: 0, stdout: 'nothing to adopt: the ledger knows every stream\n' });
      assertNoKey(again);
    });

    it('changes nothing without --yes and a terminal: it says what it would do, exit 2', async () => {
      await writeTrail(uri, [OLD]);
      await writeUnsealed();
      const before = await entries();
      const run = await strongroom(['adopt', '--uri', uri], SIGNING);
      expect({ code: run.code, stdout: run.stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(run.stderr).to.match(/^1 stream that the ledger does not know would be taken over/);
      expect(run.stderr).to.match(/nothing was done: pass --yes/);
      expect(await entries()).to.deep.equal(before);
    });

    it('needs the key of the ledger: exit 2, and no key is shown', async () => {
      await writeTrail(uri, [OLD]);
      const args = ['adopt', '--uri', uri, '--yes'];
      const without = await strongroom(args);
      expect(without.code).to.equal(2);
      expect(without.stderr).to.match(/AUDIT_SIGNING_KEY is not set/);
      const damaged = await strongroom(args, { AUDIT_SIGNING_KEY: KEY.signingKey.replace(/.....$/, 'AAAAA') });
      expect(damaged.code).to.equal(2);
      const other = await strongroom(args, { AUDIT_SIGNING_KEY: generateKey('audit.test/rooms').signingKey });
      expect(other.code).to.equal(2);
      expect(other.stderr).to.match(/was not signed by the key in AUDIT_SIGNING_KEY/);
      for (const run of [without, damaged, other]) assertNoKey(run);
    });
  });

  describe('prune', () => {
    /** The events as they were, by their `_id`. */
    let removed: Map<string, object>;
    const writeSealedLongAgo = async () => {
      const ids = await writeTrail(uri, [OLD]);
      removed = new Map((await events().find().toArray()).map((event) => [event._id, event]));
      return ids;
    };
    const prune = (before: string, ...more: string[]) =>
      strongroomJson<Pruned>(['prune', '--uri', uri, '--before', before, ...more], SIGNING);

    it('enters what it will do, deletes the events of segments before the date and no others, and the rest is intact', async () => {
      const ids = await writeTrail(uri, [OLD, OLD, NEW]);
      // Entries are of today: only what the events say of themselves lets them go.
      const { code, result } = await prune('2026-01-01', '--yes');
      expect(code).to.equal(0);
      expect(result).to.include({ covered: 6, deleted: 6 });
      expect(await storedIds()).to.deep.equal(ids.slice(6));
      expect((await entries()).slice(-3)).to.deep.equal(['prune', 'open', 'close']);
      await intact();
    });

    it('leaves a trace in the trail that is sealed like any event, and once', async () => {
      await writeTrail(uri, [OLD]);
      await prune('2026-01-01', '--yes');
      await prune('2026-01-01', '--yes');
      const traces = await events().find({ action: 'audit.prune' }).toArray();
      expect(traces).to.have.length(1);
      expect(traces[0]).to.deep.include({ actorId: null, actorRole: 'SYSTEM', target: 'audit', source: 'system' });
      expect(traces[0]).to.have.deep.property('meta', { before: '2026-01-01T00:00:00.000Z', deleted: 3, through: 1 });
      expect((await strongroom(['prove', '--uri', uri, '--id', String(traces[0]?._id)])).code).to.equal(0);
      await intact();
    });

    const refusesChanged = async (kind: string, where: string) => {
      const before = await entries();
      const ids = await storedIds();
      const { code, stderr } = await prune('2026-01-01', '--yes');
      expect(code).to.equal(1);
      expect(stderr).to.include(`${kind} at ${where}: `);
      expect(await storedIds()).to.deep.equal(ids);
      expect(await entries()).to.deep.equal(before);
    };

    it('refuses to delete an event that was edited, and names it: exit 1, no entry', async () => {
      const [, second = ''] = await writeSealedLongAgo();
      await events().updateOne({ _id: second }, { $set: { actorId: 'somebody' } });
      await refusesChanged('event-edited', second);
    });

    for (const place of [0, 1, 2])
      it(`refuses where event ${place} of a segment is missing, and names it: exit 1, no entry`, async () => {
        const ids = await writeSealedLongAgo();
        await events().deleteOne({ _id: ids[place] ?? '' });
        await refusesChanged('event-missing', ids[place] ?? '');
      });

    it('refuses where the leaves of a segment are damaged: exit 1, no entry', async () => {
      await writeSealedLongAgo();
      await ledger().updateOne({ _id: 1 }, { $unset: { leaves: 1 } });
      await refusesChanged('leaves-damaged', 'ledger#1');
    });

    it('refuses, also after an earlier prune said that they may go, what was edited since', async () => {
      const [first = '', second = ''] = await writeSealedLongAgo();
      await prune('2026-01-01', '--yes');
      const event = { ...removed.get(second), actorId: 'somebody' };
      await events().insertOne(event as never);
      await refusesChanged('event-edited', second);
      await events().deleteMany(NO_TRACE);
      await events().insertOne(removed.get(first) as never);
      expect((await prune('2026-01-01', '--yes')).result).to.include({ deleted: 1 });
    });

    for (const command of [['prune', '--before', '2026-01-01'], ['adopt']])
      it(`refuses a key of another log before it looks further: exit 2, no violation (${command[0]})`, async () => {
        await writeTrail(uri, [OLD]);
        const other = generateKey('audit.test/elsewhere').signingKey;
        const { code, stderr } = await strongroom([...command, '--uri', uri, '--yes'], { AUDIT_SIGNING_KEY: other });
        expect(code).to.equal(2);
        expect(stderr).to.equal(
          'strongroom: the key in AUDIT_SIGNING_KEY is of the log "audit.test/elsewhere", the ledger of "audit.test/rooms": nothing was done\n',
        );
      });

    it('deletes what is left after a crash, and says so once', async () => {
      const ids = await writeTrail(uri, [OLD, NEW]);
      const removed = await events().findOne({ _id: ids[1] ?? '' });
      await prune('2026-01-01', '--yes');
      await events().insertOne({ ...removed } as never);
      const again = await prune('2026-01-01', '--yes');
      expect(again.result).to.include({ deleted: 1 });
      expect((await entries()).filter((kind) => kind === 'prune')).to.have.length(1);
      expect(await storedIds()).to.deep.equal(ids.slice(3));
      await intact();
    });

    it('never deletes what no segment covers', async () => {
      const ids = await writeTrail(uri, [OLD]);
      const stray = [`${ids[0]}x`, `${(ids[0] ?? '').slice(0, 26)}.000000000099`];
      await events().insertMany(stray.map((_id) => ({ _id, at: OLD })));
      expect((await prune(new Date().toISOString(), '--yes')).result).to.include({ deleted: 3 });
      expect(await storedIds()).to.deep.equal(stray);
    });

    it('refuses a segment whose events were given an older date: their leaves say otherwise', async () => {
      const ids = await writeTrail(uri, [OLD, NEW]);
      await events().updateMany({ _id: { $in: ids.slice(3) } }, { $set: { at: OLD } });
      await refusesChanged('event-edited', ids[3] ?? '');
    });

    it('changes nothing without --yes and a terminal: exit 2', async () => {
      const ids = await writeTrail(uri, [OLD, NEW]);
      const before = await entries();
      const { code, result, stderr } = await prune('2026-01-01');
      expect(code).to.equal(2);
      expect(result).to.have.nested.property('error.code', 'REFUSED');
      expect(stderr).to.match(/^3 events before 2026-01-01T00:00:00\.000Z, in the segments up to entry \d+/);
      expect(await storedIds()).to.deep.equal(ids);
      expect(await entries()).to.deep.equal(before);
    });

    it('has nothing to do where no segment is that old', async () => {
      await writeTrail(uri, [NEW]);
      const { code, result } = await prune('2026-01-01', '--yes');
      expect({ code, ...result }).to.deep.include({ code: 0, through: null, deleted: 0 });
    });

    for (const date of ['yesterday', '2026-02-30', '2026-01-01T10:00', '1767225600', '2999-01-01']) {
      it(`refuses a date that could be misread: ${date}`, async () => {
        const { code, stderr } = await prune(date, '--yes');
        expect(code).to.equal(2);
        expect(stderr).to.match(/--before must/);
      });
    }

    it('refuses a ledger that is not what its head signs: exit 1, nothing deleted', async () => {
      const ids = await writeTrail(uri, [OLD, OLD, NEW]);
      const seal = await ledger().findOne({ _id: 1 });
      await ledger().updateOne({ _id: 1 }, { $set: { entry: seal?.entry.replace('"count":3', '"count":2') ?? '' } });
      const { code, stderr } = await prune('2026-01-01', '--yes');
      expect(code).to.equal(1);
      expect(stderr).to.match(/ledger-root-mismatch/);
      expect(await storedIds()).to.deep.equal(ids);
    });
  });
});

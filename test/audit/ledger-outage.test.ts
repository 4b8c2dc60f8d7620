/** The ledger while mongod is killed, frozen and started again: entries are found or sent again with the same bytes, never twice. */
import { expect } from 'chai';
import type { LedgerStore } from '../../src/audit/ledger-store.js';
import type { LedgerDocument } from '../../src/evidence/ledger-document.js';
import { memoryProvider } from '../../src/index.js';
import { KillableMongod } from '../killable-mongod.js';
import { codeOf, SealingWorld, until } from './sealing-world.js';

const UNAVAILABLE = 'ERR_STRONGROOM_AUDIT_UNAVAILABLE';
const note = { action: 'user.update' };

describe('The ledger in an outage', function suite() {
  this.timeout(120_000);
  let server: KillableMongod;
  let world: SealingWorld;
  let uri = '';
  let databases = 0;

  before(async () => {
    server = await KillableMongod.create();
  });
  after(() => server.dispose());
  beforeEach(async () => {
    await server.start();
    // Not one that is emptied: a kill may take that back.
    databases += 1;
    uri = server.uri.replace('/audit?', `/outage_${databases}?`);
    world = await SealingWorld.open(uri);
  });
  afterEach(async () => {
    server.thaw();
    await world.close();
    await server.kill();
  });

  /** A store whose answers get lost: the n-th insert is stored, or not, and in both cases nobody hears of it. */
  function losing(
    lost: (insert: number) => 'stored' | 'not stored' | null,
    sent: LedgerDocument[] = [],
  ): (store: LedgerStore) => LedgerStore {
    let inserts = 0;
    return (real) => ({
      ...real,
      async insert(document) {
        inserts += 1;
        sent.push(document);
        const fate = lost(inserts);
        const outcome = fate === 'not stored' ? null : await real.insert(document);
        return fate === null && outcome !== null ? outcome : { kind: 'unknown', error: new Error('no answer') };
      },
    });
  }

  it('finds an entry whose answer got lost, and appends it once', async () => {
    const writer = world.writer({ store: losing((insert) => (insert === 2 ? 'stored' : null)) });
    await writer.record(2);
    expect(await codeOf(writer.sealer.seal())).to.equal(UNAVAILABLE);
    await writer.record(1);
    await writer.sealer.seal();
    expect(await world.told()).to.deep.equal(['open', 'seal 0+2', 'seal 2+1']);
    await world.intact();
  });

  it('sends the same bytes again when the entry is not there', async () => {
    const sent: LedgerDocument[] = [];
    const writer = world.writer({
      store: losing((insert) => (insert === 2 || insert === 3 ? 'not stored' : null), sent),
    });
    await writer.record(2);
    for (let attempt = 0; attempt < 2; attempt += 1) expect(await codeOf(writer.sealer.seal())).to.equal(UNAVAILABLE);
    await writer.record(1);
    await writer.sealer.seal();
    expect(sent[2]).to.deep.equal(sent[1]);
    expect(sent[3]).to.deep.equal(sent[1]);
    expect(await world.told()).to.deep.equal(['open', 'seal 0+2', 'seal 2+1']);
    await world.intact();
  });

  it('seals behind another one who took the number meanwhile', async () => {
    const writer = world.writer({ store: losing((insert) => (insert === 2 ? 'not stored' : null)) });
    await writer.record(2);
    expect(await codeOf(writer.sealer.seal())).to.equal(UNAVAILABLE);
    const other = world.writer();
    await other.sealed(1);
    await writer.sealer.seal();
    expect(await world.told()).to.deep.equal(['open', 'open', 'seal 0+1', 'seal 0+2']);
    await world.intact();
  });

  it('keeps an entry in mind that got no answer, when it is refused afterwards and was stored all the same', async () => {
    let inserts = 0;
    const writer = world.writer({
      store: (real) => ({
        ...real,
        async insert(document) {
          inserts += 1;
          if (inserts === 3) {
            // The first attempt arrives late; this one is refused.
            await real.insert(document);
            return { kind: 'refused', error: new Error('code 13') };
          }
          return inserts === 2 ? { kind: 'unknown', error: new Error('no answer') } : real.insert(document);
        },
      }),
    });
    await writer.record(1);
    expect(await codeOf(writer.sealer.seal())).to.equal(UNAVAILABLE);
    expect(await codeOf(writer.sealer.seal())).to.equal('ERR_STRONGROOM_AUDIT_WRITE_FAILED');
    await writer.sealer.seal();
    expect(writer.alarms).to.deep.equal([]);
    expect(await world.told()).to.deep.equal(['open', 'seal 0+1']);
  });

  it('rejects seal() with AUDIT_UNAVAILABLE while mongod is away, and works when it is back', async () => {
    const room = world.room({ sealEvery: '1h' }, { trail: { timeout: '1s' } });
    await room.audit.record(note);
    await server.kill();
    const startedMs = performance.now();
    expect(await codeOf(room.audit.seal())).to.equal(UNAVAILABLE);
    expect(performance.now() - startedMs).to.be.within(0, 4000);
    await server.start();
    await until(async () => (await codeOf(room.audit.seal())) === 'resolved');
    expect(await world.told()).to.deep.equal(['open', 'seal 0+1']);
  });

  it('rejects seal() after audit.timeout while mongod answers nothing; close() keeps its time; nothing is left unhandled', async () => {
    const room = world.room({ sealEvery: '20ms' }, { trail: { timeout: '1s' } });
    await room.audit.record(note);
    server.freeze();
    const startedMs = performance.now();
    expect(await codeOf(room.audit.seal())).to.equal(UNAVAILABLE);
    expect(performance.now() - startedMs).to.be.within(900, 3000);
    const closingMs = performance.now();
    await room.close({ timeout: '1s' });
    expect(performance.now() - closingMs).to.be.below(3500);
  });

  it('enters a stream before its first event also when mongod comes only later', async () => {
    await server.kill();
    const provider = memoryProvider({ AUDIT_SIGNING_KEY: world.key.signingKey });
    const room = world.room({ sealEvery: '1h' }, { secrets: { provider }, trail: { connection: undefined, uri } });
    const recorded = room.audit.record(note);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await server.start();
    await recorded;
    expect(await world.told()).to.deep.equal(['open']);
  });

  it('survives being killed again and again: every entry stands once, every event is sealed once', async () => {
    const rooms = Array.from({ length: 3 }, () => world.room({ sealEvery: '5ms' }));
    const recorded: Promise<unknown>[] = [];
    for (let round = 0; round < 4; round += 1) {
      for (let index = 0; index < 30; index += 1) {
        for (const room of rooms) recorded.push(room.audit.record(note));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await server.kill();
      await server.start();
    }
    await Promise.all(recorded);
    await until(async () =>
      (await Promise.all(rooms.map((room) => codeOf(room.audit.seal())))).every((code) => code === 'resolved'),
    );
    await Promise.all(rooms.map((room) => room.close()));
    const report = await world.verify();
    expect(report.violations).to.deep.equal([]);
    expect(report).to.include({ events: recorded.length });
    expect(report.warnings).to.deep.equal([]);
  });
});

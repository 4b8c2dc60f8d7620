/** Who signs: keys among the secrets, signers, throw-away keys, nobody. Whole rooms on a real mongod. */
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import type { Alarm } from '../../src/audit/alarm.js';
import { generateKey, readSigningKey, type Signer } from '../../src/evidence/keys.js';
import { type EvidenceOptions, memoryProvider, type Strongroom } from '../../src/index.js';
import { startMongod } from '../mongod.js';
import { codeOf, SealingWorld, until } from './sealing-world.js';

const KEY_MISSING = 'ERR_STRONGROOM_AUDIT_KEY_MISSING';
const UNAVAILABLE = 'ERR_STRONGROOM_AUDIT_UNAVAILABLE';
const note = { action: 'user.update' };

describe('Signing', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let world: SealingWorld;
  let databases = 0;
  let warnings: string[] = [];
  const listen = (warning: Error): void => void warnings.push(`${warning.name} ${warning.message}`);

  before(async () => {
    server = await startMongod();
    process.on('warning', listen);
  });
  after(async () => {
    process.off('warning', listen);
    await server.stop();
  });
  beforeEach(async () => {
    databases += 1;
    warnings = [];
    world = await SealingWorld.open(server.getUri(`signing_${databases}`));
  });
  afterEach(() => world.close());

  function room(
    evidence: EvidenceOptions,
    more: { secrets?: Record<string, string>; production?: boolean; alarms?: Alarm[] } = {},
  ): Strongroom {
    const { secrets = {}, production = false, alarms = [] } = more;
    return world.room(
      { sealEvery: '20ms', anchors: [], ...evidence },
      {
        environment: production ? 'production' : 'test',
        secrets: { provider: { ...memoryProvider(secrets), productionSafe: true } },
        trail: { dangerouslyAllowUnenforced: true },
        hooks: { events: { 'audit:alarm': (alarm) => void alarms.push(alarm) } },
      },
    );
  }

  it('needs a key in production: ready() and seal() reject, records go on, with one warning', async () => {
    const one = room({}, { production: true });
    expect(await codeOf(one.ready())).to.equal(KEY_MISSING);
    for (let index = 0; index < 5; index += 1) await one.audit.record(note);
    expect(await codeOf(one.audit.seal())).to.equal(KEY_MISSING);
    await until(() => warnings.some((text) => text.includes('not sealed')));
    expect(warnings.filter((text) => text.includes('not sealed'))).to.have.length(1);
    expect(await world.trail.countDocuments()).to.equal(5);
    expect(await world.ledger.countDocuments()).to.equal(0);
  });

  it('does without one where that was said: with required false, and with evidence false', async () => {
    const one = room({ required: false }, { production: true });
    expect((await one.ready()).audit).to.include({ evidence: 'unsealed' });
    await one.audit.record(note);
    await one.audit.seal();
    const two = world.room(false, {
      environment: 'production',
      secrets: { provider: { ...memoryProvider(), productionSafe: true } },
      trail: { dangerouslyAllowUnenforced: true },
    });
    expect((await two.ready()).audit).to.include({ evidence: false });
    await two.audit.record(note);
    await two.audit.seal();
    expect(await world.ledger.countDocuments()).to.equal(0);
  });

  it('is by a throw-away key outside production, named after the collection, unless a key is required', async () => {
    const one = room({});
    expect((await one.ready()).audit).to.include({ evidence: 'throwaway' });
    await one.audit.record(note);
    await one.audit.seal();
    expect((await world.documents())[0]?.note).to.match(/^localhost\/audit_events\n1\n/);
    expect(await codeOf(room({ required: true }).ready())).to.equal(KEY_MISSING);
  });

  it('names the throw-away key of itself also when an origin is given', async () => {
    const one = room({ origin: 'audit.example.com/prod' });
    await one.audit.record(note);
    expect((await world.documents())[0]?.note).to.match(/^localhost\/audit_events\n/);
  });

  it('refuses a damaged key, a foreign origin and foreign keys, and never shows a key', async () => {
    const { signingKey } = world.key;
    const damaged = signingKey.slice(0, -6) + 'AAAA==';
    const faults: [Record<string, string>, EvidenceOptions][] = [
      [{ AUDIT_SIGNING_KEY: damaged }, {}],
      [{ AUDIT_SIGNING_KEY: 'PRIVATE+KEY+oops' }, {}],
      [{ AUDIT_SIGNING_KEY: signingKey }, { origin: 'other.test' }],
      [{ OTHER: signingKey.replace('audit.test', 'audit.tezt') }, { key: 'OTHER' }],
    ];
    for (const [secrets, evidence] of faults) {
      const one = room(evidence, { secrets });
      const error = await one.ready().catch((thrown: unknown) => thrown as Error & { code: string });
      expect(error).to.include({ code: 'ERR_STRONGROOM_OPTIONS_INVALID' });
      expect(String((error as Error).stack)).to.not.include(seedOf(Object.values(secrets)[0] as string));
      await one.audit.record(note);
    }
    for (const text of warnings) expect(text).to.not.include(seedOf(signingKey));
    expect(await world.ledger.countDocuments()).to.equal(0);
  });

  it('refuses options of evidence at once: each bad value on a line', () => {
    const { vkey, signingKey } = world.key;
    const sign = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(64));
    const bad: unknown[] = [
      true,
      { signer: {} },
      { signer: { vkey: 'x', sign } },
      { signer: { vkey, sign }, key: 'KEY' },
      { signer: { vkey, sign }, origin: 'other.test' },
      { keys: [signingKey] },
      { keys: 'vkey' },
      { sealEvery: 0 },
      { deadAfter: '-1s' },
      { anchors: [{}] },
      { anchors: [{ put: () => undefined, latest: 1 }] },
      { anchors: {} },
      { required: 'yes' },
      { orgin: 'x' },
    ];
    for (const evidence of bad) {
      expect(() => world.room(evidence as never), JSON.stringify(evidence)).to.throw(/^audit\.evidence/);
    }
  });

  it('is done by a signer, however slow', async () => {
    const key = readSigningKey(world.key.signingKey, 'key');
    const signer: Signer = {
      vkey: key.vkey,
      sign: async (bytes) => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        return new Uint8Array(await key.sign(bytes));
      },
    };
    const one = room({ signer });
    expect((await one.ready()).audit).to.include({ evidence: 'signed' });
    await Promise.all(Array.from({ length: 20 }, () => one.audit.record(note)));
    await one.close();
    expect(await world.intact()).to.deep.equal([]);
  });

  const BAD_SIGNERS: [title: string, sign: () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('token 12345 refused');
      },
    ],
    ['rejects', () => Promise.reject(new Error('token 12345 refused'))],
    ['gives 63 bytes', () => Promise.resolve(new Uint8Array(63))],
    ['gives nothing', () => undefined],
    [
      'signs with another key',
      () => readSigningKey(generateKey('audit.test/sealing').signingKey, 'k').sign(Buffer.from('x')),
    ],
  ];
  for (const [title, sign] of BAD_SIGNERS) {
    it(`brings nothing into the ledger by a signer that ${title}; records go on, and sealing does when it works again`, async () => {
      const key = readSigningKey(world.key.signingKey, 'key');
      let isBroken = true;
      const signer = { vkey: key.vkey, sign: (bytes: Uint8Array) => (isBroken ? sign() : key.sign(bytes)) } as Signer;
      const one = room({ signer, sealEvery: '10ms' });
      await one.audit.record(note);
      const error = await one.audit.seal().catch((thrown: unknown) => thrown as Error);
      expect(await world.ledger.countDocuments()).to.equal(0);
      isBroken = false;
      await one.audit.seal();
      expect(error).to.include({ code: UNAVAILABLE });
      expect(String((error as Error).stack)).to.not.include('12345');
      await one.close();
      expect(await world.intact()).to.deep.equal([]);
    });
  }

  it('is rotated one room at a time: the old one goes on behind the new key, and the old key ends where it is said to', async () => {
    const next = generateKey('audit.test/sealing');
    const [before, after] = [
      room({ keys: [next.vkey] }, { secrets: { AUDIT_SIGNING_KEY: world.key.signingKey } }),
      room({ keys: [world.key.vkey] }, { secrets: { AUDIT_SIGNING_KEY: next.signingKey } }),
    ];
    for (const one of [before, after, before, after]) {
      await one.audit.record(note);
      await one.audit.seal();
    }
    await before.close();
    const size = await world.ledger.countDocuments();
    await after.audit.record(note);
    await after.close();
    expect(await world.intact({ keys: [`${world.key.vkey} until=${size}`, next.vkey] })).to.deep.equal([]);
    const { violations } = await world.verify({ keys: [`${world.key.vkey} until=1`, next.vkey] });
    expect(new Set(violations.map(({ kind }) => kind))).to.deep.equal(new Set(['ledger-retired-key']));
  });
});

/** What stands behind name and id, which may hold a + of its own; of a text that is no key its end. */
function seedOf(key: string): string {
  return key.split('+').slice(4).join('+') || key.slice(-4);
}

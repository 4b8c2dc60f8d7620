/** Recording against a real mongod that is killed, frozen, squatted on and filled with rules: every event once, in order, and nothing breaks. */
import { expect } from 'chai';
import { MongoClient, type Collection } from 'mongodb';
import { createComposer } from '../../src/audit/compose.js';
import { createScopeStorage } from '../../src/audit/context.js';
import { resolveRecordingOptions, type RecordingOptions } from '../../src/audit/options.js';
import { Recorder } from '../../src/audit/recorder.js';
import { createRedactor } from '../../src/audit/redaction.js';
import type { IsStrict } from '../../src/audit/strict-actions.js';
import { createVocabulary } from '../../src/audit/vocabulary.js';
import type { AuditDraft, AuditEvent } from '../../src/event.js';
import { createHooks, type EventListeners, type Filters, type HookBus } from '../../src/hooks.js';
import { openConnection } from '../../src/mongo/connection.js';
import { createMongoStore } from '../../src/mongo/store.js';
import { KillableMongod } from '../killable-mongod.js';

interface World {
  recorder: Recorder;
  hooks: HookBus;
  record: (draft?: Partial<AuditDraft>) => Promise<AuditEvent>;
}

describe('audit/recorder', function suite() {
  this.timeout(60_000);
  let server: KillableMongod;
  let client: MongoClient;
  let events: Collection<AuditEvent>;
  const closers: (() => Promise<void>)[] = [];
  const unhandled: unknown[] = [];
  const noteUnhandled = (reason: unknown) => unhandled.push(reason);
  let collectionNumber = 0;
  let collection = '';

  before(async () => {
    server = await KillableMongod.create();
    await server.start();
    client = new MongoClient(server.uri);
  });
  after(async () => {
    await client.close();
    await server.dispose();
  });
  beforeEach(() => {
    collectionNumber += 1;
    collection = `events_${collectionNumber}`;
    events = client.db().collection<AuditEvent>(collection);
    process.on('unhandledRejection', noteUnhandled);
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
    await new Promise(setImmediate);
    process.off('unhandledRejection', noteUnhandled);
    expect(unhandled.splice(0)).to.deep.equal([]);
  });

  function open(
    options: RecordingOptions = {},
    more: {
      events?: EventListeners;
      filters?: Filters;
      key?: string;
      attemptTimeoutMs?: number;
      isStrict?: IsStrict;
    } = {},
  ): World {
    const hooks = createHooks(more);
    const resolved = resolveRecordingOptions(options);
    const redactor = createRedactor({ ...resolved.redact, secretValues: () => [] });
    const link = openConnection(() => Promise.resolve(server.uri));
    const store = createMongoStore({
      link,
      collection,
      tenant: false,
      ...(more.attemptTimeoutMs !== undefined && { attemptTimeoutMs: more.attemptTimeoutMs }),
    });
    const recorder = new Recorder({
      store,
      hooks,
      options: resolved,
      scopes: createScopeStorage(),
      isStrict: more.isStrict ?? null,
      onStored: () => undefined,
      openStream: () => Promise.resolve(true),
      raise: () => undefined,
      compose: createComposer({ redactor, hooks, options: resolved }),
      vocabulary: createVocabulary(['test.act']),
      redactText: (text) => redactor.text(text),
      readPseudonymKey: () => Promise.resolve(more.key ?? null),
    });
    closers.push(async () => {
      await recorder.close(0);
      await store.close();
    });
    const record: World['record'] = (draft = {}) =>
      recorder.record({ action: 'test.act', ...draft }, { source: 'api' });
    return { recorder, hooks, record };
  }

  const stored = () => events.find().sort({ _id: 1 }).toArray();
  const until = async (condition: () => boolean | Promise<boolean>) => {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'resolved',
      (error: unknown) => (error as { code?: string }).code,
    );

  it('resolves with the stored event, to the byte', async () => {
    const { record } = open();
    const event = await record({ actorId: 'u1', targetId: 't1', meta: { n: 1, deep: { list: ['a', null] } } });
    expect(await stored()).to.deep.equal([event]);
    expect(event._id).to.match(/^[0-9A-HJKMNP-TV-Z]{26}\.000000000000$/);
    expect(event.salt).to.match(/^[\w-]{22}$/);
  });

  it('numbers a burst in the order of the calls, without a hole, each event once', async () => {
    const { record, recorder } = open();
    const all = await Promise.all(Array.from({ length: 5000 }, (_, n) => record({ meta: { n } })));
    const found = await stored();
    expect(found.map(({ meta }) => meta['n'])).to.deep.equal(Array.from({ length: 5000 }, (_, n) => n));
    expect(found.map(({ _id }) => Number(_id.slice(27)))).to.deep.equal(all.map((_, n) => n));
    expect(recorder.stats()).to.include({ pending: 0, pendingBytes: 0, recorded: 5000, lost: 0, refused: 0 });
  });

  it('keeps what is recorded while the server is away from the start, and stores it when it comes', async () => {
    await server.kill();
    const { record, recorder } = open();
    const waiting = Array.from({ length: 50 }, (_, n) => record({ meta: { n } }));
    await until(() => recorder.stats().pending === 50);
    await server.start();
    await Promise.all(waiting);
    expect((await stored()).map(({ meta }) => meta['n'])).to.deep.equal(Array.from({ length: 50 }, (_, n) => n));
  });

  it('stores each event once and in order while the server is killed under load, again and again', async () => {
    const { record, recorder } = open();
    const accepted: Promise<AuditEvent>[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (let n = 0; n < 3000; n += 1) accepted.push(record({ meta: { n: accepted.length } }));
      await Promise.race(accepted.slice(-3000));
      await server.kill();
      await server.start();
    }
    await Promise.all(accepted);
    const found = await stored();
    expect(found.length).to.equal(accepted.length);
    expect(found.every(({ meta }, index) => meta['n'] === index)).to.equal(true);
    expect(recorder.stats()).to.include({ lost: 0, recorded: accepted.length });
  });

  it('stores each event once when a frozen server answers late', async () => {
    const { record } = open({}, { attemptTimeoutMs: 300 });
    await record();
    server.freeze();
    const waiting = Array.from({ length: 200 }, (_, n) => record({ meta: { n } }));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    server.thaw();
    await Promise.all(waiting);
    expect((await stored()).slice(1).map(({ meta }) => meta['n'])).to.deep.equal(waiting.map((_, n) => n));
  });

  it('rejects an awaited record after the timeout and stores the event all the same', async () => {
    const { record, recorder } = open({ timeout: 200 });
    await record();
    await server.kill();
    expect(await codeOf(record({ meta: { late: true } }))).to.equal('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
    expect(await codeOf(recorder.flush())).to.equal('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
    expect(recorder.stats().pending).to.equal(1);
    await server.start();
    await until(() => recorder.stats().pending === 0);
    expect((await stored()).map(({ meta }) => meta)).to.deep.equal([{}, { late: true }]);
  });

  it('refuses at once beyond its bound, and tells the trail what is missing when storage is back', async () => {
    const lost: { count: number; reason: string }[] = [];
    const { record, recorder } = open(
      { maxPendingBytes: 64 * 1024 },
      { events: { 'audit:lost': (loss) => void lost.push(loss) } },
    );
    await record();
    await server.kill();
    const answers = Array.from({ length: 200 }, () => codeOf(record({ meta: { fill: 'x'.repeat(1000) } })));
    await until(() => recorder.stats().lost > 0);
    expect(recorder.stats().pendingBytes).to.be.at.most(64 * 1024);
    await server.start();
    const refused = (await Promise.all(answers)).filter(
      (answer) => answer === 'ERR_STRONGROOM_AUDIT_UNAVAILABLE',
    ).length;
    await until(() => recorder.stats().pending === 0);
    const gaps = (await stored()).filter(({ action }) => action === 'audit.gap');
    expect(gaps).to.have.length(1);
    expect(gaps[0]!.meta).to.include({ lost: refused, reason: 'memory_full' });
    expect(recorder.stats().lost).to.equal(refused);
    expect((await stored()).length).to.equal(1 + 200 - refused + 1);
    expect(lost[0]).to.deep.equal({ count: 1, reason: 'memory_full' });
  });

  it('isolates a poison event: a gap takes its number, its neighbours are stored', async () => {
    const failed: { error: Error; retrying: boolean }[] = [];
    await client.db().createCollection(collection, { validator: { 'meta.bad': { $ne: true } } });
    const { record, recorder } = open({}, { events: { 'audit:failed': (payload) => void failed.push(payload) } });
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => record({ meta: { n, bad: n === 7 || n === 8 } })),
    );
    const rejections = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Error] : []));
    expect(rejections).to.have.length(2);
    expect(rejections[0]).to.include({ code: 'ERR_STRONGROOM_AUDIT_WRITE_FAILED' }).and.to.equal(failed[0]?.error);
    await recorder.flush();
    const found = await stored();
    expect(found.map(({ _id }) => Number(_id.slice(27)))).to.deep.equal(Array.from({ length: 20 }, (_, n) => n));
    expect(found[7]).to.deep.include({ action: 'audit.gap', meta: { lost: 1, reason: 'poison' }, source: 'system' });
    expect(failed.map(({ retrying }) => retrying)).to.deep.equal([false, false]);
    expect(recorder.stats()).to.include({ lost: 2 });
  });

  it('goes on in a new stream when someone else took its next number', async () => {
    const { record } = open();
    const first = await record();
    await events.insertOne({ ...first, _id: first._id.replace(/0$/, '2'), actorId: 'squatter' });
    const rest = await Promise.all([
      record({ meta: { n: 1 } }),
      record({ meta: { n: 2 } }),
      record({ meta: { n: 3 } }),
    ]);
    expect(rest[0]._id.slice(0, 26)).to.equal(first._id.slice(0, 26));
    expect(rest[1]._id.slice(0, 26)).to.not.equal(first._id.slice(0, 26));
    expect(rest[2]._id).to.equal(rest[1]._id.replace(/0$/, '1'));
    expect(await events.countDocuments()).to.equal(5);
  });

  it('counts as lost what close() could not store, and takes nothing afterwards', async () => {
    const lost: unknown[] = [];
    const { record, recorder } = open({}, { events: { 'audit:lost': (loss) => void lost.push(loss) } });
    await record();
    await server.kill();
    const waiting = [record(), record()].map(codeOf);
    await recorder.close(100);
    expect(await Promise.all(waiting)).to.deep.equal(Array(2).fill('ERR_STRONGROOM_AUDIT_UNAVAILABLE'));
    expect(lost).to.deep.equal([{ count: 2, reason: 'closed' }]);
    expect(await codeOf(record())).to.equal('ERR_STRONGROOM_CLOSED');
    await server.start();
  });

  it('stores what waits when it is closed in time', async () => {
    const { record, recorder } = open();
    for (let n = 0; n < 2500; n += 1) void record({ meta: { n } });
    await Promise.all([recorder.close(5000), recorder.close(5000)]);
    expect(await events.countDocuments()).to.equal(2500);
  });

  describe('drafts', () => {
    const wrong: Record<string, unknown> = {
      'no object': 'auth.login',
      'no action': {},
      'an empty action': { action: ' ' },
      'an unknown member': { action: 'test.act', actor: 'u1' },
      'a wrong status': { action: 'test.act', status: 'ok' },
      'an invalid time': { action: 'test.act', at: new Date(Number.NaN) },
      'a time as text': { action: 'test.act', at: '2026-01-01' },
      'an operator as id': { action: 'test.act', actorId: { $ne: null } },
      'meta that is no object': { action: 'test.act', meta: 'x' },
    };
    for (const [name, draft] of Object.entries(wrong)) {
      it(`refuses ${name} by rejection, counted and told`, async () => {
        const failed: unknown[] = [];
        const { recorder } = open({}, { events: { 'audit:failed': ({ retrying }) => void failed.push(retrying) } });
        expect(await codeOf(recorder.record(draft as AuditDraft, { source: 'api' }))).to.equal(
          'ERR_STRONGROOM_OPTIONS_INVALID',
        );
        expect(recorder.stats().refused).to.equal(1);
        expect(failed).to.deep.equal([false]);
      });
    }

    it('survives a draft whose getter throws', async () => {
      const { recorder } = open();
      const hostile = Object.defineProperty({}, 'action', {
        enumerable: true,
        get() {
          throw new Error('gotcha');
        },
      });
      expect(await codeOf(recorder.record(hostile as AuditDraft, { source: 'api' }))).to.equal(
        'ERR_STRONGROOM_OPTIONS_INVALID',
      );
    });

    it('takes the draft by value, at the call', async () => {
      const { record } = open();
      const meta = { list: [1] };
      const recorded = record({ meta });
      meta.list.push(2);
      expect((await recorded).meta).to.deep.equal({ list: [1] });
    });

    it('turns the future into now and keeps the past', async () => {
      const { record } = open();
      const past = new Date('2001-02-03T04:05:06.007Z');
      expect((await record({ at: past })).at).to.deep.equal(past);
      expect((await record({ at: new Date(Date.now() + 1e9) })).at.getTime()).to.be.at.most(Date.now());
    });

    it('cuts long text, and never through a pair of surrogates', async () => {
      const { record } = open();
      const event = await record({
        reason: `${'a'.repeat(255)}😀`,
        targetId: 't'.repeat(500),
        userAgent: 'u'.repeat(10_000),
      });
      expect(event.reason).to.equal('a'.repeat(255));
      expect(event.targetId).to.have.length(128);
      expect(event.userAgent).to.have.length(255);
    });

    it('stores an address given as id as its pseudonym, or as a mark without a key', async () => {
      expect(await open().record({ actorId: 'eve@example.com' })).to.include({ actorId: '[email]' });
      const keyed = await open({}, { key: 'k' }).record({ targetId: 'eve@example.com' });
      expect(keyed.targetId).to.match(/^h:[\w-]{22}$/);
    });

    it('masks in a role before it is put in upper case, which would hide what it holds', async () => {
      const { record } = open();
      const token = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a';
      expect((await record({ actorRole: `x ${token}` })).actorRole).to.equal('X [redacted]');
    });

    it('gives an event that nobody can change for the others', async () => {
      const { record } = open(
        {},
        { events: { 'audit:recorded': ({ event }) => void Object.assign(event, { action: 'evil' }) } },
      );
      expect(await record({ meta: { deep: { n: 1 } } })).to.deep.include({
        action: 'test.act',
        meta: { deep: { n: 1 } },
      });
    });

    it('attributes a failed login to nobody', async () => {
      const { record } = open();
      const event = await record({ action: 'auth.login', status: 'failure', actorId: 'u1', actorRole: 'ADMIN' });
      expect(event).to.include({ actorId: null, actorRole: 'USER' });
    });

    it('stores the network, or nothing, of an address when asked to', async () => {
      expect(await open({ ipAddress: 'truncated' }).record({ ipAddress: '203.0.113.77' })).to.include({
        ipAddress: '203.0.113.0',
      });
      expect(await open({ ipAddress: 'none' }).record({ ipAddress: '203.0.113.77' })).to.include({ ipAddress: null });
      expect(await open().record({ ipAddress: '<script>' })).to.include({ ipAddress: null });
    });
  });

  describe('filters', () => {
    it('lets a filter change a draft before it is redacted', async () => {
      const { record } = open(
        {},
        { filters: { 'audit:draft': (draft) => ({ ...draft, meta: { password: 'x', kept: 1 } }) } },
      );
      expect((await record()).meta).to.deep.equal({ password: '[redacted]', kept: 1 });
    });

    it('does not record what a filter refuses, and counts it', async () => {
      const { record, recorder } = open({}, { filters: { 'audit:draft': () => null } });
      expect(await codeOf(record())).to.equal('ERR_STRONGROOM_AUDIT_REFUSED');
      expect(recorder.stats()).to.include({ refused: 1, pending: 0, pendingBytes: 0, lost: 0 });
    });

    const broken: Record<string, Filters['audit:draft']> = {
      throws: () => {
        throw new Error('no');
      },
      rejects: () => Promise.reject(new Error('no')),
      hangs: () => new Promise(() => undefined),
      'answers nonsense': () => 42 as never,
      'spoils the draft': (draft) => ({ ...draft, status: 'perfect' as never }),
    };
    for (const [name, filter] of Object.entries(broken)) {
      it(`records a draft as it was when the filter ${name}`, async () => {
        const failed: string[] = [];
        const { record } = open(
          {},
          { filters: { 'audit:draft': filter }, events: { 'hook:failed': ({ hook }) => void failed.push(hook) } },
        );
        expect(await record({ meta: { n: 1 } })).to.deep.include({ action: 'test.act', meta: { n: 1 } });
        expect(failed).to.deep.equal(['audit:draft']);
      });
    }

    it('leaves meta empty when audit:redact throws', async () => {
      const filter = () => {
        throw new Error('no');
      };
      expect((await open({}, { filters: { 'audit:redact': filter } }).record({ meta: { n: 1 } })).meta).to.deep.equal(
        {},
      );
    });

    const wrongRedactions: Record<string, unknown> = {
      'a promise': () => Promise.resolve({ a: 1 }),
      'a promise that rejects': () => Promise.reject(new Error('no')),
      'a date': () => new Date(0),
      'something whose toJSON gives a number': () => ({ toJSON: () => 5 }),
      'a hostile proxy': () =>
        new Proxy(
          {},
          {
            ownKeys() {
              throw new Error('no');
            },
          },
        ),
    };
    for (const [name, filter] of Object.entries(wrongRedactions)) {
      it(`leaves meta empty when audit:redact answers with ${name}`, async () => {
        const failed: string[] = [];
        const { record } = open(
          {},
          {
            filters: { 'audit:redact': filter as never },
            events: { 'hook:failed': ({ hook }) => void failed.push(hook) },
          },
        );
        expect((await record({ meta: { n: 1 } })).meta).to.deep.equal({});
        expect(failed).to.deep.equal(['audit:redact']);
      });
    }

    it('isolates listeners that throw or reject', async () => {
      const { record, hooks } = open(
        {},
        {
          events: {
            'audit:recorded': () => Promise.reject(new Error('later')),
            'hook:failed': () => {
              throw new Error('even here');
            },
          },
        },
      );
      await record();
      await until(() => hooks.failures === 2);
    });
  });
});

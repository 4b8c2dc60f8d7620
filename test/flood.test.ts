/** Floods of failed logins against a whole room on a real mongod: what is stored is bounded, what happened is counted, honest evidence stays. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import express, { type Express } from 'express';
import { MongoClient } from 'mongodb';
import { type AuditDraft, type AuditEvent, type AuditOptions, strongroom, type Strongroom } from '../src/index.js';
import { KillableMongod } from './killable-mongod.js';

const FLOOD = 20_000;
const SPRAYERS = 300;

describe('floods of failures', function suite() {
  this.timeout(60_000);
  let server: KillableMongod;
  let client: MongoClient;
  let collection = '';
  let collections = 0;
  const cleanups: (() => Promise<unknown>)[] = [];

  before(async () => {
    server = await KillableMongod.create();
    await server.start();
    client = new MongoClient(server.uri);
  });
  after(async () => {
    await client.close();
    await server.dispose();
  });
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  function open(audit: Partial<AuditOptions> = {}, lost: string[] = []): Strongroom {
    collection = `flood_${(collections += 1)}`;
    const room = strongroom({
      environment: 'test',
      helmet: false,
      audit: { uri: server.uri, collection, evidence: false, ...audit },
      hooks: { events: { 'audit:lost': ({ reason, count }) => void lost.push(...Array<string>(count).fill(reason)) } },
    });
    cleanups.push(() => room.close({ timeout: 1 }));
    return room;
  }

  const stored = () => client.db().collection<AuditEvent>(collection).find().sort({ _id: 1 }).toArray();
  const countOf = ({ meta }: AuditEvent) => (meta['count'] as number | undefined) ?? 1;
  const sumOf = (events: readonly AuditEvent[]) => events.reduce((sum, event) => sum + countOf(event), 0);
  const failed = (given: Partial<AuditDraft> = {}): AuditDraft => ({
    action: 'auth.login',
    target: 'user',
    actorId: null,
    status: 'failure',
    ...given,
  });

  it('stores a bounded number of events of a password spray, counts every attempt, and every honest login is there', async () => {
    const room = open();
    const login = await serve(createLogin(room));
    const begun = performance.now();
    const answers = new Map<number, number>();
    await inParallel(64, FLOOD, async (n) => {
      const status = await login({
        ip: `198.51.${100 + (n % 3)}.${n % 100}`,
        user: `victim-${n}`,
        password: 'Spring2026!',
      });
      answers.set(status, (answers.get(status) ?? 0) + 1);
      if (n % 100 === 0) await login({ ip: '203.0.113.7', user: `honest-${n / 100}`, password: 'right' });
      if (n === FLOOD / 2) await login({ ip: '203.0.113.99', user: 'mistyped', password: 'rigth' });
    });
    const seconds = Math.ceil((performance.now() - begun) / 1000) + 1;
    await room.audit.flush();

    const events = await stored();
    const honest = events.filter(({ status }) => status === 'success').map(({ actorId }) => actorId);
    expect(honest).to.have.members(Array.from({ length: FLOOD / 100 }, (_, n) => `honest-${n}`));
    const failures = events.filter(({ status }) => status === 'failure');
    expect(answers).to.deep.equal(new Map([[401, FLOOD]]));
    expect(sumOf(failures)).to.equal(FLOOD + 1);
    expect(failures.length).to.be.at.most(1000 + seconds * (100 + SPRAYERS + 1));
    expect(failures.filter(({ ipAddress }) => ipAddress === '203.0.113.99').map(countOf)).to.deep.equal([1]);
    const sums = failures.filter(({ meta }) => 'count' in meta);
    expect(sums).to.have.length.within(1, seconds);
    for (const { at, meta, ...sum } of sums) {
      expect(sum).to.include({ action: 'auth.login', target: 'user', actorId: null, ipAddress: null, requestId: null });
      expect(sum).to.deep.include({ source: 'route', http: { method: 'POST', route: '/login', status: 401 } });
      expect(Date.parse(String(meta['lastAt'])) - at.getTime()).to.be.within(0, 1000);
    }
    expect(room.audit.stats()).to.include({ pending: 0, pendingBytes: 0, lost: 0, refused: 0 });
  });

  it('resolves record() of a summed failure with the sum, by itself within its second', async () => {
    const room = open({ failureLimit: { burst: 2, perSecond: 0 } });
    const told = await Promise.all(
      Array.from({ length: 10 }, (_, n) => room.audit.record(failed({ targetId: `t${n}` }))),
    );
    const events = await stored();
    expect(sumOf(events)).to.equal(10);
    expect(new Set(told)).to.have.property('size', events.length);
    const sum = told.find(({ meta }) => 'count' in meta);
    expect(sum).to.deep.equal(events.find(({ meta }) => 'count' in meta));
    expect(events.length).to.be.within(3, 6);
  });

  it('leaves room for evidence that names someone while MongoDB is away, and loses nothing from the count', async () => {
    const actions = Array.from({ length: 100 }, (_, n) => `app.act_${n}`);
    const room = open({ maxPendingBytes: 256 * 1024, actions });
    await room.audit.record({ action: 'user.update', actorId: 'u0' });
    await server.kill();
    for (let n = 0; n < 500; n += 1) {
      void room.audit.record(failed({ action: actions[n % 100] as string }));
      void room.audit.recordLogin({ userId: null, success: false });
    }
    expect(room.audit.stats().pendingBytes).to.be.within(48 * 1024, 64 * 1024);
    const honest = Array.from({ length: 100 }, (_, n) =>
      room.audit.record({ action: 'user.update', actorId: `u${n}` }),
    );
    await server.start();
    await Promise.all(honest);
    await room.audit.flush();
    const events = await stored();
    const { lost } = room.audit.stats();
    const gaps = events
      .filter(({ action }) => action === 'audit.gap')
      .map(({ meta }) => [meta['reason'], meta['lost']]);
    expect(gaps).to.deep.equal([['memory_full', lost]]);
    const failures = events.filter(({ actorId, source }) => actorId === null && source === 'api');
    expect(sumOf(failures) + lost).to.equal(1000);
    expect(room.audit.stats().pendingBytes).to.equal(0);
  });

  it('counts all that a sum stood for when close() has to leave it behind', async () => {
    const lost: string[] = [];
    const room = open({ failureLimit: { burst: 1, perSecond: 0 } }, lost);
    await room.audit.record(failed());
    await server.kill();
    const waiting = Array.from({ length: 50 }, () =>
      room.audit.record(failed()).catch((error: unknown) => (error as { code: string }).code),
    );
    await room.close({ timeout: 20 });
    await server.start();
    expect(new Set(await Promise.all(waiting))).to.deep.equal(new Set(['ERR_STRONGROOM_AUDIT_UNAVAILABLE']));
    expect(lost).to.deep.equal(Array<string>(50).fill('closed'));
  });

  it('counts all that a sum stood for when MongoDB can never store it', async () => {
    const room = open({ failureLimit: { burst: 1, perSecond: 0 } });
    await client.db().createCollection(collection, { validator: { 'meta.count': { $exists: false } } });
    await room.audit.record(failed({ action: 'auth.register' }));
    const summed = Array.from({ length: 50 }, () => room.audit.record(failed()));
    const outcomes = await Promise.allSettled(summed);
    const refused = outcomes.filter(({ status }) => status === 'rejected').length;
    expect(refused).to.be.within(40, 50);
    await room.audit.flush();
    const gaps = (await stored()).filter(({ action }) => action === 'audit.gap');
    expect(gaps.reduce((sum, { meta }) => sum + Number(meta['lost']), 0)).to.equal(refused);
    expect(room.audit.stats().lost).to.equal(refused);
  });

  it('stores each of them when it is switched off', async () => {
    const room = open({ failureLimit: false });
    await Promise.all(Array.from({ length: 3000 }, () => room.audit.record(failed())));
    expect(await stored()).to.have.length(3000);
  });

  it('leaves room for evidence that names someone also when it is switched off', async () => {
    const room = open({ failureLimit: false, maxPendingBytes: 256 * 1024 });
    await room.audit.record({ action: 'user.update', actorId: 'u0' });
    await server.kill();
    for (let n = 0; n < 500; n += 1) void room.audit.record(failed());
    expect(room.audit.stats().pendingBytes).to.be.within(48 * 1024, 64 * 1024);
    const honest = Array.from({ length: 100 }, (_, n) =>
      room.audit.record({ action: 'user.update', actorId: `u${n}` }),
    );
    await server.start();
    await Promise.all(honest);
    await room.audit.flush();
    expect(sumOf((await stored()).filter(({ status }) => status === 'failure')) + room.audit.stats().lost).to.equal(
      500,
    );
  });

  /** Serves an app; gives what logs in there. */
  async function serve(app: Express): Promise<(o: { ip: string; user: string; password: string }) => Promise<number>> {
    const listening = http.createServer(app);
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
    cleanups.push(() => (agent.destroy(), new Promise((resolve) => listening.close(resolve))));
    const { port } = listening.address() as AddressInfo;
    return ({ ip, user, password }) =>
      new Promise((resolve, reject) => {
        const headers = { 'x-forwarded-for': ip, 'x-name': user, 'x-password': password };
        const sent = http.request({ port, agent, method: 'POST', path: '/login', headers }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
        });
        sent.on('error', reject).end();
      });
  }
});

function createLogin(room: Strongroom): Express {
  const app = express();
  app.set('trust proxy', 1);
  app.use(room);
  app.post('/login', (req, res) => {
    if (req.get('x-password') !== 'right') return void res.sendStatus(401);
    req.audit.outcome({ actor: { id: req.get('x-name') ?? '' } });
    return void res.sendStatus(200);
  });
  return app;
}

/** Does so many pieces of work, some at a time. */
async function inParallel(width: number, count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** The whole room over HTTP on a real mongod: Express 5 and 4, mongoose 9 and 8. What single parts do is tested beside them. */
import { createHmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { expect } from 'chai';
import express, { type Express, type Request, type Response } from 'express';
import mongoose, { type Connection } from 'mongoose';
import request from 'supertest';
import {
  type AuditEvent,
  type AuditOptions,
  memoryProvider,
  strongroom,
  type Strongroom,
  type StrongroomOptions,
} from '../src/index.js';
import { startReplicaSet } from './mongod.js';
import { createTrailMongod, isAppender, startTrailServer, type TrailServer } from './trail-server.js';

const load = createRequire(import.meta.url);
const EXPRESSES: [string, typeof express][] = [
  ['Express 5', express],
  ['Express 4', load('express4') as typeof express],
];
const MONGOOSES: [string, typeof mongoose][] = [
  ['mongoose 9', mongoose],
  ['mongoose 8', load('mongoose8') as typeof mongoose],
];

const SECRET = 'correct-horse-battery';

interface Authenticated extends Request {
  user?: { id: string; role: string };
}

/** Users by header, as a session or a gateway would say; the routes of a small shop. */
function createShop(base: typeof express, room: Strongroom): Express {
  const app = base();
  app.use(room);
  app.use(base.json());
  app.use((req: Authenticated, _res, next) => {
    const [id, role] = (req.get('x-user') ?? '').split(':');
    if (id) req.user = { id, role: role ?? '' };
    next();
  });
  const api = base.Router();
  api.post('/auth/register', (_req, res) => void res.status(201).json({}));
  api.post('/auth/login', (req, res) => {
    const { password, id } = req.body as { password?: string; id?: string };
    if (password !== 'right') return void res.status(401).json({});
    req.audit.outcome({ actor: { id: id ?? 'u1', role: 'customer' } });
    return void res.json({});
  });
  api.post('/auth/logout', (_req, res) => void res.status(204).end());
  api.put('/users/:id/role', (req: Authenticated, res) => {
    if (req.user?.role !== 'admin') return void res.status(403).end();
    req.audit.outcome({ meta: { oldRole: 'customer', newRole: 'support' } });
    return void res.json({});
  });
  api.get('/secret', (req, res, next) => {
    req.secrets.get(String(req.query['name'])).then((value) => res.send(value), next);
  });
  api.post('/note', (req, res, next) => {
    req.audit
      .record({ action: 'user.update', target: 'note', meta: req.body as Record<string, unknown> })
      .then((event) => res.json(event), next);
  });
  api.get('/trail', (req, res, next) => {
    room.audit.find(req.query).then((page) => res.json(page), next);
  });
  api.post('/rotate', (_req, res, next) => {
    room.secrets.set('API_KEY', 'another-long-value').then(() => res.status(204).end(), next);
  });
  app.use('/api', api);
  return app;
}

/** Errors become their status and code, as an app's own handler would do it. */
function withErrors(app: Express): Express {
  // oxlint-disable-next-line max-params -- Express knows an error handler by its four parameters.
  app.use((error: Error & { status?: number; code?: string }, _req: Request, res: Response, _next: unknown) => {
    res.status(error.status ?? 500).json({ code: error.code });
  });
  return app;
}

describe('strongroom', function suite() {
  this.timeout(60_000);
  let server: TrailServer;
  const cleanups: (() => Promise<unknown>)[] = [];
  let databases = 0;

  before(async () => {
    server = await startTrailServer(startReplicaSet);
  });
  after(async () => {
    await server.stop();
  });
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  function uri(): Promise<string> {
    databases += 1;
    return server.uri(`room_${databases}`);
  }

  async function connect(base: typeof mongoose = mongoose, at?: string): Promise<Connection> {
    const connection = await base.createConnection(at ?? (await uri())).asPromise();
    cleanups.push(() => connection.close());
    return connection;
  }

  function open(audit: AuditOptions | false, more: Partial<StrongroomOptions> = {}): Strongroom {
    const provider = memoryProvider({ API_KEY: SECRET, AUDIT_PSEUDONYM_KEY: 'pseudonym-key' });
    const room = strongroom({ environment: 'test', secrets: { provider }, audit, ...more });
    cleanups.push(() => room.close());
    return room;
  }

  const oldestFirst = async (room: Strongroom): Promise<AuditEvent[]> => {
    await room.audit.flush();
    return (await room.audit.find({ limit: 1000 })).events.toReversed();
  };

  for (const [expressName, expressBase] of EXPRESSES) {
    for (const [mongooseName, mongooseBase] of MONGOOSES) {
      describe(`${expressName}, ${mongooseName}`, () => {
        let room: Strongroom;
        let app: Express;
        beforeEach(async () => {
          room = open({ connection: await connect(mongooseBase), app: 'shop' });
          app = withErrors(createShop(expressBase, room));
        });

        it('records what users do by itself, with little personal data', async () => {
          const agent = request(app);
          await agent.post('/api/auth/register').send({ email: 'Eve@Example.COM', password: 'right' });
          await agent.post('/api/auth/login').send({ email: 'eve@example.com', password: 'wrong guess' });
          await agent.post('/api/auth/login').send({ email: 'eve@example.com', password: 'right', id: 'eve' });
          await agent.put('/api/users/u7/role').set('x-user', 'bob:customer').send({ role: 'admin' });
          await agent.put('/api/users/u7/role').set('x-user', 'ada:admin').send({ role: 'support' });
          await agent.post('/api/auth/logout').set('x-user', 'eve:customer');
          await agent.get('/api/nothing-here');
          const events = await oldestFirst(room);
          const seen = events.map(({ action, status, reason, actorId, actorRole, targetId, meta }) => ({
            line: [action, status, reason, actorId, actorRole, targetId].join(' '),
            meta,
          }));
          expect(seen).to.deep.equal([
            { line: 'auth.register success   USER ', meta: { emailDomain: 'example.com' } },
            { line: 'auth.login failure invalid_credentials  USER ', meta: {} },
            { line: 'auth.login success  eve CUSTOMER eve', meta: {} },
            { line: 'user.role_change failure forbidden bob CUSTOMER u7', meta: { oldRole: null, newRole: 'admin' } },
            { line: 'user.role_change success  ada ADMIN u7', meta: { oldRole: 'customer', newRole: 'support' } },
            { line: 'auth.logout success  eve CUSTOMER eve', meta: {} },
          ]);
          expect(JSON.stringify(events)).to.not.match(/eve@|wrong guess|right"/i);
        });

        it('fills every field', async () => {
          await request(app)
            .post('/api/auth/login')
            .set({ 'user-agent': 'probe/1.0', 'x-request-id': 'req-77' })
            .send({ password: 'right', id: 'eve' });
          const [event] = await oldestFirst(room);
          expect(event).to.deep.include({
            v: 1,
            app: 'shop',
            tenantId: null,
            actorId: 'eve',
            actorRole: 'CUSTOMER',
            onBehalfOf: null,
            action: 'auth.login',
            target: 'user',
            targetId: 'eve',
            status: 'success',
            reason: null,
            ipAddress: '127.0.0.1',
            userAgent: 'probe/1.0',
            requestId: 'req-77',
            source: 'route',
            http: { method: 'POST', route: '/api/auth/login', status: 200 },
            meta: {},
          });
          expect(event?._id).to.match(/^[0-9A-HJKMNP-TV-Z]{26}\.\d{12}$/);
          expect(event?.salt).to.match(/^[\w-]{22}$/);
          expect(Math.abs(Date.now() - Number(event?.at))).to.be.below(10_000);
        });

        it('gives requests their secrets, but not the keys of the package', async () => {
          expect((await request(app).get('/api/secret?name=API_KEY')).text).to.equal(SECRET);
          const hidden = await request(app).get('/api/secret?name=AUDIT_PSEUDONYM_KEY');
          expect(hidden.body).to.deep.equal({ code: 'ERR_STRONGROOM_SECRET_NOT_FOUND' });
          expect(await room.secrets.get('AUDIT_PSEUDONYM_KEY')).to.equal('pseudonym-key');
        });

        it('masks what it knows to be a secret, and what looks like one, in what is recorded', async () => {
          await room.secrets.get('API_KEY');
          const note = {
            text: `the key is ${SECRET}`,
            password: 'p',
            list: [{ apiKey: 'k' }],
            mail: 'a@b.example',
            n: 1,
          };
          const { body } = await request(app).post('/api/note').send(note);
          expect((body as AuditEvent).meta).to.deep.equal({
            text: 'the key is [redacted]',
            password: '[redacted]',
            list: [{ apiKey: '[redacted]' }],
            mail: '[redacted]',
            n: 1,
          });
        });

        it('records a rotation with who did it, and nothing else for it', async () => {
          await request(app).post('/api/rotate').set('x-user', 'ada:admin');
          room.secrets.invalidate('API_KEY');
          const events = await oldestFirst(room);
          expect(
            events.map(({ action, targetId, actorId, actorRole, target }) => [
              action,
              targetId,
              actorId,
              actorRole,
              target,
            ]),
          ).to.deep.equal([
            ['secret.rotate', 'API_KEY', 'ada', 'ADMIN', 'secret'],
            ['secret.invalidate', 'API_KEY', null, 'SYSTEM', 'secret'],
          ]);
          expect(JSON.stringify(events)).to.not.include('another-long-value');
        });

        it('answers a query of a client, and refuses what would be an operator', async () => {
          await request(app).post('/api/auth/login').send({ password: 'right', id: 'eve' });
          await room.audit.flush();
          const found = await request(app).get('/api/trail?actorId=eve&action=auth.login');
          expect((found.body as { events: unknown[] }).events).to.have.length(1);
          expect((await request(app).get('/api/trail?actorId=nobody')).body).to.deep.equal({ events: [], next: null });
          for (const query of ['actorId[$ne]=x', 'status[$gt]=', '$where=1', 'limit=5', 'action[]=a&action[b]=c']) {
            const answer = await request(app).get(`/api/trail?${query}`);
            expect([query, answer.status]).to.deep.equal([query, 400]);
          }
        });

        it('refuses to change an event through the model, and tells', async () => {
          const told: unknown[] = [];
          room.hooks.on('audit:blocked', (blocked) => void told.push(blocked));
          await room.audit.record({ action: 'user.update' });
          const refused = await room.audit.model.deleteMany({}).then(
            () => 'done',
            (error: unknown) => (error as { code: string }).code,
          );
          expect(refused).to.equal('ERR_STRONGROOM_APPEND_ONLY_VIOLATION');
          expect(told).to.deep.equal([{ operation: 'deleteMany', collection: 'audit_events' }]);
          expect(await room.audit.model.countDocuments()).to.equal(1);
        });
      });
    }
  }

  it('tells both rooms on one trail of a refusal', async () => {
    const connection = await connect();
    const told: string[] = [];
    for (const name of ['one', 'two']) {
      const room = open({ connection }, { hooks: { events: { 'audit:blocked': () => void told.push(name) } } });
      await room.audit.record({ action: 'user.update' });
    }
    const { model } = open({ connection }).audit;
    await model.updateMany({}, { status: 'error' }).catch(() => undefined);
    expect(told).to.deep.equal(['one', 'two']);
  });

  it('warns of an outcome that is none, and answers all the same', async () => {
    const room = open({ connection: await connect() });
    const warned: string[] = [];
    const note = ({ message }: Error) => warned.push(message);
    process.on('warning', note);
    const app = express();
    app.use(room);
    app.post('/login', (req, res) => {
      // A warning comes once a process and text: this mistake is made nowhere else.
      req.audit.outcome({ statuss: 'failure', actor: { id: 'u1' } } as object);
      res.end();
    });
    expect((await request(app).post('/login')).status).to.equal(200);
    await new Promise(setImmediate);
    process.off('warning', note);
    expect(warned.join()).to.match(/req\.audit\.outcome: option "statuss" is unknown; did you mean "status"\?/);
    expect(await oldestFirst(room)).to.have.length(1);
  });

  describe('reading', () => {
    it('pages, counts, groups and streams what was recorded', async () => {
      const room = open({ connection: await connect() });
      const record = (n: number) =>
        room.audit.record({
          action: n % 3 === 0 ? 'user.update' : 'user.create',
          actorId: `u${n % 4}`,
          at: new Date(1_700_000_000_000 + n * 1000),
        });
      await Promise.all(Array.from({ length: 120 }, (_, n) => record(n)));
      const seen: number[] = [];
      let cursor: string | undefined;
      do {
        const page = await room.audit.find({ actorId: 'u1', limit: 7, cursor });
        seen.push(...page.events.map(({ at }) => (at.getTime() - 1_700_000_000_000) / 1000));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      expect(seen).to.deep.equal(Array.from({ length: 30 }, (_, n) => 117 - n * 4));
      expect(await room.audit.count({ action: ['user.update', 'user.create'] })).to.equal(120);
      expect(await room.audit.aggregate({ by: ['action'] })).to.deep.equal([
        { key: { action: 'user.create' }, count: 80 },
        { key: { action: 'user.update' }, count: 40 },
      ]);
      expect(
        await room.audit.aggregate({ by: ['actorId'], action: 'user.update', from: new Date(1_700_000_060_000) }),
      ).to.have.length(4);
      const streamed: string[] = [];
      for await (const { _id } of room.audit.stream({ action: 'user.update' })) streamed.push(_id);
      expect(new Set(streamed).size).to.equal(40);
      expect(await room.audit.find({ from: '2001-01-01', to: '2001-01-02' })).to.deep.equal({ events: [], next: null });
    });

    it('goes on at another instance with the same cursor', async () => {
      const at = await uri();
      const one = open({ connection: await connect(mongoose, at) });
      const two = open({ connection: await connect(mongoose, at) });
      await Promise.all(
        Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? one : two).audit.record({ action: 'user.update' })),
      );
      const first = await one.audit.find({ limit: 4 });
      const second = await two.audit.find({ limit: 100, cursor: first.next ?? undefined });
      expect(new Set([...first.events, ...second.events].map(({ _id }) => _id)).size).to.equal(10);
      expect(second.next).to.equal(null);
    });
  });

  describe('attribution', () => {
    it('carries the request into services, and runAs beats it, nested and restored', async () => {
      const room = open({ connection: await connect() });
      const service = async (label: string): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        await room.audit.record({ action: 'user.update', meta: { label } });
      };
      const app = express();
      app.use(room);
      app.get('/work', async (req: Authenticated, res) => {
        req.user = { id: 'web', role: 'customer' };
        await service('request');
        await room.audit.runAs({ id: 'job', role: 'worker', onBehalfOf: 'cust' }, async () => {
          await service('job');
          await room.audit.runAs({ id: 'inner' }, () => service('inner'));
          await service('job again');
        });
        await service('request again');
        res.end();
      });
      await request(app).get('/work');
      await service('outside');
      const lines = (await oldestFirst(room)).map(({ meta, actorId, actorRole, onBehalfOf, http }) => [
        meta['label'],
        actorId,
        actorRole,
        onBehalfOf,
        http?.route ?? null,
      ]);
      expect(lines).to.deep.equal([
        ['request', 'web', 'CUSTOMER', null, '/work'],
        ['job', 'job', 'WORKER', 'cust', '/work'],
        ['inner', 'inner', 'USER', null, '/work'],
        ['job again', 'job', 'WORKER', 'cust', '/work'],
        ['request again', 'web', 'CUSTOMER', null, '/work'],
        ['outside', null, 'SYSTEM', null, null],
      ]);
    });

    it('keeps the actors of 500 concurrent requests apart', async () => {
      const room = open({ connection: await connect() });
      const app = express();
      app.use(room);
      app.post('/things/:id', async (req: Authenticated, res) => {
        req.user = { id: `u${String(req.params['id'])}`, role: 'customer' };
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
        await room.audit.record({ action: 'user.update', targetId: String(req.params['id']) });
        res.end();
      });
      const listening = app.listen(0);
      cleanups.push(async () => listening.close());
      await Promise.all(Array.from({ length: 500 }, (_, n) => request(listening).post(`/things/${n}`)));
      const events = await oldestFirst(room);
      expect(events).to.have.length(500);
      expect(events.every(({ actorId, targetId }) => actorId === `u${targetId}`)).to.equal(true);
    });

    it('stores the pseudonym of what was typed, and never what was typed', async () => {
      const room = open({ connection: await connect() });
      const event = await room.audit.recordLogin({ userId: null, success: false, attempted: 'eve@example.com' });
      const mac = createHmac('sha256', 'pseudonym-key').update('eve@example.com').digest('base64url').slice(0, 22);
      expect(event).to.deep.include({
        action: 'auth.login',
        status: 'failure',
        actorId: null,
        actorRole: 'USER',
        targetId: `h:${mac}`,
      });
      const odd = await room.audit.recordLogin({ userId: null, success: false, attempted: { $ne: '' } as never });
      expect(odd).to.deep.include({ targetId: null, reason: 'invalid_credentials' });
    });

    it('builds the other events of the helpers as promised', async () => {
      const { audit } = open({ connection: await connect() });
      const expected: [Promise<AuditEvent>, Partial<AuditEvent>][] = [
        [audit.recordLogin({ userId: 'u1', success: true }), { actorId: 'u1', targetId: 'u1', status: 'success' }],
        [audit.recordLogout({ userId: 'u1' }), { action: 'auth.logout', actorId: 'u1', targetId: 'u1' }],
        [
          audit.recordRegistration({ userId: 'u2', email: 'x@Mail.Example' }),
          { action: 'auth.register', targetId: 'u2', meta: { emailDomain: 'mail.example' } },
        ],
        [
          audit.recordRoleChange({
            actorId: 'ada',
            actorRole: 'admin',
            userId: 'u2',
            oldRole: null,
            newRole: 'Editor',
          }),
          {
            action: 'user.role_change',
            actorId: 'ada',
            actorRole: 'ADMIN',
            meta: { oldRole: null, newRole: 'Editor' },
          },
        ],
        [
          audit.recordFailure({
            action: 'billing.payment',
            target: 'invoice',
            error: new RangeError('card 4111 1111 1111 1111'),
          }),
          { status: 'error', reason: 'internal', meta: { error: 'RangeError' } },
        ],
        [
          audit.recordFailure({ action: 'billing.payment', target: 'invoice', error: 'declined' }),
          { status: 'error', reason: 'declined', meta: {} },
        ],
      ];
      for (const [recorded, event] of expected) expect(await recorded).to.deep.include(event);
    });
  });

  describe('life', () => {
    it('is ready when secrets and database are there, and says what it found', async () => {
      const room = open(
        { uri: await uri() },
        { secrets: { provider: memoryProvider({ A: '1', B: '2' }), required: ['A', 'B'] } },
      );
      expect(await room.ready()).to.deep.equal({
        environment: 'test',
        secrets: { checked: 2 },
        audit: isAppender
          ? { enforcement: 'enforced', indexes: 'unknown', evidence: 'throwaway' }
          : { enforcement: 'unenforced', indexes: 'created', evidence: 'throwaway' },
      });
    });

    const unready: Record<string, [Partial<StrongroomOptions>, string]> = {
      'a secret is missing': [{ secrets: { provider: memoryProvider(), required: ['GONE'] } }, 'SECRET_NOT_FOUND'],
      'the database cannot be reached': [{ audit: { uri: 'mongodb://127.0.0.1:1/audit' } }, 'AUDIT_UNAVAILABLE'],
      'the secret with the URI is missing': [{ audit: { uri: { secret: 'AUDIT_URI' } } }, 'SECRET_NOT_FOUND'],
    };
    for (const [name, [options, code]] of Object.entries(unready)) {
      it(`is not ready when ${name}`, async () => {
        const room = open(false, options);
        const error = await room.ready({ timeout: 500 }).then(
          () => undefined,
          (reason: unknown) => reason as { code: string },
        );
        expect(error?.code).to.equal(`ERR_STRONGROOM_${code}`);
      });
    }

    it('bounds ready() and close() by their timeouts, whatever a provider does', async () => {
      const hang = () => new Promise<never>(() => undefined);
      const provider = { name: 'hanging', get: hang, close: hang };
      const room = strongroom({ environment: 'test', audit: false, secrets: { provider, required: ['A'] } });
      for (const wait of [() => room.ready({ timeout: 100 }), () => room.close({ timeout: 100 })]) {
        const begin = performance.now();
        const code = await wait().catch((error: unknown) => (error as { code: string }).code);
        expect(code).to.equal('ERR_STRONGROOM_SECRET_TIMEOUT');
        expect(performance.now() - begin).to.be.below(3000);
      }
    });

    it('says that it is closed to who reads through its own connection, and lets yours go on', async () => {
      const own = open({ uri: await uri() });
      const yours = open({ connection: await connect() });
      for (const room of [own, yours]) {
        await room.audit.record({ action: 'user.update' });
        await room.close();
      }
      const code = await own.audit.find().catch((error: unknown) => (error as { code: string }).code);
      expect(code).to.equal('ERR_STRONGROOM_CLOSED');
      expect(await yours.audit.count()).to.equal(1);
    });

    it('takes the URI from a secret that the app cannot read', async () => {
      const provider = memoryProvider({ AUDIT_URI: await uri() });
      const room = open({ uri: { secret: 'AUDIT_URI' } }, { secrets: { provider } });
      const app = withErrors(createShop(express, room));
      await room.audit.record({ action: 'user.update' });
      expect(await room.audit.count()).to.equal(1);
      expect((await request(app).get('/api/secret?name=AUDIT_URI')).status).to.equal(500);
    });

    it('goes on serving after close(), which may be called twice, and leaves your connection open', async () => {
      const connection = await connect();
      const room = open({ connection });
      const app = withErrors(createShop(express, room));
      await request(app).post('/api/auth/login').send({ password: 'right' });
      await Promise.all([room.close(), room.close()]);
      expect(connection.readyState).to.equal(1);
      expect(await connection.collection('audit_events').countDocuments()).to.equal(1);
      expect((await request(app).post('/api/auth/login').send({ password: 'right' })).status).to.equal(200);
      expect((await request(app).post('/api/note').send({})).body).to.deep.equal({ code: 'ERR_STRONGROOM_CLOSED' });
    });

    it('lets requests go on while MongoDB is away, and stores their events when it is back', async () => {
      const mongod = await createTrailMongod();
      cleanups.push(() => mongod.dispose());
      const room = open({ uri: mongod.uri });
      const app = withErrors(createShop(express, room));
      for (let n = 0; n < 5; n += 1) {
        expect(
          (
            await request(app)
              .post('/api/auth/login')
              .send({ password: 'right', id: `u${n}` })
          ).status,
        ).to.equal(200);
      }
      expect(room.audit.stats().recorded).to.equal(0);
      await mongod.start();
      expect((await oldestFirst(room)).map(({ actorId }) => actorId)).to.deep.equal(['u0', 'u1', 'u2', 'u3', 'u4']);
    });

    it('closes in time when the server is frozen, and when it was never reached', async () => {
      const mongod = await createTrailMongod();
      cleanups.push(() => mongod.dispose());
      await mongod.start();
      const connected = open({ uri: mongod.uri });
      await connected.audit.record({ action: 'user.update' });
      mongod.freeze();
      for (const room of [connected, open({ uri: mongod.uri })]) {
        const waiting = room.audit
          .record({ action: 'user.update' })
          .catch((error: unknown) => (error as { code: string }).code);
        const begin = performance.now();
        await room.close({ timeout: 200 });
        expect(performance.now() - begin).to.be.below(4000);
        expect(await waiting).to.equal('ERR_STRONGROOM_AUDIT_UNAVAILABLE');
      }
    });

    it('never joins a transaction of the app', async function test() {
      // It asks nothing over HTTP, and needs a replica set and a collection of the app.
      if (isAppender) this.skip();
      const at = await uri();
      const own = new mongoose.Mongoose();
      own.set('transactionAsyncLocalStorage', true);
      const connection = await connect(own, at);
      const Thing = connection.model('Thing', new mongoose.Schema({ n: Number }));
      await Thing.createCollection();
      const room = open({ connection });
      await room.ready();
      const aborted = await connection
        .transaction(async () => {
          await Thing.create({ n: 1 });
          await room.audit.record({ action: 'user.update', meta: { inside: true } });
          throw new Error('roll back');
        })
        .catch((error: unknown) => (error as Error).message);
      expect(aborted).to.equal('roll back');
      expect(await Thing.countDocuments()).to.equal(0);
      expect(await room.audit.count({ action: 'user.update' })).to.equal(1);
    });

    it('stores nothing with audit: false, and checks all the same', async () => {
      const room = open(false);
      const app = withErrors(createShop(express, room));
      expect((await request(app).post('/api/auth/login').send({ password: 'right' })).status).to.equal(200);
      expect(await room.audit.record({ action: 'user.update' })).to.include({ action: 'user.update' });
      const wrong = await room.audit.record({ action: '' }).catch((error: unknown) => (error as { code: string }).code);
      expect(wrong).to.equal('ERR_STRONGROOM_OPTIONS_INVALID');
      expect(await room.audit.find()).to.deep.equal({ events: [], next: null });
      expect(await room.ready()).to.deep.include({ audit: false });
      expect(() => room.audit.model).to.throw(/audit is false/);
    });
  });

  describe('headers', () => {
    const cases: [string, StrongroomOptions['helmet'], string[], string[]][] = [
      [
        'by default those that cannot break a page',
        undefined,
        ['x-content-type-options', 'x-frame-options', 'referrer-policy'],
        [
          'content-security-policy',
          'strict-transport-security',
          'cross-origin-opener-policy',
          'cross-origin-resource-policy',
          'x-powered-by',
        ],
      ],
      [
        "helmet's own with true",
        true,
        ['content-security-policy', 'strict-transport-security', 'x-content-type-options'],
        ['x-powered-by'],
      ],
      ['none with false', false, ['x-powered-by'], ['x-content-type-options', 'content-security-policy']],
      [
        "helmet's by its options",
        { contentSecurityPolicy: false, xFrameOptions: { action: 'deny' } },
        ['x-frame-options', 'strict-transport-security'],
        ['content-security-policy'],
      ],
    ];
    for (const [name, helmet, there, absent] of cases) {
      it(`sends ${name}`, async () => {
        const app = express();
        app.use(open(false, { helmet }));
        app.get('/', (_req, res) => void res.send('ok'));
        const { headers } = await request(app).get('/');
        expect(headers).to.include.keys(...there);
        for (const header of absent) expect(headers).to.not.have.property(header);
      });
    }
  });

  describe('options', () => {
    const wrong: Record<string, [unknown, RegExp]> = {
      'nothing at all': [undefined, /options must be an object, got undefined/],
      'no audit': [{}, /audit is missing/],
      'audit: true': [{ audit: true }, /audit must be an object or false/],
      'no way to the database': [{ audit: {} }, /audit needs exactly one of connection and uri, neither/],
      'two ways': [
        { audit: { uri: 'mongodb://x/y', connection: mongoose.createConnection() } },
        /exactly one of connection and uri, both/,
      ],
      'a connection that is none': [{ audit: { connection: {} } }, /audit\.connection must be a mongoose connection/],
      'a URI of another kind': [
        { audit: { uri: 'postgres://root:hunter2@db' } },
        /audit\.uri must be a mongodb:\/\/ URI/,
      ],
      'a mistyped option': [{ audit: false, secret: {} }, /option "secret" is unknown; did you mean "secrets"\?/],
      'a mistyped audit option': [
        { audit: { uri: 'mongodb://x/y', colection: 'a' } },
        /audit: option "colection" is unknown; did you mean "collection"\?/,
      ],
      'a mistyped secrets option': [
        { audit: false, secrets: { tll: 1 } },
        /secrets: option "tll" is unknown; did you mean "ttl"\?/,
      ],
      'a system collection': [
        { audit: { uri: 'mongodb://x/y', collection: 'system.users' } },
        /audit\.collection must be a collection name/,
      ],
      'a duration without a unit': [
        { audit: { uri: 'mongodb://x/y', timeout: '30' } },
        /audit\.timeout must be a duration/,
      ],
      'a bound that is no number': [
        { audit: { uri: 'mongodb://x/y', maxPendingBytes: '64MB' } },
        /audit\.maxPendingBytes must be a whole number from \d+ to \d+, got a string/,
      ],
      'a wrong environment': [{ audit: false, environment: 'prod' }, /environment/],
      'a wrong helmet': [{ audit: false, helmet: 'on' }, /helmet must be true, false or helmet's options/],
      'an unknown event': [
        { audit: false, hooks: { events: { 'audit:record': () => undefined } } },
        /did you mean "audit:recorded"\?/,
      ],
      'a filter that is no function': [{ audit: false, hooks: { filters: { 'audit:draft': 1 } } }, /needs a function/],
      'a rule without an action': [
        { audit: { uri: 'mongodb://x/y', rules: [{ method: 'POST', path: '/x' }] } },
        /audit\.rules\[0\]\.action/,
      ],
      'a limit that is no object': [
        { audit: { uri: 'mongodb://x/y', failureLimit: 1000 } },
        /audit\.failureLimit must be an object or false, got a number/,
      ],
      'a mistyped limit': [
        { audit: { uri: 'mongodb://x/y', failureLimit: { burst: 1, perSeconds: 1 } } },
        /audit\.failureLimit: option "perSeconds" is unknown; did you mean "perSecond"\?/,
      ],
      'a limit that is no whole number, and shows it': [
        { audit: { uri: 'mongodb://x/y', failureLimit: { burst: 1.5 } } },
        /audit\.failureLimit\.burst must be a whole number from 0 to 1000000, got 1\.5/,
      ],
    };
    for (const [name, [options, message]] of Object.entries(wrong)) {
      it(`refuses ${name} at construction, by its path`, () => {
        let error: (Error & { code?: string }) | undefined;
        try {
          strongroom(options as StrongroomOptions);
        } catch (thrown) {
          error = thrown as Error;
        }
        expect(error?.message ?? '').to.match(message);
        expect(error?.code).to.equal('ERR_STRONGROOM_OPTIONS_INVALID');
        expect(error?.message).to.not.include('hunter2');
      });
    }
  });

  it('shows no value in any dump of the room, the app or a request', async () => {
    const room = open({ connection: await connect() });
    await room.secrets.get('API_KEY');
    const app = express();
    app.use(room);
    let dump = '';
    app.get('/', async (req, res) => {
      await req.secrets.get('API_KEY');
      dump = [room, app, req, res, { ...req }, req.secrets, room.secrets, await req.secrets.sealed('API_KEY')]
        .map(
          (value) =>
            inspect(value, { showHidden: true, depth: Infinity, customInspect: false }) + inspect(value, { depth: 20 }),
        )
        .join();
      res.end();
    });
    await request(app).get('/');
    expect(dump.length).to.be.greaterThan(1000);
    expect(dump).to.not.include(SECRET);
    expect(Object.keys(room)).to.deep.equal([]);
  });
});

/** Strict actions of a whole room on a real mongod: killed, frozen, full, closed, refused; rules, records, passport and the data layer. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import express, { type Express, type Request } from 'express';
import mongoose, { type Connection } from 'mongoose';
import passportModule from 'passport';
// @ts-expect-error -- has no types
import LocalStrategy from 'passport-local';
import {
  type AuditOptions,
  memoryProvider,
  strongroom,
  type Strongroom,
  type StrongroomOptions,
} from '../src/index.js';
import { closeAll, listen, openRaw, sendRaw, until } from './http/app.js';
import type { Passport } from './http/passport-app.js';
import { KillableMongod } from './killable-mongod.js';

const load = createRequire(import.meta.url);
const EXPRESSES: [string, typeof express][] = [
  ['Express 5', express],
  ['Express 4', load('express4') as typeof express],
];

const MARK = 'the-word-of-the-handler';

describe('Strict actions', () => {
  let server: KillableMongod;
  let connection: Connection;
  let database = 0;
  let users: Connection | undefined;
  const rooms: Strongroom[] = [];

  before(async () => {
    server = await KillableMongod.create();
    await server.start();
  });
  after(() => server.dispose());
  beforeEach(async () => {
    server.thaw();
    database += 1;
    connection = await mongoose
      .createConnection(server.uri.replace('/audit', `/strict_${database}`), { serverSelectionTimeoutMS: 500 })
      .asPromise();
  });
  afterEach(async () => {
    server.thaw();
    await closeAll();
    for (const room of rooms.splice(0)) await room.close({ timeout: '2s' });
    await connection.close();
    await users?.close();
    users = undefined;
  });

  function open(audit: Partial<AuditOptions> = {}, more: Partial<StrongroomOptions> = {}): Strongroom {
    const room = strongroom({
      audit: { connection, evidence: false, ...audit },
      secrets: { provider: memoryProvider() },
      environment: 'test',
      ...more,
    });
    rooms.push(room);
    return room;
  }

  const post = (path: string, extra = ''): string =>
    `POST ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n${extra}\r\n`;
  const statusOf = (answer: string): number => Number(answer.slice(9, 12));
  const told = async (room: Strongroom) =>
    (await room.audit.find()).events.map((event) => [event.action, event.status, event.http?.status ?? null]);

  function expectRefusal(answer: string): void {
    expect(statusOf(answer)).to.equal(503);
    expect(answer).to.include('"code":"ERR_STRONGROOM_AUDIT_UNAVAILABLE"').and.to.not.include(MARK);
  }

  it('are stored although the when of their rule fails, which is told as a failed hook', async () => {
    const failed: string[] = [];
    const when = (req: Request) => (req.body as { kind: string }).kind === 'real';
    const rules = [{ method: 'POST', path: '/act', action: 'order.refund', when }];
    const events = {
      'hook:failed': ({ hook, error }: { hook: string; error: Error }) => failed.push(hook, error.name),
    };
    const room = open({ rules, strict: ['order.refund'] }, { hooks: { events: events as never } });
    const app = express().use(room);
    app.post('/act', (_req, res) => res.status(201).send(MARK));
    expect(await sendRaw(await listen(app), post('/act'))).to.include(MARK);
    expect(await told(room)).to.deep.equal([['order.refund', 'success', 201]]);
    expect(failed).to.deep.equal(['rule.when', 'TypeError']);
  });

  for (const [name, create] of EXPRESSES) {
    it(`wait for the server on ${name}, and are stored when their answer leaves`, async () => {
      const room = open({ strict: ['auth.login'] });
      const app = create().use(room);
      app.post('/login', (req, res) => {
        req.audit.outcome({ actor: { id: 'alice' } });
        res.cookie('sid', MARK).json({ token: MARK });
      });
      const port = await listen(app);
      expect(await sendRaw(port, post('/login'))).to.include(MARK);
      // Without flush(): it is there.
      expect(await told(room)).to.deep.equal([['auth.login', 'success', 200]]);
      server.freeze();
      const client = openRaw(port, post('/login'));
      await until(() => room.audit.stats().pending === 1);
      expect(client.received()).to.equal('');
      server.thaw();
      expect(await client.closed).to.include(MARK);
      expect(await told(room)).to.have.length(2);
    });

    it(`are refused on ${name} when the server is dead, and told later as the handler decided`, async () => {
      const room = open({ strict: ['auth.login'], timeout: 200 });
      const app = create().use(room);
      app.post('/login', (req, res) => {
        const isRight = req.query['right'] === 'yes';
        if (isRight) req.audit.outcome({ actor: { id: 'alice' } });
        res.status(isRight ? 201 : 401).json({ token: MARK });
      });
      app.post('/other', (_req, res) => res.send(MARK));
      const port = await listen(app);
      await room.ready();
      await server.kill();
      try {
        const answers = await Promise.all([post('/login?right=yes'), post('/login')].map((one) => sendRaw(port, one)));
        for (const answer of answers) expectRefusal(answer);
        expect(await sendRaw(port, post('/other'))).to.include(MARK);
      } finally {
        await server.start();
      }
      await until(() => room.audit.stats().pending === 0);
      expect(await told(room)).to.have.deep.members([
        ['auth.login', 'success', 201],
        ['auth.login', 'failure', 401],
      ]);
    });
  }

  it('are answered from the spool while the server is dead', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'strongroom-strict-'));
    const room = open({ strict: ['user.create'], spool: { directory } });
    const app = express().use(room);
    app.post('/users', (_req, res) => res.send(MARK));
    const port = await listen(app);
    await room.ready();
    await server.kill();
    try {
      expect(await sendRaw(port, post('/users'))).to.include(MARK);
    } finally {
      await server.start();
    }
    await until(() => room.audit.stats().pending === 0);
    expect(await told(room)).to.deep.equal([['user.create', 'success', 200]]);
    await room.close();
    await rm(directory, { recursive: true });
  });

  it('are refused at once when the memory is full, and after close()', async () => {
    const room = open({ strict: ['user.create'], maxPendingBytes: 65_536, timeout: '1m' });
    const app = express().use(room);
    app.post('/users', (_req, res) => res.send(MARK));
    const port = await listen(app);
    await room.ready();
    server.freeze();
    const fill = { action: 'user.update', meta: { text: 'x '.repeat(6_000) } };
    for (let index = 0; index < 20; index += 1) void room.audit.record(fill);
    for (let index = 0; index < 100; index += 1) void room.audit.record({ action: 'user.update' });
    expectRefusal(await sendRaw(port, post('/users')));
    server.thaw();
    await room.close();
    expectRefusal(await sendRaw(port, post('/users')));
  });

  it('are answered by close() when the server does not come back', async () => {
    const room = open({ strict: ['user.create'] });
    const app = express().use(room);
    app.post('/users', (_req, res) => res.send(MARK));
    const port = await listen(app);
    await room.ready();
    server.freeze();
    const client = openRaw(port, post('/users'));
    await until(() => room.audit.stats().pending === 1);
    await room.close({ timeout: 50 });
    expectRefusal(await client.closed);
  });

  it('are recorded although a filter refuses them, in requests and outside, which is told', async () => {
    const failed: string[] = [];
    const room = open(
      { strict: ['user.create'] },
      {
        hooks: {
          filters: { 'audit:draft': (draft) => (draft.action === 'user.create' ? null : { ...draft, reason: 'seen' }) },
          events: { 'hook:failed': ({ hook, error }) => void failed.push(`${hook}: ${error.message}`) },
        },
      },
    );
    const app = express().use(room);
    app.post('/users', (req, res) => {
      req.audit.skip();
      res.send(MARK);
    });
    expect(await sendRaw(await listen(app), post('/users'))).to.include(MARK);
    await room.audit.record({ action: 'user.create' });
    expect(await told(room)).to.have.length(2);
    expect(failed).to.deep.equal(
      Array(2).fill('audit:draft: user.create is strict: it is recorded although the filter refused it'),
    );
    expect(room.audit.stats().refused).to.equal(0);
  });

  it('are those that a service records in a request, and drafts that are refused', async () => {
    const room = open({ strict: ['order.refund'], actions: ['order.refund'] });
    const refund = async (draft: object): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      void room.audit.record({ action: 'order.refund', ...draft });
    };
    const app = express().use(room);
    app.post('/rpc', async (req, res) => {
      await refund(req.query['wrong'] === 'yes' ? { wrong: 1 } : {});
      res.send(MARK);
    });
    const port = await listen(app);
    expect(await sendRaw(port, post('/rpc'))).to.include(MARK);
    expect(await told(room)).to.have.length(1);
    expectRefusal(await sendRaw(port, post('/rpc?wrong=yes')));
  });

  it('are secrets that are rotated in a request', async () => {
    const room = open({ strict: ['secret.rotate'], timeout: 1000 });
    const app = express().use(room);
    app.post('/rotate', async (_req, res) => {
      await room.secrets.set('KEY', 'a-value-of-some-length');
      res.send(MARK);
    });
    const port = await listen(app);
    expect(await sendRaw(port, post('/rotate'))).to.include(MARK);
    expect(await told(room)).to.deep.equal([['secret.rotate', 'success', null]]);
    server.freeze();
    expectRefusal(await sendRaw(port, post('/rotate')));
  });

  it('are roles that the data layer sees changing, on any path', async () => {
    const room = open({ strict: ['user.role_change'], timeout: 1000 });
    users = await mongoose.createConnection(server.uri.replace('/audit', `/users_${database}`)).asPromise();
    const schema = new mongoose.Schema({ role: String });
    schema.plugin(room.roleChanges());
    const User = users.model('User', schema);
    const user = await User.create({ role: 'user' });
    const app: Express = express().use(room);
    let afterwards = (): void => undefined;
    app.post('/promote', async (req: Request, res) => {
      await User.updateOne({ _id: user._id }, { role: String(req.query['role']) });
      afterwards();
      res.send(MARK);
    });
    const port = await listen(app);
    expect(await sendRaw(port, post('/promote?role=admin'))).to.include(MARK);
    expect(await told(room)).to.deep.equal([['user.role_change', 'success', 200]]);
    expect(await sendRaw(port, post('/promote?role=admin'))).to.include(MARK);
    expect(await told(room)).to.have.length(1);
    afterwards = () => server.freeze();
    expectRefusal(await sendRaw(port, post('/promote?role=user')));
  });

  it('are logins that passport sees, wherever they are made', async () => {
    const passport: Passport = new (passportModule as Passport).Passport();
    type Done = (error: null, user: object | false) => void;
    const check = (_name: string, given: string, done: Done): void =>
      done(null, given === 'right' ? { id: 'alice' } : false);
    passport.use(new LocalStrategy.Strategy(check) as never);
    passport.serializeUser((user: { id: string }, done: (error: null, id: string) => void) => done(null, user.id));
    const room = open({ strict: ['auth.login'], timeout: 1000, passport });
    const session = load('express-session') as (options: object) => express.RequestHandler;
    const app = express().use(room);
    app.use(session({ secret: 's', resave: false, saveUninitialized: false }), passport.initialize() as never);
    app.post(
      '/enter',
      passport.authenticate('local', { successRedirect: `/${MARK}`, failureRedirect: '/again' }) as never,
    );
    const port = await listen(app);
    const answer = await sendRaw(port, post('/enter?username=a&password=right'));
    expect(answer)
      .to.match(/set-cookie: connect\.sid/i)
      .and.to.include(MARK);
    expect(await told(room)).to.deep.equal([['auth.login', 'success', 302]]);
    server.freeze();
    const refused = await sendRaw(port, post('/enter?username=a&password=right'));
    expectRefusal(refused);
    expect(refused).not.to.match(/set-cookie/i);
    expectRefusal(await sendRaw(port, post('/enter?username=a&password=wrong')));
  });

  it('are named rightly, or the room is not made', () => {
    expect(() => open({ strict: ['auth.logni'] })).to.throw(/audit\.strict\[0\].*did you mean "auth\.login"\?/);
    expect(() => open({ strict: 'auth.login' as never })).to.throw(
      /audit\.strict must be true, false or an array of names of actions, got a string/,
    );
    expect(() => open({ strict: [''] })).to.throw(/audit\.strict\[0\]/);
    open({ strict: [] });
    open({ strict: undefined });
  });
});

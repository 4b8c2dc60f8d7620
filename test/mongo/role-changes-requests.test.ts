/** Role changes in requests and jobs: in whose name they are told, and that one act gives one event. */
import { expect } from 'chai';
import express, { type NextFunction, type Request, type Response } from 'express';
import type { MongoMemoryReplSet } from 'mongodb-memory-server';
import request from 'supertest';
import type { AuditEvent } from '../../src/index.js';
import { closeAll, gate, hangUp, listen, until } from '../http/app.js';
import { startReplicaSet } from '../mongod.js';
import { type Stage, stageOf } from './role-changes-cases.js';
import { createWorld, type Untyped, VERSIONS, type World } from './role-changes-world.js';

type Handler = (req: Request & { user?: unknown }, res: Response, stage: Stage & World) => unknown;

const ADMIN = 'boss:admin';

/** Who, from, to, by whom, seen by what. */
function brief({ meta, actorId, actorRole, source, status }: AuditEvent): unknown[] {
  return [meta['oldRole'], meta['newRole'], actorId, actorRole, source, status];
}

const BY_BOSS = ['user', 'admin', 'boss', 'ADMIN', 'mongoose', 'success'];

describe('roleChanges() in requests', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryReplSet;
  before(async () => {
    server = await startReplicaSet();
  });
  after(() => server.stop());
  afterEach(closeAll);

  for (const [version, base] of VERSIONS) {
    describe(`on ${version}`, () => {
      let world: World;
      let stage: Stage & World;
      before(async () => {
        world = await createWorld(base, { uri: server.getUri(`requests_${base.version[0]}`) });
        stage = { ...world, ...stageOf(base, world.User) };
      });
      after(() => world.close());
      beforeEach(() => world.reset());

      function serve(handler: Handler): express.Express {
        const app = express();
        app.use(world.room, express.json(), authenticate);
        for (const path of ['/users/:id/role', '/other/:id']) {
          app.all(path, async (req, res) => {
            await handler(req, res, stage);
          });
        }
        // oxlint-disable-next-line max-params -- Express knows an error handler by its four parameters.
        app.use((_error: Error, _req: Request, res: Response, _next: NextFunction) => void res.status(500).end());
        return app;
      }

      async function put(handler: Handler, { as = ADMIN, path = '/users/ann/role' } = {}): Promise<AuditEvent[]> {
        await request(serve(handler)).put(path).set('x-user', as).send({ role: 'asked' });
        return world.events();
      }

      const promote = (s: Stage): PromiseLike<unknown> => s.User.updateOne({ _id: s.ann }, { role: 'admin' });

      it('a change by a role route is one event, from the data layer, in the name of the admin', async () => {
        const events = await put(async (_req, res, s) => {
          await promote(s);
          res.json({});
        });
        expect(events.map(brief)).to.deep.equal([BY_BOSS]);
        expect(events[0]).to.deep.include({ targetId: String(stage.ann), target: 'user', action: 'user.role_change' });
        expect(events[0]?.http).to.deep.equal({ method: 'PUT', route: '/users/:id/role', status: 200 });
        expect(events[0]?.ipAddress).to.equal('127.0.0.1');
      });

      it('a change by any other route is the same', async () => {
        const events = await put(async (_req, res, s) => void (await promote(s), res.json({})), { path: '/other/1' });
        expect(events.map(brief)).to.deep.equal([BY_BOSS]);
        expect(events[0]?.http).to.deep.equal({ method: 'PUT', route: '/other/:id', status: 200 });
      });

      const nothing: [name: string, handler: Handler][] = [
        [
          'the role was the same',
          async (_q, res, s) => void (await s.User.updateOne({ _id: s.ann }, { role: 'user' }), res.end()),
        ],
        [
          'nobody matched',
          async (_q, res, s) => void (await s.User.updateOne({ name: 'zoe' }, { role: 'x' }), res.end()),
        ],
        ['nothing was written', (_q, res) => void res.end()],
        ['the answer was a redirect', (_q, res) => res.redirect('/users')],
        [
          'its transaction was aborted',
          async (_q, res, s) => {
            const refused = s.connection.transaction(async (session: Untyped) => {
              await s.User.updateOne({ _id: s.ann }, { role: 'admin' }, { session });
              throw new Error('no');
            });
            await refused.catch(() => undefined);
            res.end();
          },
        ],
        ['the app skipped it', async (req, res, s) => void (await promote(s), req.audit.skip(), res.end())],
      ];
      for (const [name, handler] of nothing) {
        it(`a role route tells nothing when ${name}`, async () => {
          expect((await put(handler)).map(brief)).to.deep.equal([]);
        });
      }

      it('a role route that was forbidden is one failure, from the route', async () => {
        const events = await put((_req, res) => void res.status(403).end(), { as: 'eve:customer' });
        expect(events.map(brief)).to.deep.equal([[null, 'asked', 'eve', 'CUSTOMER', 'route', 'failure']]);
        expect(events[0]?.reason).to.equal('forbidden');
      });

      it('what the app says of the act is believed, also when no change was seen', async () => {
        const events = await put((req, res) => {
          req.audit.outcome({ status: 'success', meta: { oldRole: 'a', newRole: 'b' } });
          res.end();
        });
        expect(events.map(brief)).to.deep.equal([['a', 'b', 'boss', 'ADMIN', 'route', 'success']]);
      });

      it('a change that the app records itself is told once, as the app told it', async () => {
        const events = await put(async (req, res, s) => {
          await promote(s);
          await req.audit.recordRoleChange({ userId: String(s.ann), oldRole: 'user', newRole: 'admin' });
          res.end();
        });
        expect(events.map(({ source }) => source)).to.deep.equal(['api']);
      });

      it('an error after the change does not undo it', async () => {
        const events = await put(async (_req, _res, s) => {
          await promote(s);
          throw new Error('after');
        });
        expect(events.map(brief)).to.deep.equal([BY_BOSS]);
        expect(events[0]?.http?.status).to.equal(500);
      });

      it('two users in one request are two events, two changes of one user too', async () => {
        const events = await put(async (_req, res, s) => {
          await s.User.updateOne({ _id: s.ann }, { role: 'x' });
          await s.User.updateOne({ _id: s.bob }, { role: 'y' });
          await s.User.updateOne({ _id: s.ann }, { role: 'z' });
          res.end();
        });
        expect(events.map((event) => brief(event).slice(0, 3))).to.deep.equal([
          ['user', 'x', 'boss'],
          ['user', 'y', 'boss'],
          ['x', 'z', 'boss'],
        ]);
      });

      for (const path of ['/users/me/role', '/other/me']) {
        it(`who promotes themselves by ${path} did it with the role from before`, async () => {
          const app = express();
          app.use(world.room);
          app.use(async (req: Request & { user?: unknown }, _res, next) => {
            req.user = await stage.User.findById(stage.ann);
            next();
          });
          app.put(path, async (req: Request & { user?: Untyped }, res) => {
            req.user.role = 'admin';
            await req.user.save();
            res.end();
          });
          await request(app).put(path);
          const events = await world.events();
          expect(events.map(brief)).to.deep.equal([
            ['user', 'admin', String(stage.ann), 'USER', 'mongoose', 'success'],
          ]);
        });
      }

      it('runAs beats who is in the request, also a job that is nobody', async () => {
        const events = await put(async (_req, res, s) => {
          const { runAs } = s.room.audit;
          await runAs({ id: 'job', role: 'worker' }, () => promote(s));
          await runAs({ id: null, role: 'cron' }, () => s.User.updateOne({ _id: s.bob }, { role: 'x' }));
          await s.User.updateOne({ _id: s.cyd }, { role: 'y' });
          res.end();
        });
        expect(events.map((event) => brief(event).slice(2, 4))).to.deep.equal([
          ['job', 'WORKER'],
          [null, 'CRON'],
          ['boss', 'ADMIN'],
        ]);
        expect(events.map(({ http }) => http?.status)).to.deep.equal([200, 200, 200]);
      });

      it('a change that a handler completes after the client has gone keeps its exact meta', async () => {
        const working = gate();
        let isDone = false;
        const { room } = world;
        const port = await listen(
          serve(async (req, _res, s) => {
            working.open();
            await new Promise((resolve) => req.once('close', resolve));
            await promote(s);
            isDone = true;
          }),
        );
        await hangUp(port, `PUT /users/ann/role HTTP/1.1\r\nHost: h\r\nx-user: ${ADMIN}\r\n\r\n`, working.passed);
        await until(() => isDone);
        expect(await world.told(), 'held for a handler that does more').to.deep.equal([]);
        await room.close();
        const [event] = await world.raw('trail').find({ 'meta.newRole': 'admin' }).sort({ at: -1 }).limit(1).toArray();
        expect(brief(event)).to.deep.equal(BY_BOSS);
        expect(event.meta).to.deep.equal({ oldRole: 'user', newRole: 'admin' });
        expect(event.http.status).to.equal(null);
        await world.close();
        world = await createWorld(base, { uri: server.getUri(`requests_${base.version[0]}`) });
        stage = { ...world, ...stageOf(base, world.User) };
      });

      it('a change after the answer is told in the name of the request', async () => {
        const answered = gate();
        let change: Promise<unknown> | undefined;
        const app = serve((_req, res, s) => {
          change = answered.passed.then(() => promote(s));
          res.end();
        });
        await request(app).put('/users/ann/role').set('x-user', ADMIN);
        expect(await world.told()).to.deep.equal([]);
        answered.open();
        await change;
        const events = await world.events();
        expect(events.map(brief)).to.deep.equal([BY_BOSS]);
        expect(events[0]?.http?.status).to.equal(200);
      });

      it('a migration in a request tells every user once, and the route not at all', async () => {
        const count = 1500;
        await world
          .raw('users')
          .insertMany(Array.from({ length: count }, (_, n) => ({ name: 'many', email: `${n}@many`, role: 'user' })));
        const events = await put(async (_req, res, s) => {
          await s.User.updateMany({ name: 'many' }, { role: 'admin' });
          res.end();
        });
        expect(events).to.have.length(count);
        for (const event of events) expect(brief(event)).to.deep.equal(BY_BOSS);
      });

      it('requests at the same time keep their own actors', async () => {
        const ids = Array.from({ length: 60 }, () => new base.Types.ObjectId());
        await world.raw('users').insertMany(ids.map((_id, n) => ({ _id, email: `${n}@many`, role: 'user' })));
        const port = await listen(
          serve(async (req, res, s) => {
            await s.User.updateOne({ _id: req.params['id'] }, { role: 'admin' });
            res.end();
          }),
        );
        const send = (id: Untyped, n: number): Promise<unknown> =>
          fetch(`http://127.0.0.1:${port}/users/${id}/role`, { method: 'PUT', headers: { 'x-user': `u${n}:admin` } });
        await Promise.all(ids.map(send));
        const told = (await world.events()).map(({ targetId, actorId }) => [targetId, actorId]);
        expect(told).to.have.deep.members(ids.map((id, n) => [String(id), `u${n}`]));
      });
    });
  }
});

function authenticate(req: Request & { user?: unknown }, _res: Response, next: NextFunction): void {
  const [id, role] = (req.get('x-user') ?? '').split(':');
  if (id) req.user = { id, role };
  next();
}

describe('roleChanges() in jobs', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryReplSet;
  let world: World;
  before(async () => {
    server = await startReplicaSet();
    world = await createWorld(VERSIONS[0]?.[1], { uri: server.getUri('jobs') });
    await world.reset();
  });
  after(async () => {
    await world.close();
    await server.stop();
  });

  it('are told in the name of the innermost runAs, across awaits, timers and queues, else of the system', async () => {
    const { runAs } = world.room.audit;
    let turn = 0;
    const change = (): PromiseLike<unknown> => world.User.updateOne({ name: 'ann' }, { role: `r${(turn += 1)}` });
    await change();
    await runAs({ id: 'outer', role: 'job' }, async () => {
      await change();
      await runAs({ id: 'inner' }, async () => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        await change();
        for (const queue of [setImmediate, queueMicrotask, process.nextTick]) {
          await new Promise<void>((resolve) => queue(() => void change().then(() => resolve())));
        }
      });
      try {
        runAs({ id: 'thrower' }, () => {
          throw new Error('no');
        });
      } catch {
        await change();
      }
    });
    await change();
    const told = (await world.events()).map(({ actorId, actorRole, source, http }) => [
      actorId,
      actorRole,
      source,
      http,
    ]);
    expect(told).to.deep.equal([
      [null, 'SYSTEM', 'mongoose', null],
      ['outer', 'JOB', 'mongoose', null],
      ...Array<unknown>(4).fill(['inner', 'USER', 'mongoose', null]),
      ['outer', 'JOB', 'mongoose', null],
      [null, 'SYSTEM', 'mongoose', null],
    ]);
  });
});

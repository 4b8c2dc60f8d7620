/** What is recorded by itself, over real HTTP, on both majors of Express. */
import { expect } from 'chai';
import type { Express, NextFunction, Request, Response } from 'express';
import request from 'supertest';
import type { AuditDraft } from '../../src/event.js';
import {
  answerError,
  closeAll,
  createRoom,
  EXPRESSES,
  type ExpressModule,
  listen,
  rawRequest,
  type RoomOptions,
  sendRaw,
  type TestRoom,
} from './app.js';

/** What the tests put on a request. */
type AppRequest = Request & { user?: unknown; auth?: unknown; session?: Record<string, unknown> | undefined };

interface World {
  readonly app: Express;
  readonly room: TestRoom;
}

function createWorld(express: ExpressModule, options?: RoomOptions): World {
  const room = createRoom(options);
  const app = express();
  app.set('env', 'test');
  app.use(room.middleware);
  app.use(express.json());
  return { app, room };
}

/** One request, and the one event that it must have left. */
async function only(room: TestRoom, sent: PromiseLike<unknown>): Promise<AuditDraft> {
  await sent;
  const drafts = await room.drafts();
  expect(drafts).to.have.length(1);
  return drafts[0] as AuditDraft;
}

/** A user that a guard or a session finds before the act. */
function signedIn(user: unknown) {
  return (req: Request, _res: Response, next: NextFunction): void => {
    (req as AppRequest).user = user;
    next();
  };
}

const ALICE = { id: 'alice', role: 'editor' };

for (const [name, express] of EXPRESSES) {
  describe(`Auto-logging on ${name}`, () => {
    afterEach(closeAll);

    describe('of a login', () => {
      it('names the user that came', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', (req, res) => {
          (req as AppRequest).user = ALICE;
          res.json({});
        });
        expect(await only(room, request(app).post('/login'))).to.deep.include({
          action: 'auth.login',
          target: 'user',
          targetId: 'alice',
          status: 'success',
          reason: null,
          actorId: 'alice',
          actorRole: 'EDITOR',
          meta: {},
        });
      });

      it('names nobody when it failed, not even who was there', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.post('/login', (_req, res) => void res.status(401).json({}));
        expect(await only(room, request(app).post('/login').send({ email: 'x@y.z' }))).to.deep.include({
          status: 'failure',
          reason: 'invalid_credentials',
          actorId: null,
          actorRole: 'USER',
          targetId: null,
          meta: {},
        });
      });

      it('takes the word of outcome() for a token login, and the id in any form', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', (req, res) => {
          req.audit.outcome({ actor: { id: 7, role: 'admin' } as never });
          res.json({ token: 't' });
        });
        expect(await only(room, request(app).post('/login'))).to.include({
          actorId: '7',
          actorRole: 'ADMIN',
          targetId: '7',
        });
      });

      it('does not take the holder of an old token for the one who logged in, and warns what to write', async () => {
        const { app, room } = createWorld(express);
        const warnings: Error[] = [];
        const listener = (warning: Error) => void warnings.push(warning);
        process.on('warning', listener);
        app.use(signedIn(ALICE));
        app.post(`/${name.replace(' ', '')}/login`, (_req, res) => void res.json({ token: 't' }));
        expect(await only(room, request(app).post(`/${name.replace(' ', '')}/login`))).to.include({
          status: 'success',
          actorId: null,
        });
        await request(app).post(`/${name.replace(' ', '')}/login`);
        await room.settle();
        await new Promise(setImmediate);
        process.off('warning', listener);
        expect(warnings.map(({ message }) => message)).to.have.length(1);
        expect(warnings[0]?.message).to.include('req.audit.outcome({ actor })');
      });

      it('that redirects is a success when a user appeared, a failure when none did', async () => {
        const { app, room } = createWorld(express);
        app.use((req, _res, next) => {
          (req as AppRequest).session = {};
          next();
        });
        app.post('/login', (req, res) => {
          if (req.body.ok === true) (req as AppRequest).session = { user: ALICE };
          res.redirect('/');
        });
        await request(app).post('/login').send({ ok: true });
        await request(app).post('/login').send({ ok: false });
        const told = (await room.drafts()).map(({ status, reason, actorId }) => [status, reason, actorId]);
        expect(told).to.deep.equal([
          ['success', 'redirected', 'alice'],
          ['failure', 'redirected', null],
        ]);
      });

      it('of somebody who is signed in already names the one who comes', async () => {
        const { app, room } = createWorld(express);
        app.use((req, _res, next) => {
          (req as AppRequest).session = { user: ALICE };
          next();
        });
        app.post('/login', (req, res) => {
          (req as AppRequest).session = { user: { ...ALICE } };
          res.redirect('/');
        });
        expect(await only(room, request(app).post('/login'))).to.include({ status: 'success', actorId: 'alice' });
      });
    });

    describe('of a logout', () => {
      it('names who was there before', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.post('/logout', (req, res) => {
          (req as AppRequest).user = null;
          res.status(204).end();
        });
        expect(await only(room, request(app).post('/logout'))).to.include({
          action: 'auth.logout',
          status: 'success',
          actorId: 'alice',
          actorRole: 'EDITOR',
          targetId: 'alice',
        });
      });

      it('of nobody is a failure', async () => {
        const { app, room } = createWorld(express);
        app.post('/logout', (_req, res) => void res.status(204).end());
        expect(await only(room, request(app).post('/logout'))).to.include({
          status: 'failure',
          reason: 'unauthenticated',
          actorId: null,
        });
      });

      it('that redirects is a success when the user or the session is gone, else a failure', async () => {
        const { app, room } = createWorld(express);
        app.use((req, _res, next) => {
          Object.assign(req, { user: ALICE, session: {} });
          next();
        });
        app.post('/logout', (req, res) => {
          if (req.body.how === 'user') delete (req as AppRequest).user;
          if (req.body.how === 'session') (req as AppRequest).session = undefined;
          res.redirect('/');
        });
        for (const how of ['user', 'session', 'neither']) await request(app).post('/logout').send({ how });
        const told = (await room.drafts()).map(({ status, actorId }) => [status, actorId]);
        expect(told).to.deep.equal([
          ['success', 'alice'],
          ['success', 'alice'],
          ['failure', 'alice'],
        ]);
      });

      it('by GET counts only when the user really went, whatever the status', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.get('/logout', (req, res) => {
          if (req.query['really'] === '1') (req as AppRequest).user = null;
          res.status(Number(req.query['status'])).end();
        });
        for (const query of ['status=200', 'status=302', 'status=403', 'status=500'])
          await request(app).get(`/logout?${query}`);
        await request(app).head('/logout?status=200');
        expect(await room.drafts()).to.deep.equal([]);
        await request(app).get('/logout?status=302&really=1');
        await request(app).head('/logout?status=200&really=1');
        expect((await room.drafts()).map(({ status, actorId }) => [status, actorId])).to.deep.equal([
          ['success', 'alice'],
          ['success', 'alice'],
        ]);
      });

      it('does not take the id of a session for a target', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.delete('/sessions/:id', (_req, res) => void res.status(204).end());
        expect(await only(room, request(app).delete('/sessions/s3cr3t'))).to.include({ targetId: 'alice' });
      });
    });

    describe('of a registration', () => {
      it('keeps the domain and no address', async () => {
        const { app, room } = createWorld(express);
        app.post('/register', (req, res) => {
          req.audit.outcome({ actor: { id: 'new', role: 'owner' } });
          res.status(201).json({});
        });
        const draft = await only(room, request(app).post('/register').send({ email: ' New@Example.COM ' }));
        expect(draft).to.deep.include({
          actorId: 'new',
          actorRole: 'USER',
          targetId: 'new',
          meta: { emailDomain: 'example.com' },
        });
      });

      it('that failed names nobody', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.post('/auth/register', (_req, res) => void res.status(409).json({}));
        expect(await only(room, request(app).post('/auth/register').send({ email: 5 }))).to.deep.include({
          status: 'failure',
          reason: 'conflict',
          actorId: null,
          actorRole: 'USER',
          targetId: null,
          meta: { emailDomain: 'unknown' },
        });
      });
    });

    describe('of a change of rights', () => {
      it('names the changer with the role before, though the guard stands in the route', async () => {
        const { app, room } = createWorld(express);
        const user = { id: 'alice', role: 'user' };
        app.patch('/api/users/:id/role', signedIn(user), (_req, res) => {
          user.role = 'admin';
          res.json({});
        });
        const draft = await only(room, request(app).patch('/api/users/alice/role').send({ role: 'admin' }));
        expect(draft).to.deep.include({
          action: 'user.role_change',
          actorId: 'alice',
          actorRole: 'USER',
          targetId: 'alice',
          status: 'success',
          meta: { oldRole: null, newRole: 'admin' },
        });
      });

      it('keeps the role before when the promoted user is assigned anew', async () => {
        const { app, room } = createWorld(express);
        app.put(
          '/users/:id/role',
          signedIn({ id: 'alice', role: 'user' }),
          signedIn({ id: 'alice', role: 'admin' }),
          (_req, res) => void res.json({}),
        );
        expect(await only(room, request(app).put('/users/alice/role'))).to.include({ actorRole: 'USER' });
      });

      it('takes the role from the database where the token named none', async () => {
        const { app, room } = createWorld(express);
        app.put(
          '/users/:id/role',
          signedIn({ sub: 'alice' }),
          signedIn({ id: 'alice', role: 'admin' }),
          (_req, res) => void res.json({}),
        );
        expect(await only(room, request(app).put('/users/bob/role'))).to.include({
          actorId: 'alice',
          actorRole: 'ADMIN',
          targetId: 'bob',
        });
      });

      it('has exactly the two roles in its meta, whatever is said', async () => {
        const { app, room } = createWorld(express);
        app.put('/users/:id/roles', (req, res) => {
          req.audit.outcome({ meta: { oldRole: 'a', more: 1 } });
          res.json({});
        });
        expect(
          await only(
            room,
            request(app)
              .put('/users/b/roles')
              .send({ roles: ['z', 'b'] }),
          ),
        ).to.deep.include({
          meta: { oldRole: 'a', newRole: 'b,z' },
        });
      });

      it('names the actor as the target of a password change without an id', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.post(['/change-password', '/users/:id/password'], (_req, res) => void res.json({}));
        await request(app).post('/change-password');
        await request(app).post('/users/bob/password');
        expect((await room.drafts()).map(({ actorId, targetId }) => [actorId, targetId])).to.deep.equal([
          ['alice', 'alice'],
          ['alice', 'bob'],
        ]);
      });
    });

    describe('of a refusal', () => {
      it('records 403 for a known actor on any path, without a target id', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.get('/reports/:id', (_req, res) => void res.status(403).end());
        expect(await only(room, request(app).get('/reports/7'))).to.include({
          action: 'access.denied',
          target: 'route',
          targetId: null,
          actorId: 'alice',
          status: 'failure',
          reason: 'forbidden',
        });
      });

      it('records nothing for strangers, for other statuses, and for OPTIONS', async () => {
        const { app, room } = createWorld(express);
        app.get('/stranger', (_req, res) => void res.status(403).end());
        app.use(signedIn(ALICE));
        app.get('/other', (_req, res) => void res.status(401).end());
        app.options('/other', (_req, res) => void res.status(403).end());
        for (const sent of [request(app).get('/stranger'), request(app).get('/other'), request(app).options('/other')])
          await sent;
        expect(await room.drafts()).to.deep.equal([]);
      });

      it('leaves to the rule of the path what it matches: one failure', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.delete('/users/:id', (_req, res) => void res.status(403).end());
        expect(await only(room, request(app).delete('/users/7'))).to.include({
          action: 'user.delete',
          reason: 'forbidden',
          targetId: '7',
        });
      });
    });

    describe('of what never reached a handler', () => {
      it('records nothing for a 404 of the router', async () => {
        const { app, room } = createWorld(express);
        await request(app).post('/login').expect(404);
        expect(await room.drafts()).to.deep.equal([]);
      });

      it('records a 404 of a route', async () => {
        const { app, room } = createWorld(express);
        app.delete('/users/:id', (_req, res) => void res.status(404).end());
        expect(await only(room, request(app).delete('/users/7'))).to.include({
          status: 'failure',
          reason: 'not_found',
        });
      });

      it('records what a body parser refuses before routing', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', (_req, res) => void res.json({}));
        await request(app).post('/login').set('Content-Type', 'application/json').send('{"a":').expect(400);
        await request(app)
          .post('/login')
          .send({ a: 'x'.repeat(200_000) })
          .expect(413);
        expect((await room.drafts()).map(({ status, reason }) => [status, reason])).to.deep.equal([
          ['failure', 'validation'],
          ['failure', 'too_large'],
        ]);
        expect(room.recorded[0]?.http).to.deep.equal({ method: 'POST', route: null, status: 400 });
      });
    });

    describe('of what a handler throws', () => {
      it('is an error, without the message', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', () => {
          throw new TypeError('password was hunter2');
        });
        app.use(answerError);
        const draft = await only(room, request(app).post('/login'));
        expect(draft).to.include({ status: 'error', reason: 'internal' });
        expect(JSON.stringify(draft)).not.to.include('hunter2');
      });

      it('keeps its route when an error handler of the app answers', async () => {
        const { app, room } = createWorld(express);
        const router = express.Router();
        router.delete('/users/:id', (_req, _res, next) => next(Object.assign(new Error('no'), { status: 409 })));
        app.use('/api', router);
        app.use(answerError);
        await only(room, request(app).delete('/api/users/7'));
        expect(room.recorded[0]?.http).to.deep.equal({ method: 'DELETE', route: '/api/users/:id', status: 409 });
      });
    });

    describe('with a word of the app', () => {
      it('takes outcome() over the status', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', (req, res) => {
          (req as AppRequest).user = ALICE;
          req.audit.outcome({
            status: 'failure',
            reason: 'mfa_required',
            actor: ALICE,
            targetId: 'alice',
            meta: { step: 1 },
          });
          req.audit.outcome({ meta: { method: 'totp' } });
          res.json({ mfa: true });
        });
        expect(await only(room, request(app).post('/login'))).to.deep.include({
          status: 'failure',
          reason: 'mfa_required',
          actorId: null,
          targetId: 'alice',
          meta: { step: 1, method: 'totp' },
        });
      });

      it('does not keep the reason of a status that outcome() overrules', async () => {
        const { app, room } = createWorld(express);
        app.delete('/users/:id', (req, res) => {
          req.audit.outcome({ status: 'success' });
          res.status(409).end();
        });
        expect(await only(room, request(app).delete('/users/7'))).to.include({ status: 'success', reason: null });
      });

      it('takes a redirected login for a success when outcome() names the user', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', (req, res) => {
          req.audit.outcome({ actor: ALICE });
          res.redirect('/');
        });
        expect(await only(room, request(app).post('/login'))).to.include({
          status: 'success',
          reason: 'redirected',
          actorId: 'alice',
        });
      });

      it('takes the actor of outcome() only when the outcome is success', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.delete('/users/:id', (req, res) => {
          req.audit.outcome({ actor: { id: 'claimed', role: 'admin' } });
          res.status(403).end();
        });
        expect(await only(room, request(app).delete('/users/7'))).to.include({ actorId: 'alice', actorRole: 'EDITOR' });
      });

      it('only completes without a status: a later 500 is still an error', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', (req, res) => {
          req.audit.outcome({ actor: ALICE });
          res.status(500).end();
        });
        expect(await only(room, request(app).post('/login'))).to.include({
          status: 'error',
          reason: 'internal',
          actorId: null,
        });
      });

      it('ignores what is of a wrong type, and survives getters that throw', async () => {
        const { app, room } = createWorld(express);
        const hostile = {
          get status(): never {
            throw new Error('no');
          },
          reason: 5,
          targetId: {},
          meta: 'x',
          actor: {
            get id(): never {
              throw new Error('no');
            },
          },
        };
        app.post('/login', (req, res) => {
          req.audit.outcome(hostile as never);
          req.audit.outcome(null as never);
          req.audit.outcome({ status: 'good' } as never);
          res.status(401).end();
        });
        expect(await only(room, request(app).post('/login'))).to.deep.include({
          status: 'failure',
          reason: 'invalid_credentials',
          meta: {},
        });
      });

      it('leaves a request out with skip(), but not what it records itself', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', async (req, res) => {
          req.audit.skip();
          await req.audit.record({ action: 'order.refund' });
          res.json({});
        });
        expect(await only(room, request(app).post('/login'))).to.include({ action: 'order.refund' });
      });

      it('records an explicit event at once, and not the route a second time', async () => {
        const { app, room } = createWorld(express);
        app.post('/login', async (req, res) => {
          await req.audit.recordLogin({ userId: 'alice', success: true });
          expect(room.recorded).to.have.length(1);
          res.json({});
        });
        expect(await only(room, request(app).post('/login'))).to.include({ action: 'auth.login', actorId: 'alice' });
        expect(room.recorded[0]?.origin.source).to.equal('api');
        expect(room.recorded[0]?.http.status).to.equal(null);
      });

      it('takes the members that a rule describes, and drops those of a wrong type', async () => {
        const describe = (req: Request): Partial<AuditDraft> =>
          ({
            targetId: req.params['id'],
            meta: { amount: req.body.amount },
            reason: 7,
            unknown: 1,
            status: 'great',
          }) as never;
        const { app, room } = createWorld(express, {
          rules: [{ method: 'POST', path: 'orders/:id/refund', action: 'order.refund', target: 'order', describe }],
        });
        app.use(signedIn(ALICE));
        app.post('/orders/:id/refund', (_req, res) => void res.json({}));
        expect(await only(room, request(app).post('/orders/o1/refund').send({ amount: 3 }))).to.deep.include({
          action: 'order.refund',
          target: 'order',
          targetId: 'o1',
          actorId: 'alice',
          status: 'success',
          reason: null,
          meta: { amount: 3 },
        });
        expect(room.recorded[0]?.draft).not.to.have.property('unknown');
      });

      it('takes the actor and the time that a rule describes, without the role of another', async () => {
        const at = new Date('2020-01-01T00:00:00Z');
        const describe = (): Partial<AuditDraft> => ({ actorId: 'machine', at });
        const { app, room } = createWorld(express, {
          rules: [{ method: 'POST', path: '/x', action: 'a.b', describe }],
        });
        app.use(signedIn(ALICE));
        app.post('/x', (_req, res) => void res.json({}));
        expect(await only(room, request(app).post('/x'))).to.deep.include({
          actorId: 'machine',
          actorRole: 'USER',
          at,
        });
      });

      it('records a GET logout that outcome() calls a success', async () => {
        const { app, room } = createWorld(express);
        app.use(signedIn(ALICE));
        app.get('/logout', (req, res) => {
          req.audit.outcome({ status: 'success' });
          res.clearCookie('token').redirect('/');
        });
        expect(await only(room, request(app).get('/logout'))).to.include({
          status: 'success',
          reason: 'redirected',
          actorId: 'alice',
        });
      });

      it('asks the next rule when `when` says no or throws, and never lets it reach the request', async () => {
        const rules = [
          { method: 'POST', path: '/x', action: 'a.no', when: () => false },
          {
            method: 'POST',
            path: '/x',
            action: 'a.throws',
            when: () => {
              throw new Error('no');
            },
          },
          { method: 'POST', path: '/x', action: 'a.async', when: (() => Promise.reject(new Error('no'))) as never },
          {
            method: 'POST',
            path: '/x',
            action: 'a.yes',
            describe: () => {
              throw new Error('no');
            },
          },
        ];
        const { app, room } = createWorld(express, { rules });
        app.post('/x', (_req, res) => void res.json({}));
        expect(await only(room, request(app).post('/x').expect(200))).to.include({
          action: 'a.yes',
          actorId: null,
          actorRole: 'USER',
        });
      });
    });

    describe('of paths that a client bends', () => {
      for (const target of [
        'http://host/login',
        '/x/../login',
        '/./login',
        '/x/%2e%2e/login',
        '/x\\..\\login',
        '/login#top',
        '/LOGIN/',
        '//login',
      ]) {
        it(`sees the login in POST ${target} where a handler answers it`, async () => {
          const { app, room } = createWorld(express);
          app.use((_req, res) => void res.status(401).end());
          const port = await listen(app);
          expect(await sendRaw(port, rawRequest('POST', target))).to.match(/^HTTP\/1\.1 401/);
          expect((await room.drafts()).map(({ action }) => action)).to.deep.equal(['auth.login']);
        });
      }
    });

    it('hands over the time of the end, and marks the route as the witness', async () => {
      const { app, room } = createWorld(express);
      app.post('/login', (_req, res) => void res.status(401).end());
      const startMs = Date.now();
      const draft = await only(room, request(app).post('/login'));
      expect(draft.at?.getTime()).to.be.within(startMs, Date.now());
      expect(room.recorded[0]?.origin.source).to.equal('route');
    });

    it('records nothing when it is not enabled, but gives the recorder', async () => {
      const { app, room } = createWorld(express, { enabled: false });
      app.post('/login', async (req, res) => {
        req.audit.outcome({ status: 'failure' });
        await req.audit.record({ action: 'order.refund' });
        res.json({});
      });
      expect(await only(room, request(app).post('/login').expect(200))).to.include({ action: 'order.refund' });
    });
  });
}

/** The middleware in an app: where it may stand, what it puts on a request, and what it leaves alone. */
import http from 'node:http';
import { inspect } from 'node:util';
import { expect } from 'chai';
import type { Express, NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { closeAll, createRoom, EXPRESSES, listen, sendRaw } from './app.js';

type AppRequest = Request & { user?: unknown; auth?: unknown };

function signIn(req: Request, _res: Response, next: NextFunction): void {
  (req as AppRequest).user = { id: 'alice', role: 'admin' };
  next();
}

for (const [name, express] of EXPRESSES) {
  describe(`The middleware on ${name}`, () => {
    afterEach(closeAll);

    it('gives each request its secrets and its recorder, hidden from dumps', async () => {
      const room = createRoom();
      const app = express();
      app.use(room.middleware);
      app.get('/', async (req, res) => {
        expect(Object.keys(req)).not.to.include.members(['secrets', 'audit']);
        expect(Object.keys({ ...req })).not.to.include.oneOf(['secrets', 'audit', 'user', 'auth']);
        expect(inspect(req, { depth: 0 })).not.to.include('strongroom');
        expect(req.audit).to.equal(req.audit);
        expect(() => Object.assign(req, { secrets: {} })).to.throw(TypeError);
        res.send(await req.secrets.get('DB'));
      });
      expect((await request(app).get('/').expect(200)).text).to.equal('value of DB');
    });

    it('has a recorder whose members need no `this`', async () => {
      const room = createRoom();
      const app = express();
      app.use(room.middleware);
      app.post('/login', (req, res) => {
        const { outcome, record, skip } = req.audit;
        void record({ action: 'order.refund' });
        outcome({ status: 'failure' });
        skip();
        res.end();
      });
      await request(app).post('/login');
      expect((await room.drafts()).map(({ action }) => action)).to.deep.equal(['order.refund']);
      expect(room.recorded[0]?.request).not.to.equal(undefined);
    });

    it('mounted twice records once, also once in the app and once in a sub-app', async () => {
      const room = createRoom();
      const app = express();
      const sub = express();
      app.use(room.middleware, room.middleware);
      sub.use(room.middleware);
      sub.post('/login', (_req, res) => void res.status(401).end());
      app.use('/sub', sub);
      await request(app).post('/sub/login').expect(401);
      expect(await room.drafts()).to.have.length(1);
      expect(room.recorded[0]?.http.route).to.equal('/sub/login');
    });

    it('stands beside another room on the same request', async () => {
      const [outer, inner] = [createRoom(), createRoom()];
      const app = express();
      app.use(outer.middleware);
      app.use(inner.middleware);
      app.patch('/users/:id/role', signIn, async (req, res) => {
        await req.audit.record({ action: 'order.refund' });
        res.status(403).end();
      });
      await request(app).patch('/users/7/role');
      expect((await outer.drafts()).map(({ action, actorRole }) => [action, actorRole])).to.deep.equal([
        ['user.role_change', 'ADMIN'],
      ]);
      expect((await inner.drafts()).map(({ action }) => action)).to.deep.equal(['order.refund', 'user.role_change']);
    });

    const ORDERS: Readonly<Record<string, (app: Express, mount: () => void) => void>> = {
      'before everything': (app, mount) => (mount(), app.use(express.json(), signIn)),
      'after the body parser': (app, mount) => (app.use(express.json()), mount(), app.use(signIn)),
      'after the session': (app, mount) => (app.use(express.json(), signIn), mount()),
    };
    for (const [order, mount] of Object.entries(ORDERS)) {
      it(`may stand ${order}`, async () => {
        const room = createRoom();
        const app = express();
        mount(app, () => void app.use(room.middleware));
        app.post('/logout', (req, res) => {
          (req as AppRequest).user = undefined;
          res.end();
        });
        app.post('/auth/register', (_req, res) => void res.end());
        await request(app).post('/logout').send({});
        await request(app).post('/auth/register').send({ email: 'a@b.org' });
        const drafts = await room.drafts();
        expect(drafts[0]).to.include({ action: 'auth.logout', status: 'success', actorId: 'alice' });
        expect(drafts[1]?.meta).to.deep.equal({ emailDomain: 'b.org' });
      });
    }

    it('sees the answers of handlers that are mounted with app.use, in a router, or as the middleware of one route', async () => {
      const room = createRoom();
      const app = express();
      const router = express.Router();
      router.use('/login', (_req, res) => void res.status(401).end());
      app.use('/a', room.middleware, router);
      app.post('/b/login', room.middleware, (_req, res) => void res.status(401).end());
      for (const path of ['/a/login', '/b/login']) await request(app).post(path).expect(401);
      await room.settle();
      expect(room.recorded.map(({ http: told }) => told.route)).to.deep.equal([null, '/b/login']);
    });

    it('carries the context through the code of the app, also behind a body parser', async () => {
      const room = createRoom();
      const app = express();
      app.use(room.middleware);
      app.use(express.json());
      app.post('/x', async (req, res) => {
        await new Promise(setImmediate);
        const scope = room.scopes.getStore();
        await req.audit.record({ action: 'order.refund' });
        expect(scope?.request).to.equal(room.recorded[0]?.request);
        res.end();
      });
      await request(app).post('/x').send({ a: 1 }).expect(200);
      expect(room.scopes.getStore()).to.equal(undefined);
    });

    it('leaves the user of a request as an app expects it', async () => {
      const room = createRoom();
      const app = express();
      app.use((req, _res, next) => {
        Object.defineProperty(req, 'auth', { get: () => ({ sub: 'lazy' }), configurable: true });
        next();
      });
      app.use(room.middleware);
      app.get('/', (req: AppRequest, res) => {
        expect(req.user).to.equal(undefined);
        expect(Object.keys(req)).not.to.include('user');
        const user = { id: 'alice' };
        req.user = user;
        expect(req.user).to.equal(user);
        expect(Object.keys(req)).to.include('user');
        delete req.user;
        expect('user' in req).to.equal(false);
        Object.defineProperty(req, 'user', { value: user });
        expect(req.user).to.equal(user);
        expect(req.auth).to.deep.equal({ sub: 'lazy' });
        expect(req.params).to.deep.equal({});
        expect((req.route as { path: string }).path).to.equal('/');
        res.end();
      });
      await request(app).get('/').expect(200);
    });

    it('survives a request whose members throw', async () => {
      const room = createRoom({ holdMs: 10 });
      const app = express();
      app.use((req, _res, next) => {
        for (const member of ['session', 'oidc', 'id', 'auth']) {
          Object.defineProperty(req, member, {
            get: () => {
              throw new Error('no');
            },
          });
        }
        next();
      });
      app.use(room.middleware);
      app.post('/login', (_req, res) => void res.status(401).end());
      await request(app).post('/login').expect(401);
      expect(await room.drafts()).to.have.length(1);
    });

    it('does no harm to 100-continue, HEAD, keep-alive and streams', async () => {
      const room = createRoom();
      const app = express();
      app.use(room.middleware);
      app.get('/', (_req, res) => {
        res.write('a');
        res.end('b');
      });
      app.post(
        '/login',
        express.text({ type: () => true }),
        (req, res) => void res.status(401).send(`got ${String(req.body)}`),
      );
      const port = await listen(app);
      const head =
        'POST /login HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n';
      expect(await sendRaw(port, `${head}hi`)).to.match(/^HTTP\/1\.1 100 Continue[\s\S]*HTTP\/1\.1 401[\s\S]*got hi$/);
      expect((await request(app).get('/')).text).to.equal('ab');
      await request(app).head('/').expect(200);
      expect((await room.drafts()).map(({ action }) => action)).to.deep.equal(['auth.login']);
    });

    it('leaves upgrades to the server', async () => {
      const room = createRoom();
      const app = express();
      app.use(room.middleware);
      const server = http.createServer(app);
      server.on('upgrade', (_req, socket) =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      expect(await sendRaw(port, 'GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n')).to.match(
        /^HTTP\/1\.1 101/,
      );
      await new Promise((resolve) => server.close(resolve));
    });

    it('passes on requests after close()', async () => {
      const room = createRoom();
      const app = express();
      app.use(room.middleware);
      app.get('/', (_req, res) => void res.end('ok'));
      await room.close();
      await request(app).get('/').expect(200, 'ok');
    });
  });
}

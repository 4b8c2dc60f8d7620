/** The labels of a request: id, address, user agent, tenant, and the pattern of its route. */
import { expect } from 'chai';
import type { Express, Request } from 'express';
import request from 'supertest';
import {
  closeAll,
  createRoom,
  EXPRESSES,
  listen,
  type Recorded,
  type RoomOptions,
  sendRaw,
  type TestRoom,
} from './app.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

for (const [name, express] of EXPRESSES) {
  /** Sends one login, and gives what was recorded of it. */
  async function login(
    o: { options?: RoomOptions; headers?: Record<string, string>; prepare?: (app: Express) => void } = {},
  ): Promise<Recorded> {
    const room = createRoom(o.options);
    const app = express();
    o.prepare?.(app);
    app.use(room.middleware);
    app.post('/login', (_req, res) => void res.status(401).end());
    const sent = request(app).post('/login');
    for (const [header, value] of Object.entries(o.headers ?? {})) sent.set(header, value);
    await sent.expect(401);
    await room.settle();
    return room.recorded[0] as Recorded;
  }

  /** Sends one request to a router, and gives the route that was recorded. */
  async function routeOf(
    mount: (app: Express, router: Express) => void,
    path: string,
    options: RoomOptions = {},
  ): Promise<string | null | undefined> {
    const room = createRoom({ rules: [{ method: 'POST', path: /^/, action: 'any.thing' }], ...options });
    const app = express();
    app.use(room.middleware);
    mount(app, express.Router({ mergeParams: false }) as never);
    await request(app).post(path);
    await room.settle();
    return room.recorded[0]?.http.route;
  }

  describe(`The context of a request on ${name}`, () => {
    afterEach(closeAll);

    it('is labelled by the option, else req.id, else a well-formed x-request-id, else a new UUID', async () => {
      const headers = { 'x-request-id': 'from-header.1:2_3' };
      const prepare = (app: Express): void =>
        void app.use((req, _res, next) => (Object.assign(req, { id: 17 }), next()));
      expect((await login({ headers, prepare, options: { requestId: () => 'mine' } })).request.requestId).to.equal(
        'mine',
      );
      expect((await login({ headers, prepare })).request.requestId).to.equal('17');
      expect((await login({ headers })).request.requestId).to.equal('from-header.1:2_3');
      for (const bad of ['a b', 'x'.repeat(129), '<script>', 'é']) {
        expect(
          (await login({ headers: { 'x-request-id': encodeURI(bad) === bad ? bad : 'a b' } })).request.requestId,
        ).to.match(UUID);
      }
      expect((await login()).request.requestId).to.match(UUID);
    });

    it('survives an option that throws, is async, or answers nonsense', async () => {
      const throws = (): never => {
        throw new Error('no');
      };
      const rejects = (() => Promise.reject(new Error('no'))) as never;
      for (const option of [throws, rejects, (() => ({})) as never]) {
        const { request: context } = await login({ options: { requestId: option, tenant: option, actor: option } });
        expect(context.requestId).to.match(UUID);
        expect(context.tenantId()).to.equal(null);
        expect(context.actor()).to.equal(null);
      }
    });

    it('has one id however often it is asked', async () => {
      const { request: context } = await login();
      expect(context.requestId).to.equal(context.requestId);
    });

    it('has the tenant that the option reads from the request', async () => {
      const { request: context } = await login({
        options: { tenant: (req) => req.get('x-tenant') ?? null },
        headers: { 'x-tenant': 't1' },
      });
      expect(context.tenantId()).to.equal('t1');
    });

    it('has the address that `trust proxy` decides on, as long as it is one', async () => {
      const trusting = (app: Express): void => void app.set('trust proxy', true);
      const headers = { 'x-forwarded-for': '203.0.113.7, 10.0.0.1' };
      expect((await login({ headers, prepare: trusting })).request.ipAddress).to.equal('203.0.113.7');
      expect((await login({ headers })).request.ipAddress).to.equal('127.0.0.1');
      for (const forged of ['<script>alert(1)</script>', '1.2.3.4:5678', 'x'.repeat(4000)]) {
        const { request: context } = await login({ headers: { 'x-forwarded-for': forged }, prepare: trusting });
        expect(context.ipAddress).to.equal('127.0.0.1');
      }
      const mapped = await login({ headers: { 'x-forwarded-for': '::ffff:192.0.2.1' }, prepare: trusting });
      expect(mapped.request.ipAddress).to.equal('192.0.2.1');
    });

    it('has the user agent, cut to 255 characters', async () => {
      expect((await login({ headers: { 'user-agent': 'a'.repeat(400) } })).request.userAgent).to.equal('a'.repeat(255));
    });

    it('has the pattern of its route with the mount path', async () => {
      const route = await routeOf((app, router) => {
        router.post('/users/:id/role', (_req, res) => void res.end());
        app.use('/api', router);
      }, '/api/users/7/role?x=1');
      expect(route).to.equal('/api/users/:id/role');
    });

    it('has no route when a handler mounted with app.use answered', async () => {
      expect(await routeOf((app) => app.use('/x', (_req, res) => void res.end()), '/x')).to.equal(null);
    });

    it('hides what the client put into a mount path, whether the inner router knows it or not', async () => {
      const route = await routeOf((app, router) => {
        router.post('/seats/:id', (_req, res) => void res.end());
        app.use('/orgs/:org', router);
      }, '/orgs/Acme%20Inc/seats/9');
      expect(route).to.equal('/orgs/:param/seats/:id');
    });

    it('hides it also when the middleware itself is mounted there', async () => {
      const room = createRoom();
      const app = express();
      const router = express.Router();
      router.post('/login', (_req, res) => void res.status(401).end());
      app.use('/orgs/:org', room.middleware, router);
      await request(app).post('/orgs/acme/login').expect(401);
      await room.settle();
      expect(room.recorded[0]?.http.route).to.equal('/orgs/:param/login');
    });

    it('hides a segment of a mount path that redaction would touch', async () => {
      const redact = (text: string): string => text.replace(/secret/g, '[redacted]');
      const route = await routeOf(
        (app, router) => {
          router.post('/x', (_req, res) => void res.end());
          app.use(/^\/t\/[^/]+/, router);
        },
        '/t/my-secret/x',
        { redact },
      );
      expect(route).to.equal('/t/:param/x');
    });

    it('writes the root of a router as its mount path, a RegExp as itself, several paths with bars', async () => {
      const end = (_req: unknown, res: { end(): void }): void => res.end();
      expect(
        await routeOf((app, router) => (router.post('/', end as never), app.use('/api', router)), '/api/'),
      ).to.equal('/api');
      expect(await routeOf((app) => app.post(/^\/x+$/, end as never), '/xxx')).to.equal('/^\\/x+$/');
      expect(await routeOf((app) => app.post(['/a', '/b/:id'], end as never), '/b/1')).to.equal('/a|/b/:id');
    });

    it('has the method that was routed, though middleware changed it', async () => {
      const room: TestRoom = createRoom();
      const app = express();
      app.use(room.middleware);
      app.use((req: Request, _res, next) => {
        req.method = 'DELETE';
        next();
      });
      app.delete('/users/:id', (_req, res) => void res.end());
      await request(app).post('/users/7');
      await room.settle();
      expect(room.recorded[0]?.draft).to.include({ action: 'user.delete', targetId: '7' });
      expect(room.recorded[0]?.http.method).to.equal('DELETE');
    });

    it('keeps the requests of one connection apart', async () => {
      const room = createRoom();
      const app = express();
      app.use(room.middleware);
      app.use(express.json());
      app.post('/login', (req, res) => {
        req.audit.outcome({ actor: { id: req.body.id } });
        setTimeout(() => res.json({}), req.body.id === 'a' ? 20 : 0);
      });
      const one = (id: string, connection: string): string =>
        `POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: ${id}\r\nContent-Type: application/json\r\nContent-Length: 10\r\nConnection: ${connection}\r\n\r\n{"id":"${id}"}`;
      await sendRaw(await listen(app), one('a', 'keep-alive') + one('b', 'keep-alive') + one('c', 'close'));
      await room.settle();
      const told = room.recorded.map(({ draft, request: context }) => [context.requestId, draft.actorId]);
      expect(told).to.have.deep.members([
        ['a', 'a'],
        ['b', 'b'],
        ['c', 'c'],
      ]);
    });
  });
}

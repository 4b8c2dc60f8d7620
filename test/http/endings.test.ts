/** Every way a response can end besides being finished: aborts, late completion, handlers that never answer, streams, shut-down. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import request from 'supertest';
import {
  closeAll,
  createRoom,
  EXPRESSES,
  type ExpressModule,
  gate,
  hangUp,
  listen,
  rawRequest,
  type RoomOptions,
  sendRaw,
  until,
} from './app.js';

type AppRequest = Request & { user?: unknown };
type Handler = (req: AppRequest, res: Response) => unknown;

const HOLD_MS = 60;

/** Sends a request that the client gives up while the handler works; resolves when the server knows. */
async function abort(express: ExpressModule, handler: Handler, o: { path?: string; options?: RoomOptions } = {}) {
  const { path = '/login', options = { holdMs: HOLD_MS } } = o;
  const room = createRoom(options);
  const app = express();
  const started = gate();
  const gone = gate();
  app.use((_req, res, next) => {
    res.on('close', () => gone.open());
    next();
  });
  app.use(room.middleware);
  app.post(path, (req, res) => {
    started.open();
    void gone.passed.then(() => handler(req, res));
  });
  const port = await listen(app);
  await hangUp(port, rawRequest('POST', path), started.passed);
  await gone.passed;
  return room;
}

for (const [name, express] of EXPRESSES) {
  describe(`The end of a request on ${name}`, () => {
    afterEach(closeAll);

    it('by an abort is an error, without the status that Node still has', async () => {
      const room = await abort(express, () => undefined);
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.deep.include({
        status: 'error',
        reason: 'client_aborted',
        actorId: null,
        meta: {},
      });
      expect(room.recorded[0]?.http).to.deep.equal({ method: 'POST', route: '/login', status: null });
      expect(room.recorded[0]?.request.ipAddress).to.equal('127.0.0.1');
    });

    it('by an abort is told with the time of the abort, not of the end of the hold', async () => {
      let goneMs = 0;
      const room = await abort(express, () => (goneMs = Date.now()), { options: { holdMs: 300 } });
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft.at?.getTime()).to.be.below(goneMs + 150);
    });

    it('by an abort is corrected by outcome() that comes later', async () => {
      const room = await abort(express, (req) => req.audit.outcome({ actor: { id: 'alice' } }));
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.deep.include({
        status: 'success',
        reason: null,
        actorId: 'alice',
        targetId: 'alice',
        meta: { aborted: true },
      });
    });

    it('by an abort is corrected by a user that comes or goes later', async () => {
      const came = await abort(express, (req) => (req.user = { id: 'alice' }));
      await until(() => came.recorded.length > 0);
      expect(came.recorded[0]?.draft).to.deep.include({ status: 'success', actorId: 'alice', meta: { aborted: true } });
      const left = await abort(express, (req) => (req.user = null), {
        path: '/logout',
        options: { holdMs: HOLD_MS, actor: (req) => ((req as AppRequest).user === null ? null : { id: 'alice' }) },
      });
      await until(() => left.recorded.length > 0);
      expect(left.recorded[0]?.draft).to.deep.include({ status: 'success', actorId: 'alice', meta: { aborted: true } });
    });

    it('by an abort is a success when outcome() had proved the user before', async () => {
      const room = createRoom({ holdMs: HOLD_MS });
      const app = express();
      const started = gate();
      app.use(room.middleware);
      app.post('/login', (req) => {
        req.audit.outcome({ actor: { id: 'alice' } });
        started.open();
      });
      await hangUp(await listen(app), rawRequest('POST', '/login'), started.passed);
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.deep.include({ status: 'success', actorId: 'alice', meta: { aborted: true } });
    });

    it('by an abort is an error when outcome() had only described the act before', async () => {
      const room = createRoom({ holdMs: HOLD_MS });
      const app = express();
      const started = gate();
      app.use(room.middleware);
      app.delete('/users/:id', (req) => {
        req.audit.outcome({ meta: { soft: true } });
        started.open();
      });
      await hangUp(await listen(app), rawRequest('DELETE', '/users/7'), started.passed);
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.deep.include({
        status: 'error',
        reason: 'client_aborted',
        meta: { soft: true },
      });
    });

    it('by an abort takes the status that outcome() says', async () => {
      const room = await abort(express, (req) => req.audit.outcome({ status: 'failure', reason: 'locked' }));
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.include({ status: 'failure', reason: 'locked' });
    });

    it('by an abort keeps the exact meta of a role change', async () => {
      const room = await abort(express, (req) => req.audit.outcome({ meta: { oldRole: 'a', newRole: 'b' } }), {
        path: '/users/7/role',
      });
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.deep.include({ status: 'success', meta: { oldRole: 'a', newRole: 'b' } });
    });

    it('by an abort says nothing of it in the meta of another act', async () => {
      const room = await abort(express, (req) => req.audit.outcome({ status: 'success' }), { path: '/users' });
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.deep.include({ action: 'user.create', status: 'success', meta: {} });
    });

    it('by an abort after the whole answer was sent is not held: the handler has nothing left to complete', async () => {
      const room = createRoom();
      const app = express();
      const started = gate();
      app.use(room.middleware);
      app.post('/login', (_req, res) => {
        res.end(Buffer.alloc(50_000_000));
        started.open();
      });
      await hangUp(await listen(app), rawRequest('POST', '/login'), started.passed);
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.include({ reason: 'client_aborted' });
    });

    it('by an abort is not held when nobody could tell more: flush does not wait, close records at once', async () => {
      const room = await abort(express, () => undefined, { options: {} });
      await room.settle();
      expect(room.recorded).to.deep.equal([]);
      await room.close();
      expect(room.recorded.map(({ draft }) => draft.reason)).to.deep.equal(['client_aborted']);
    });

    it('by an abort that happened before the middleware ran is seen too', async () => {
      const room = createRoom({ holdMs: HOLD_MS });
      const app = express();
      const started = gate();
      app.use((_req, res, next) => {
        started.open();
        res.on('close', () => setImmediate(next));
      });
      app.use(room.middleware);
      app.post('/login', () => undefined);
      await hangUp(await listen(app), rawRequest('POST', '/login'), started.passed);
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.include({ reason: 'client_aborted' });
    });

    it('by an abort of a request that no rule records leaves nothing', async () => {
      const room = await abort(express, (_req, res) => res.status(403).end(), { path: '/orders' });
      await room.close();
      expect(room.recorded).to.deep.equal([]);
    });

    it('never comes: after abandonAfter it is told once, and a later answer adds nothing', async () => {
      const room = createRoom({ abandonAfterMs: 40 });
      const app = express();
      app.use(room.middleware);
      app.post('/login', (_req, res) => void until(() => room.recorded.length > 0).then(() => res.status(401).end()));
      await request(app).post('/login').expect(401);
      expect((await room.drafts()).map(({ status, reason }) => [status, reason])).to.deep.equal([
        ['error', 'no_response'],
      ]);
      expect(room.recorded[0]?.http.status).to.equal(null);
    });

    it('comes late for a stream that began in time, and for a path that no rule names', async () => {
      const room = createRoom({ abandonAfterMs: 20, actor: () => ({ id: 'alice' }) });
      const app = express();
      const isLate = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 100));
      app.use(room.middleware);
      app.post('/login', (_req, res) => {
        res.status(401).write('a');
        void isLate().then(() => res.end());
      });
      app.get('/reports', (_req, res) => void isLate().then(() => res.status(403).end()));
      await Promise.all([request(app).post('/login'), request(app).get('/reports')]);
      const told = (await room.drafts()).map(({ action, reason }) => `${action} ${String(reason)}`);
      expect(told.sort()).to.deep.equal(['access.denied forbidden', 'auth.login invalid_credentials']);
    });

    it('is waited for by settle() when the answer was sent, and not when it was not', async () => {
      const room = createRoom();
      const app = express();
      const inside = gate<Promise<void>>();
      app.use(room.middleware);
      app.post('/login', (_req, res) => {
        res.status(401).end('x'.repeat(1_000_000));
        expect(room.recorded).to.deep.equal([]);
        inside.open(room.settle().then(() => expect(room.recorded).to.have.length(1) as never));
      });
      app.post('/logout', () => undefined);
      const port = await listen(app);
      const pending = sendRaw(port, rawRequest('POST', '/logout')).catch(() => '');
      await Promise.all([sendRaw(port, rawRequest('POST', '/login')), inside.passed.then((settled) => settled)]);
      await room.settle();
      expect(room.recorded).to.have.length(1);
      await closeAll();
      await pending;
    });

    it('is waited for by every settle() that runs at the same time', async () => {
      const room = createRoom();
      const app = express();
      const inside = gate<Promise<number[]>>();
      app.use(room.middleware);
      app.post('/login', (_req, res) => {
        res.status(401).end('x'.repeat(1_000_000));
        const startMs = performance.now();
        const settled = (): Promise<number> => room.settle().then(() => performance.now() - startMs);
        inside.open(Promise.all([settled(), settled()]));
      });
      await sendRaw(await listen(app), rawRequest('POST', '/login'));
      for (const waitedMs of await inside.passed) expect(waitedMs).to.be.below(900);
    });

    it('that came before the middleware ran is none of its business', async () => {
      const room = createRoom({ abandonAfterMs: 20 });
      const app = express();
      const through = gate();
      app.use((_req, res, next) => {
        res.on('finish', next);
        res.status(401).end();
      });
      app.use(room.middleware);
      app.use(() => through.open());
      await request(app).post('/login').expect(401);
      await through.passed;
      await room.close();
      expect(room.recorded).to.deep.equal([]);
    });

    it('of a response that its server cuts off is an abort', async () => {
      const room = createRoom({ holdMs: HOLD_MS });
      const app = express();
      app.use(room.middleware);
      app.post('/login', (_req, res) => {
        res.write('a');
        res.destroy();
      });
      await sendRaw(await listen(app), rawRequest('POST', '/login')).catch(() => '');
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.include({ status: 'error', reason: 'client_aborted' });
    });
  });
}

const REJECTED_HANDLER = `
  import { EXPRESSES, createRoom, listen, rawRequest, sendRaw, until } from './test/http/app.ts';
  const express = EXPRESSES[1][1];
  if (process.argv.includes('survive')) process.on('unhandledRejection', () => undefined);
  const room = createRoom({ abandonAfterMs: 50 });
  const app = express();
  app.use(room.middleware);
  app.post('/login', async () => { throw new Error('no'); });
  const port = await listen(app);
  void sendRaw(port, rawRequest('POST', '/login'));
  await until(() => room.recorded.length > 0);
  console.log(JSON.stringify(room.recorded[0].draft));
  process.exit(0);
`;

describe('A rejected async handler of Express 4', () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', REJECTED_HANDLER, ...args]);

  it('ends as no_response when the app survives it, never as a success', async () => {
    const { stdout } = await run('survive');
    expect(JSON.parse(stdout)).to.include({ status: 'error', reason: 'no_response' });
  });

  it('ends the process as without the middleware: no process-wide handler is installed', async () => {
    const error = await run().then(
      () => undefined,
      (reason: unknown) => reason as { code: number },
    );
    expect(error?.code).to.equal(1);
  });
});

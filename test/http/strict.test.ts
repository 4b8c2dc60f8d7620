/** Strict actions on a request: which requests are held, for how long, what the handler sees meanwhile, and what the event says. */
import http from 'node:http';
import { expect } from 'chai';
import type { Express, Request, Response } from 'express';
import { closeAll, EXPRESSES, gate, openRaw, rawRequest, type RoomOptions, sendRaw, until } from './app.js';
import { createStrictRoom, expectRefusal, MARK, requestFor, roundTrip, serve } from './strict-app.js';

const KEPT_ALIVE = 'POST /act HTTP/1.1\r\nHost: host\r\nContent-Length: 0\r\n\r\n';
const never = (): Promise<never> => new Promise(() => undefined);
const inVain = (): Promise<never> => Promise.reject(new Error('unavailable'));

for (const [name, express] of EXPRESSES) {
  describe(`A strict request on ${name}`, () => {
    afterEach(closeAll);

    /** One handler on any path; strict is `order.refund` on /act. */
    async function open(handler: (req: Request, res: Response) => unknown, options: RoomOptions = {}) {
      const room = createStrictRoom(options);
      const anyPath = (app: Express): unknown => app.use((req, res) => handler(req, res) as never);
      const port = await serve(express, room, { handler: (_req, _res, next) => next(), after: anyPath as never });
      return { room, port };
    }

    const statuses = (answer: string): string[] =>
      [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code ?? '');

    it('keeps its connection after a refusal, and serves those that are pipelined behind it in order', async () => {
      const answers = [inVain, () => Promise.resolve()];
      const { port } = await open((_req, res) => res.json({ ok: 1 }), { durable: () => (answers.shift() ?? inVain)() });
      const client = openRaw(port, KEPT_ALIVE + KEPT_ALIVE + requestFor());
      expect(statuses(await client.closed)).to.deep.equal(['503', '200', '503']);
    });

    it('leaves requests alone that nothing strict can come of', async () => {
      let own: string[] = [];
      const { port } = await open((_req, res) => {
        own = Object.keys(res);
        res.end();
      });
      await sendRaw(port, rawRequest('POST', '/other'));
      expect(own).not.to.include.oneOf(['write', 'end', 'writeHead', 'flushHeaders']);
      await sendRaw(port, rawRequest('POST', '/act'));
      expect(own).to.include.members(['write', 'end', 'writeHead', 'flushHeaders']);
    });

    it('looks to the handler as if it were sent, and to Node as if it were not', async () => {
      const durable = gate();
      let res!: Response;
      const { port } = await open(
        (_req, response) => {
          res = response;
          res.status(201).write(MARK);
          expect(res.headersSent).to.equal(true);
          expect(() => res.setHeader('x', '1')).to.throw(/after they are sent/);
          expect(() => res.writeHead(200)).to.throw(/after they are sent/);
          expect(() => res.write({})).to.throw(TypeError);
          res.status(500).end();
          expect(res.writableEnded).to.equal(true);
          expect(res.writableFinished).to.equal(false);
        },
        { durable: () => durable.passed },
      );
      const client = openRaw(port, requestFor());
      await until(() => res?.writableEnded);
      const late = new Promise<{ code?: string }>((resolve) => res.on('error', resolve));
      res.write('more');
      expect((await late).code).to.equal('ERR_STREAM_WRITE_AFTER_END');
      durable.open();
      expect(statuses(await client.closed)).to.deep.equal(['201']);
      expect(client.received()).to.include(MARK).and.to.not.include('more');
    });

    it('is refused by Node as ever when its head is wrong', async () => {
      const thrown: unknown[] = [];
      const { port } = await open((_req, res) => {
        for (const args of [[99], [200, { 'X-A': 'a\nb' }], [200, { 'a b': '1' }], [200, ['X-A', 'a\nb']]]) {
          try {
            res.writeHead(...(args as [number]));
          } catch (error) {
            thrown.push((error as { code?: string }).code);
          }
        }
        res.end('fine');
      });
      expect(statuses(await sendRaw(port, requestFor()))).to.deep.equal(['200']);
      expect(thrown).to.deep.equal([
        'ERR_HTTP_INVALID_STATUS_CODE',
        'ERR_INVALID_CHAR',
        'ERR_INVALID_HTTP_TOKEN',
        'ERR_INVALID_CHAR',
      ]);
    });

    for (const [outcome, durable] of [
      ['leaves', () => Promise.resolve()],
      ['is refused', inVain],
    ] as const) {
      it(`calls back when it ${outcome}`, async () => {
        const called: string[] = [];
        const { port } = await open(
          (_req, res) => {
            res.write('a', () => called.push('write'));
            res.end('b', () => called.push('end'));
          },
          { durable },
        );
        await sendRaw(port, requestFor());
        await until(() => called.length === 2);
        expect(called.sort()).to.deep.equal(['end', 'write']);
      });
    }

    it('sends no early hints, and continues as asked', async () => {
      const { port } = await open(
        (_req, res) => {
          res.writeContinue();
          res.writeEarlyHints({ link: `<${MARK}>; rel=preload` }, () => res.end());
        },
        { durable: inVain },
      );
      const answer = await sendRaw(port, requestFor());
      expect(statuses(answer)).to.deep.equal(['100', '503']);
      expect(answer).not.to.include(MARK);
    });

    it('keeps what stood in the head before the handler', async () => {
      const room = createStrictRoom({ durable: inVain });
      const port = await serve(express, room, {
        front: [
          (_req, res, next) => {
            res.set({ 'Access-Control-Allow-Origin': 'https://a.example', 'Set-Cookie': 'front=1' });
            next();
          },
        ],
        handler: (_req, res) => res.set('Access-Control-Allow-Origin', MARK).send('x'),
      });
      const answer = await sendRaw(port, requestFor());
      expectRefusal(answer);
      expect(answer).to.include('Access-Control-Allow-Origin: https://a.example');
    });

    it('survives server.close() while it is held', async () => {
      const durable = gate();
      const room = createStrictRoom({ durable: () => durable.passed });
      const app = express();
      app.use(room.middleware);
      app.post('/act', (_req, res) => res.send(MARK));
      const server = http.createServer(app).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const client = openRaw((server.address() as { port: number }).port, requestFor());
      await until(() => room.recorded.length > 0);
      const closed = new Promise((resolve) => server.close(resolve));
      await roundTrip();
      durable.open();
      expect(await client.closed).to.include(MARK);
      await closed;
    });

    it('is refused when its event is not durable in time, whatever happens later', async () => {
      const durable = gate();
      const { port, room } = await open((_req, res) => res.cookie('sid', MARK).send(MARK), {
        durable: () => durable.passed,
        timeoutMs: 30,
      });
      expectRefusal(await sendRaw(port, requestFor()));
      durable.open();
      await roundTrip();
      expect(room.recorded.map(({ draft, http: side }) => [draft.status, side.status])).to.deep.equal([
        ['success', 200],
      ]);
    });

    it('is recorded in spite of skip(), and only that', async () => {
      const { port, room } = await open((req, res) => {
        req.audit.skip();
        res.end();
      });
      await sendRaw(port, rawRequest('POST', '/act'));
      expect((await room.drafts()).map(({ action }) => action)).to.deep.equal(['order.refund']);
      const lax = createStrictRoom({ strict: ['auth.login'] });
      const laxPort = await serve(express, lax, {
        handler: (req, res) => {
          req.audit.skip();
          res.end();
        },
      });
      await sendRaw(laxPort, requestFor());
      expect(await lax.drafts()).to.deep.equal([]);
    });

    it('waits for what its handler records, also without awaiting it', async () => {
      const durable = gate();
      const { port } = await open(
        (req, res) => {
          void req.audit.record({ action: 'order.refund', targetId: '7' });
          res.send(MARK);
        },
        { durable: () => durable.passed },
      );
      const client = openRaw(port, rawRequest('POST', '/rpc'));
      await roundTrip();
      await roundTrip();
      expect(client.received()).to.equal('');
      durable.open();
      expect(await client.closed).to.include(MARK);
    });

    it('is refused when something strict that its handler recorded failed, also if the handler does not mind', async () => {
      const { port } = await open(
        async (req, res) => {
          await req.audit.record({ action: 'order.refund' }).catch(() => undefined);
          res.send(MARK);
        },
        { durable: inVain },
      );
      expectRefusal(await sendRaw(port, rawRequest('POST', '/rpc')));
    });

    it('is not held for what is recorded of other actions', async () => {
      const { port } = await open(
        (req, res) => {
          void req.audit.record({ action: 'user.update' });
          res.send(MARK);
        },
        { durable: never },
      );
      expect(await sendRaw(port, rawRequest('POST', '/rpc'))).to.include(MARK);
    });

    it('waits for all of its events, and is refused by the first that fails', async () => {
      const events = [gate(), gate()];
      let next = 0;
      const { port, room } = await open(
        (req, res) => {
          void req.audit.record({ action: 'order.refund', targetId: 'a' });
          void req.audit.record({ action: 'order.refund', targetId: 'b' });
          res.send(MARK);
        },
        { durable: () => (events[(next += 1) - 1] as { passed: Promise<void> }).passed },
      );
      const client = openRaw(port, requestFor());
      await until(() => room.recorded.length === 2);
      events[0]?.open();
      await roundTrip();
      expect(client.received()).to.equal('');
      events[1]?.open();
      expect(await client.closed).to.include(MARK);
    });

    it('is cut off where its head had left before anything strict happened', async () => {
      const { port } = await open(
        async (req, res) => {
          res.write('first');
          await roundTrip();
          void req.audit.record({ action: 'order.refund' });
          res.end(MARK);
        },
        { durable: inVain },
      );
      const answer = await sendRaw(port, rawRequest('POST', '/rpc')).catch(() => '');
      expect(answer).to.include('first').and.to.not.include(MARK);
      expect(answer).not.to.match(/\r\n0\r\n\r\n$/);
    });

    it('is refused when it is answered after it was recorded as never answered', async () => {
      const { port, room } = await open(
        async (_req, res) => {
          await until(() => room.recorded.length > 0);
          res.send(MARK);
        },
        { abandonAfterMs: 20 },
      );
      expectRefusal(await sendRaw(port, requestFor()));
      expect((await room.drafts()).map(({ reason }) => reason)).to.deep.equal(['no_response']);
    });

    it('makes an event that a client who goes while it is held does not change', async () => {
      const durable = gate();
      const { port, room } = await open((_req, res) => res.status(201).send(MARK), { durable: () => durable.passed });
      const client = openRaw(port, requestFor());
      await until(() => room.recorded.length > 0);
      client.socket.destroy();
      await client.closed;
      await roundTrip();
      durable.open();
      await roundTrip();
      expect(room.recorded.map(({ draft, http: side }) => [draft.status, draft.reason, side.status])).to.deep.equal([
        ['success', null, 201],
      ]);
    });

    it('makes an event that says what the handler decides after the client has gone', async () => {
      const gone = gate();
      const started = gate();
      const { port, room } = await open(async (_req, res) => {
        res.on('close', () => gone.open());
        started.open();
        await gone.passed;
        res.status(201).send(MARK);
      });
      const client = openRaw(port, requestFor());
      await started.passed;
      client.socket.destroy();
      await until(() => room.recorded.length > 0);
      await roundTrip();
      expect(room.recorded.map(({ draft, http: side }) => [draft.status, draft.reason, side.status])).to.deep.equal([
        ['success', null, 201],
      ]);
    });

    it('is an aborted one when the handler says nothing any more', async () => {
      const started = gate();
      const { port, room } = await open(() => started.open(), { holdMs: 20 });
      const client = openRaw(port, requestFor());
      await started.passed;
      client.socket.destroy();
      await until(() => room.recorded.length > 0);
      expect(room.recorded[0]?.draft).to.include({ status: 'error', reason: 'client_aborted' });
    });

    it('that streams without an end is recorded by its head after a second, and flows when that is durable', async () => {
      const durable = gate();
      let res!: Response;
      const { port, room } = await open(
        (_req, response) => {
          res = response;
          res.writeHead(200, { 'Content-Type': 'text/event-stream' });
          res.write('data: 1\n\n');
        },
        { durable: () => durable.passed },
      );
      const client = openRaw(port, requestFor());
      await until(() => room.recorded.length > 0);
      expect(client.received()).to.equal('');
      durable.open();
      await until(() => client.received().includes('data: 1'));
      res.write('data: 2\n\n');
      await until(() => client.received().includes('data: 2'));
      res.end();
      await client.closed;
      expect(await room.drafts()).to.have.length(1);
    });

    it('that writes more than is kept is recorded at once, and flows when that is durable', async () => {
      const durable = gate();
      const startMs = performance.now();
      const { port, room } = await open((_req, res) => expect(res.write(MARK.repeat(5000))).to.equal(false), {
        durable: () => durable.passed,
      });
      const client = openRaw(port, requestFor());
      await until(() => room.recorded.length > 0);
      expect(performance.now() - startMs).to.be.below(900);
      expect(client.received()).to.equal('');
      durable.open();
      await until(() => client.received().includes(MARK));
      client.socket.destroy();
    });

    it('that is refused while it streams stops for its client, and its handler goes on in vain', async () => {
      let res!: Response;
      const { port } = await open((_req, response) => (res = response).write(MARK.repeat(5000)), { durable: inVain });
      const client = openRaw(port, KEPT_ALIVE);
      await until(() => client.received().endsWith('}'));
      const errors: unknown[] = [];
      res.on('error', (error) => errors.push(error));
      expect(res.write(MARK)).to.equal(true);
      await new Promise<void>((resolve) => res.end(MARK, resolve));
      await roundTrip();
      expect(errors).to.deep.equal([]);
      expectRefusal(client.received());
      client.socket.destroy();
    });

    it('whose rule asks `when` at the end is held until then, and leaves at once when it says no', async () => {
      const rule = { method: '*', path: '/act', action: 'order.refund', when: () => false };
      const { port, room } = await open((_req, res) => res.send(MARK), { rules: [rule], durable: inVain });
      expect(await sendRaw(port, requestFor())).to.include(MARK);
      expect(room.recorded).to.deep.equal([]);
    });

    it('whose rule names its action at the end is held for the action that it names', async () => {
      const describe = (action: string) => [
        { method: '*', path: '/act', action: 'order.read', describe: () => ({ action }) },
      ];
      const options = { strict: ['auth.login'], durable: inVain };
      const strict = await open((_req, res) => res.send(MARK), { ...options, rules: describe('auth.login') });
      expectRefusal(await sendRaw(strict.port, requestFor()));
      const lax = await open((_req, res) => res.send(MARK), { ...options, rules: describe('order.list') });
      expect(await sendRaw(lax.port, requestFor())).to.include(MARK);
    });

    it('behind an earlier rule that wins is none, and flows at once', async () => {
      const rules = [
        { method: '*', path: '/act', action: 'order.read' },
        { method: '*', path: '/act', action: 'order.refund' },
      ];
      const { port } = await open((_req, res) => res.write(MARK), { rules, durable: inVain });
      const startMs = performance.now();
      const client = openRaw(port, requestFor());
      await until(() => client.received().includes(MARK));
      expect(performance.now() - startMs).to.be.below(900);
      client.socket.destroy();
    });

    it('is known by the method that the app gives it', async () => {
      const room = createStrictRoom({
        durable: inVain,
        rules: [{ method: 'DELETE', path: '/act', action: 'order.refund' }],
      });
      const port = await serve(express, room, {
        behind: [
          (req, _res, next) => {
            req.method = 'DELETE';
            next();
          },
        ],
        handler: (_req, res) => res.send(MARK),
      });
      expectRefusal(await sendRaw(port, requestFor()));
    });

    it('that all denials are leaves what is none flow, and holds a 403', async () => {
      const { port } = await open(
        (req, res) => {
          res.status(Number(req.query['status'])).write(MARK);
          if (req.query['status'] === '403') res.end();
        },
        { rules: undefined, strict: true, durable: inVain, actor: () => ({ id: 'alice' }) },
      );
      const startMs = performance.now();
      const client = openRaw(port, rawRequest('GET', '/any?status=200'));
      await until(() => client.received().includes(MARK));
      expect(performance.now() - startMs).to.be.below(900);
      client.socket.destroy();
      expectRefusal(await sendRaw(port, rawRequest('GET', '/any?status=403')));
    });

    it('may be seen by an integration', async () => {
      const { port, room } = await open(
        (_req, res) => {
          const act = {
            source: 'integration',
            action: 'order.refund',
            verdict: { status: 'success', reason: null },
            actor: null,
          };
          room.witness(() => [act as never]);
          res.send(MARK);
        },
        { durable: inVain },
      );
      expectRefusal(await sendRaw(port, rawRequest('POST', '/rpc')));
    });
  });
}

describe('Names of strict actions', () => {
  it('are registered ones, those of rules, or the own ones of the app', () => {
    expect(() => createStrictRoom({ strict: ['order.refund', 'auth.login'] })).not.to.throw();
    expect(() => createStrictRoom({ strict: ['order.refunds'] })).to.throw(
      /audit\.strict\[0\]: action "order\.refunds" is unknown; did you mean "order\.refund"\?; .*audit\.actions/,
    );
  });
});

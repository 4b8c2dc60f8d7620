/** How an act is told whose answer breaks off, goes on, or is corrected at its very end: the same with strict actions as without them. */
import compression from 'compression';
import { expect } from 'chai';
import type { Request, Response } from 'express';
import { closeAll, createRoom, EXPRESSES, gate, openRaw, rawRequest, type RoomOptions, sendRaw, until } from './app.js';
import { createStrictRoom, expectRefusal, type Handler, MARK, requestFor, roundTrip, serve } from './strict-app.js';

const inVain = (): Promise<never> => Promise.reject(new Error('unavailable'));
const MUCH = MARK.repeat(5000);

for (const [name, express] of EXPRESSES) {
  for (const strict of [['order.refund'], false] as const) {
    describe(`The end of a request on ${name}, ${strict === false ? 'nothing strict' : 'strict'}`, () => {
      afterEach(closeAll);

      async function open(handler: Handler, options: RoomOptions = {}) {
        const room = createStrictRoom({ strict, ...options });
        return { room, port: await serve(express, room, { handler }) };
      }
      const told = async (room: Awaited<ReturnType<typeof open>>['room']) => {
        await until(() => room.recorded.length > 0);
        await roundTrip();
        return room.recorded.map(({ draft, http }) => [draft.status, draft.reason, http.status]);
      };

      const BREAKING: Record<string, Handler> = {
        'an error given to next': (_req, res, next) => (res.write(MARK), next(new Error('broke'))),
        'an error of its own': (_req, res) => (res.write(MARK), res.destroy(new Error('broke'))),
        'an error after much of it': (_req, res) => (res.write(MUCH), res.destroy()),
        'an error after its head': (_req, res) => (res.flushHeaders(), res.destroy()),
        'more of it, to nobody': (_req, res) => {
          res.write(MARK);
          res.on('close', () => res.write(MUCH));
          res.destroy();
        },
      };
      it('is aborted when its answer breaks off, whatever was written, and however long it waits', async () => {
        // Longer than what a handler that has begun may take to end.
        const cases = Object.entries(BREAKING).map(async ([how, handler]) => {
          const { port, room } = await open(handler, { holdMs: 1200 });
          await sendRaw(port, requestFor()).catch(() => '');
          expect(await told(room), how).to.deep.equal([['error', 'client_aborted', null]]);
        });
        await Promise.all(cases);
      });

      const CORRECTING: Record<string, Handler> = {
        json: (_req, res) => res.json({}),
        'much of it': (_req, res) => (res.write(MUCH), res.end(MUCH)),
        'no body': (_req, res) => res.status(200).end(),
      };
      for (const [how, answer] of Object.entries(CORRECTING)) {
        it(`counts what outcome() says right after the answer: ${how}`, async () => {
          const { port, room } = await open((req, res, next) => {
            answer(req, res, next);
            req.audit.outcome({ status: 'failure', reason: 'late' });
          });
          const client = openRaw(port, requestFor());
          expect(await told(room)).to.deep.equal([['failure', 'late', 200]]);
          expect(await client.closed).to.match(/^HTTP\/1\.1 200/);
        });
      }

      it('is told with the status that was sent, whatever the handler does to it later', async () => {
        const { port, room } = await open((_req, res) => {
          res.status(201).send(MARK);
          res.statusCode = 500;
        });
        expect(await sendRaw(port, requestFor())).to.match(/^HTTP\/1\.1 201/);
        expect(await told(room)).to.deep.equal([['success', null, 201]]);
      });

      it('is a denial when 403 was sent, and none when it was not', async () => {
        const options = { rules: undefined, strict: strict && ['access.denied'], actor: () => ({ id: 'alice' }) };
        const { port, room } = await open((req, res) => {
          const [sent, later] = req.query['denied'] === 'yes' ? [403, 200] : [200, 403];
          res.status(sent).send(MARK);
          res.statusCode = later;
        }, options);
        await sendRaw(port, rawRequest('GET', '/act?denied=no'));
        await sendRaw(port, rawRequest('GET', '/act?denied=yes'));
        expect(await told(room)).to.deep.equal([['failure', 'forbidden', 403]]);
      });
    });
  }

  describe(`A strict request that has ended, on ${name}`, () => {
    afterEach(closeAll);

    async function open(handler: Handler, options: RoomOptions = {}) {
      const room = createStrictRoom(options);
      return { room, port: await serve(express, room, { handler: (req, res, next) => handler(req, res, next) }) };
    }
    const outcomes = (room: Awaited<ReturnType<typeof open>>['room']) =>
      room.recorded.map(({ draft, http }) => [draft.status, draft.reason, http.status]);

    it('is told as it ended when its client goes in the same moment', async () => {
      // From there the socket is closed before anything else can happen.
      const { port, room } = await open((req, res) => {
        setImmediate(() => {
          res.status(201).send(MARK);
          req.socket.destroy();
        });
      });
      await sendRaw(port, requestFor());
      await roundTrip();
      expect(outcomes(room)).to.deep.equal([['success', null, 201]]);
    });

    it('is told as it ended when its room closes in the same moment', async () => {
      let closing: Promise<void> | undefined;
      const { port, room } = await open((_req, res) => {
        res.status(201).send(MARK);
        closing = room.close();
      });
      expect(await sendRaw(port, requestFor())).to.include(MARK);
      await closing;
      expect(outcomes(room)).to.deep.equal([['success', null, 201]]);
    });

    it('is told as it ended when its client had gone before, and its room closes in the same moment', async () => {
      const started = gate();
      const { port, room } = await open((_req, res) => {
        res.write('part');
        res.on('close', () => {
          res.status(201).write(MARK, () => undefined);
          res.end(MARK);
          void room.close();
        });
        started.open();
      });
      const client = openRaw(port, requestFor());
      await started.passed;
      client.socket.destroy();
      await until(() => room.recorded.length > 0);
      await roundTrip();
      expect(outcomes(room)).to.deep.equal([['success', null, 200]]);
    });

    it('waits also for what is recorded right after its answer', async () => {
      const durable = gate();
      const { port, room } = await open(
        (req, res) => {
          res.send(MARK);
          void req.audit.record({ action: 'order.refund', targetId: 'later' });
        },
        { durable: ({ targetId }) => (targetId === 'later' ? durable.passed : Promise.resolve()) },
      );
      const client = openRaw(port, rawRequest('POST', '/act'));
      await until(() => room.recorded.length === 1);
      await roundTrip();
      expect(client.received()).to.equal('');
      durable.open();
      expect(await client.closed).to.include(MARK);
    });

    it('is answered in order when it was pipelined, with what was said right after each answer', async () => {
      let count = 0;
      const { port, room } = await open((req, res) => {
        count += 1;
        res.status(200 + count).send(MARK);
        req.audit.outcome({ reason: `word ${count}` });
      });
      const kept = 'POST /act HTTP/1.1\r\nHost: host\r\nContent-Length: 0\r\n\r\n';
      const answer = await openRaw(port, kept + kept + requestFor()).closed;
      expect([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code)).to.deep.equal(['201', '202', '203']);
      expect(room.recorded.map(({ draft, http }) => [draft.reason, http.status])).to.deep.equal([
        ['word 1', 201],
        ['word 2', 202],
        ['word 3', 203],
      ]);
    });
  });

  describe(`A held answer on ${name}`, () => {
    afterEach(closeAll);

    it('gives its handler what Node gives, and sends nothing before its time', async () => {
      const given: unknown[] = [];
      const room = createStrictRoom({ durable: inVain });
      const handler = (_req: Request, res: Response): void => {
        given.push(res.flushHeaders(), res.flushHeaders());
        res.writeProcessing(() => {
          res.end(MARK, () => given.push(res.flushHeaders()));
        });
      };
      const answer = await sendRaw(await serve(express, room, { handler }), requestFor());
      expectRefusal(answer);
      await until(() => given.length === 3);
      expect(given).to.deep.equal([undefined, undefined, undefined]);
    });

    it('takes nothing more when its client has gone, as Node says', async () => {
      const errors: unknown[] = [];
      const handler = (_req: Request, res: Response): void => {
        res.write('part');
        res.on('close', () => expect(res.write(MARK, (error) => errors.push(error))).to.equal(false));
        res.destroy();
      };
      await sendRaw(await serve(express, createStrictRoom(), { handler }), requestFor());
      await until(() => errors.length === 1);
      expect(errors[0]).to.include({ code: 'ERR_STREAM_DESTROYED' });
    });

    it('is refused by Node as ever when a list of pairs stands beside other headers', async () => {
      const thrown: unknown[] = [];
      const room = createStrictRoom();
      const handler = (_req: Request, res: Response): void => {
        const pairs = [['X-A', 'a']] as never;
        try {
          res.set('X-Other', '1').writeHead(200, pairs);
        } catch (error) {
          thrown.push(error);
        }
        res.removeHeader('X-Other');
        res.end('fine');
      };
      expect(await sendRaw(await serve(express, room, { handler }), requestFor())).to.include('fine');
      expect(thrown).to.have.length(1);
    });

    it('takes a list of pairs beside other headers where middleware in front does', async () => {
      const front = [compression({ threshold: 0 }) as never];
      const handler = (_req: Request, res: Response): void => {
        res.set('X-Other', '1').writeHead(200, [['X-A', 'a']] as never);
        res.end('fine');
      };
      const answer = await sendRaw(await serve(express, createStrictRoom(), { front, handler }), requestFor());
      expect(answer).to.include('X-A: a').and.to.include('X-Other: 1').and.to.include('fine');
    });
  });
}

describe('The when of a rule', () => {
  afterEach(closeAll);

  const FAILING: Record<string, () => unknown> = {
    throws: () => (undefined as unknown as { kind: string }).kind,
    'throws what is no error': () => {
      // oxlint-disable-next-line no-throw-literal
      throw undefined;
    },
    rejects: () => Promise.reject(new Error('no')),
    'is async': async () => false,
    'is no promise, and looks like one': () => ({ then: 5 }),
    'looks like a promise that throws': () => ({
      then() {
        throw new Error('no');
      },
    }),
    'answers with nothing': () => undefined,
    'answers with a text': () => 'yes',
    'answers with what nobody can look at': () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  };

  async function send(rule: object, options: RoomOptions = {}) {
    const failures: [string, unknown][] = [];
    const rules = [{ method: 'POST', path: '/act', action: 'order.refund', ...rule }];
    const hookFailed = (hook: string, error: unknown) => void failures.push([hook, error]);
    const room = createRoom({ rules, hookFailed, ...options });
    const port = await serve(EXPRESSES[0]![1], room, { handler: (_req, res) => res.send(MARK) });
    const answer = await sendRaw(port, requestFor());
    return { answer, failures, recorded: (await room.drafts()).map(({ action, status }) => [action, status]) };
  }

  for (const [how, when] of Object.entries(FAILING)) {
    it(`that ${how} leaves no strict act out`, async () => {
      const durably = await send({ when }, { strict: ['order.refund'] });
      expect(durably.answer).to.include(MARK);
      expect(durably.recorded).to.deep.equal([['order.refund', 'success']]);
      expect(durably.failures.map(([hook]) => hook)).to.deep.equal(['rule.when']);
      expectRefusal((await send({ when }, { strict: true, durable: inVain })).answer);
    });

    it(`that ${how} is a no for any other act, and told`, async () => {
      for (const strict of [false, ['auth.login']]) {
        const { answer, recorded, failures } = await send({ when }, { strict });
        expect(answer).to.include(MARK);
        expect(recorded).to.deep.equal([]);
        expect(failures.map(([hook]) => hook)).to.deep.equal(['rule.when']);
      }
    });
  }

  it('that fails leaves no act out that its rule describes as a strict one', async () => {
    const describe = () => ({ action: 'auth.login' });
    const { recorded } = await send({ when: FAILING['throws'], describe }, { strict: ['auth.login'] });
    expect(recorded).to.deep.equal([['auth.login', 'success']]);
  });

  it('that fails for a denial holds what it may be about', async () => {
    const rule = { action: 'access.denied', when: FAILING['throws'] };
    expectRefusal((await send(rule, { strict: true, durable: inVain })).answer);
  });

  it('is told with what it threw, and is warned about once, without its message', async () => {
    const warnings: (Error & { code?: string })[] = [];
    const listener = (warning: Error) => void warnings.push(warning);
    process.on('warning', listener);
    const error = new RangeError('quotes what a client sent');
    const when = () => {
      throw error;
    };
    for (const _ of [1, 2]) {
      const { failures } = await send({ when, action: 'when.warned' }, { strict: true });
      expect(failures).to.deep.equal([['rule.when', error]]);
    }
    await until(() => warnings.length > 0);
    await roundTrip();
    process.off('warning', listener);
    const own = warnings.filter(({ message }) => message.includes('when.warned'));
    expect(own.map(({ code }) => code)).to.deep.equal(['STRONGROOM_WHEN_FAILED']);
    expect(own[0]?.message).to.include('RangeError').and.to.not.include(error.message);
  });
});

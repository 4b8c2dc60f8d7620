/** Whatever the app puts into the package, and whatever of the app it calls, may throw, reject, hang or answer nonsense: no request fails for it and no rejection is left alone. */
import { expect } from 'chai';
import express, { type Express, type Request } from 'express';
import mongoose, { type Connection } from 'mongoose';
import request from 'supertest';
import {
  type AuditOptions,
  type EventListeners,
  type Filters,
  memoryProvider,
  stdoutAnchor,
  type SecretProvider,
  strongroom,
  type Strongroom,
} from '../../src/index.js';
import { startMongod } from '../mongod.js';
import { scenario } from './scenario.js';

type Behaviour = () => unknown;
type Hostile = (...given: unknown[]) => never;

function complain(): never {
  throw new Error('of the app');
}

/** An object at which nothing can be done. */
function untouchable(): object {
  const traps = Object.getOwnPropertyNames(Reflect).map((name) => [name, complain]);
  return new Proxy({}, Object.fromEntries(traps) as ProxyHandler<object>);
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  'throws an error': complain,
  'throws null': () => {
    // oxlint-disable-next-line no-throw-literal -- what is hostile need not be polite.
    throw null as unknown as Error;
  },
  'throws what cannot be touched': () => {
    throw untouchable() as Error;
  },
  rejects: () => Promise.reject(new Error('of the app, later')),
  'rejects with undefined': () => Promise.reject(undefined),
  'rejects later': () => new Promise((_, reject) => void setTimeout(reject, 5, new Error('of the app, much later'))),
  hangs: () => new Promise(() => undefined),
  'gives undefined': () => undefined,
  'gives null': () => null,
  'gives NaN': () => Number.NaN,
  'gives a symbol': () => Symbol('of the app'),
  'gives a bigint': () => 10n,
  'gives a function': () => complain,
  'gives a list': () => [[]],
  'gives an object of nothing known': () => ({ id: {}, role: [], action: 1, meta: 2, onBehalfOf: Symbol('x') }),
  'gives what cannot be touched': untouchable,
  'gives a revoked proxy': revoked,
  'gives getters that throw': () => ({
    get id() {
      return complain();
    },
    get then() {
      return complain();
    },
    get toJSON() {
      return complain();
    },
  }),
  'gives a promise of its own kind': () => ({ then: complain }),
  'gives a promise that answers twice': () => ({
    then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      resolve(untouchable());
      reject(new Error('of the app'));
    },
  }),
  'gives a cycle': () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    return cycle;
  },
  'gives a long text': () => '\ud800'.repeat(200_000),
};

/** A room's options with one hostile member, and whether a login is still recorded then, whatever the member does. */
interface Target {
  readonly audit?: (hostile: Hostile) => Partial<AuditOptions>;
  readonly events?: (hostile: Hostile) => EventListeners;
  readonly filters?: (hostile: Hostile) => Filters;
  readonly provider?: (hostile: Hostile) => SecretProvider;
  /** What stands in `req`, as middleware of the app puts it there. */
  readonly request?: (req: Request, hostile: Hostile) => void;
  readonly isRecorded: boolean;
}

function getter(name: string): Target {
  const request = (req: Request, hostile: Hostile): void => {
    Object.defineProperty(req, name, { get: hostile, configurable: true });
  };
  return { request, isRecorded: true };
}

const RULE = { method: 'POST', path: 'login', action: 'auth.login' } as const;

const TARGETS: Readonly<Record<string, Target>> = {
  actor: { audit: (hostile) => ({ actor: hostile }), isRecorded: true },
  requestId: { audit: (hostile) => ({ requestId: hostile }), isRecorded: true },
  tenant: { audit: (hostile) => ({ tenant: hostile }), isRecorded: true },
  // Whether the rule applies is what it is asked for.
  'rules.when': { audit: (hostile) => ({ rules: [{ ...RULE, when: hostile }] }), isRecorded: false },
  'rules.when of a strict action': {
    audit: (hostile) => ({ rules: [{ ...RULE, when: hostile }], strict: [RULE.action] }),
    isRecorded: true,
  },
  'rules.describe': { audit: (hostile) => ({ rules: [{ ...RULE, describe: hostile }] }), isRecorded: true },
  'anchors.put': { audit: (hostile) => ({ evidence: { anchors: [{ put: hostile }] } }), isRecorded: true },
  'anchors.latest': {
    audit: (hostile) => ({ evidence: { anchors: [{ put: () => Promise.resolve(), latest: hostile }] } }),
    isRecorded: true,
  },
  'the provider of secrets': {
    provider: (hostile) => ({ name: 'hostile', get: hostile }),
    isRecorded: true,
  },
  'audit:draft': { filters: (hostile) => ({ 'audit:draft': hostile }), isRecorded: false },
  'audit:redact': { filters: (hostile) => ({ 'audit:redact': hostile }), isRecorded: true },
  'audit:recorded': { events: (hostile) => ({ 'audit:recorded': hostile }), isRecorded: true },
  'hook:failed': {
    events: (hostile) => ({ 'hook:failed': hostile, 'audit:recorded': hostile }),
    isRecorded: true,
  },
  'secret:failed': {
    events: (hostile) => ({ 'secret:failed': hostile, 'secret:fetched': hostile }),
    isRecorded: true,
  },
  'req.user': getter('user'),
  'req.auth': getter('auth'),
  'req.session': getter('session'),
  'req.oidc': getter('oidc'),
  'req.id': getter('id'),
  'req.ip': getter('ip'),
};

function createShop(room: Strongroom, { request: prepare }: Target, hostile: Hostile): Express {
  const app = express();
  if (prepare !== undefined) {
    app.use((req, _res, next) => {
      prepare(req, hostile);
      next();
    });
  }
  app.use(room);
  app.use(express.json());
  app.post('/login', (req, res) => {
    const { password } = req.body as { password: string };
    req.audit.outcome({ actor: { id: 'u1@example.com' } });
    res.status(password === 'right' ? 200 : 401).json({});
  });
  app.post('/logout', (_req, res) => void res.status(204).end());
  app.put('/users/:id/role', (_req, res) => void res.status(403).json({}));
  app.get('/hello', (_req, res) => void res.send('hello'));
  return app;
}

function textOf(reason: unknown): string {
  try {
    return String(reason);
  } catch {
    return 'what cannot be told';
  }
}

describe('Hostile members', function suite() {
  this.timeout(60_000);
  let stop: () => Promise<unknown>;
  let connection: Connection;
  /** What Node was left alone with, as text: an assertion could not even print some of it. */
  const alone: string[] = [];
  const kept = new Map<string, NodeJS.ExitListener[]>();

  before(async () => {
    const server = await startMongod();
    stop = () => server.stop();
    connection = await mongoose.createConnection(server.getUri('hostile')).asPromise();
  });
  after(async () => {
    await connection.close();
    await stop();
  });
  beforeEach(() => {
    alone.length = 0;
    for (const event of ['unhandledRejection', 'uncaughtException']) {
      kept.set(event, process.listeners(event as 'exit'));
      process.removeAllListeners(event);
      process.on(event, (reason: unknown) => alone.push(`${event}: ${textOf(reason)}`));
    }
  });
  afterEach(() => {
    for (const [event, listeners] of kept) {
      process.removeAllListeners(event);
      for (const listener of listeners) process.on(event, listener);
    }
  });

  async function expectNobodyAlone(): Promise<void> {
    // A rejection is told as unhandled after the turn in which nobody took it; some come later by themselves.
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([...new Set(alone)]).to.deep.equal([]);
  }

  /** One room whose member behaves badly: what its requests were answered, and how many logins it stored. */
  async function visit(target: Target, behaviour: Behaviour): Promise<{ statuses: number[]; logins: number }> {
    const hostile = behaviour as Hostile;
    const collection = `trail_${Math.random().toString(36).slice(2)}`;
    const room = strongroom({
      environment: 'test',
      secrets: { provider: target.provider?.(hostile) ?? memoryProvider({}), timeout: 300 },
      audit: { connection, collection, evidence: false, ...target.audit?.(hostile) },
      hooks: { events: target.events?.(hostile), filters: target.filters?.(hostile) },
    });
    const app = createShop(room, target, hostile);
    const answers = await Promise.all([
      request(app).post('/login').send({ password: 'right' }),
      request(app).post('/login').send({ password: 'wrong' }),
      request(app).post('/logout'),
      request(app).put('/users/u7/role').send({}),
      request(app).get('/hello'),
    ]);
    await room.audit.flush();
    // An anchor that hangs is waited for as long.
    await room.close({ timeout: '2s' });
    const logins = await connection.collection(collection).countDocuments({ action: 'auth.login' });
    return { statuses: answers.map(({ status }) => status), logins };
  }

  for (const [name, target] of Object.entries(TARGETS)) {
    scenario(`${name}: no request fails, no rejection is unhandled`, 60, async () => {
      const visits = Object.entries(BEHAVIOURS).map(async ([how, behaviour]) => {
        const seen = await visit(target, behaviour).catch((error: unknown) => ({ error: textOf(error) }));
        return { how, ...seen, ...(target.isRecorded ? {} : { logins: 2 }) };
      });
      const seen = await Promise.all(visits);
      const wanted = { statuses: [200, 401, 204, 403, 200], logins: 2 };
      expect(seen).to.deep.equal(Object.keys(BEHAVIOURS).map((how) => ({ how, ...wanted })));
      await expectNobodyAlone();
    });
  }

  scenario('what is recorded may misbehave in every way', 60, async () => {
    const room = strongroom({ environment: 'test', audit: { connection, collection: 'drafts', evidence: false } });
    // A promise in a draft stays the app's: nobody awaits it for the app.
    const ways = Object.entries(BEHAVIOURS).filter(([how]) => !how.startsWith('rejects'));
    const values = ways.map(([how, behaviour]) => {
      try {
        return { [how]: behaviour() };
      } catch {
        return {
          get [how]() {
            return behaviour();
          },
        };
      }
    });
    const recorded = await Promise.allSettled([
      ...values.map((meta) => room.audit.record({ action: 'user.update', meta })),
      ...values.map((value) => room.audit.record({ action: 'user.update', ...Object.create(value) } as never)),
      ...values.map((value) => room.audit.record(value as never)),
      ...values.map((value) => room.audit.recordLogin({ userId: value as never, success: true })),
      ...values.map((value) => room.audit.recordFailure({ action: 'a.b', target: 'c', error: value as never })),
    ]);
    await room.audit.flush();
    const stored = recorded.filter(({ status }) => status === 'fulfilled').length;
    expect(stored).to.be.at.least(values.length);
    expect(await connection.collection('drafts').countDocuments()).to.equal(stored);
    const codes = recorded.flatMap((answer) =>
      answer.status === 'rejected' ? [(answer.reason as { code?: string }).code] : [],
    );
    expect([...new Set(codes)]).to.deep.equal(['ERR_STRONGROOM_OPTIONS_INVALID']);
    await room.close();
    await expectNobodyAlone();
  });

  for (const [how, behaviour] of Object.entries(BEHAVIOURS).slice(0, 7)) {
    scenario(`standard output and error, patched by a logger that ${how}, fail no request`, 20, async () => {
      // Nothing listens there: every event is too much, and is told to be lost.
      const uri = 'mongodb://127.0.0.1:1/nobody';
      const room = strongroom({
        environment: 'test',
        audit: { uri, maxPendingBytes: 65_536, evidence: { anchors: [stdoutAnchor({ every: 1 })] } },
      });
      const app = createShop(room, TARGETS['actor'] as Target, behaviour as Hostile);
      const agent = request(app);
      const { stdout, stderr, emitWarning } = process;
      const writes = [stdout.write, stderr.write] as const;
      Object.assign(stderr, { write: behaviour });
      Object.assign(stdout, { write: behaviour });
      Object.assign(process, { emitWarning: behaviour });
      const statuses: number[] = [];
      try {
        for (let count = 0; count < 200; count += 1) {
          statuses.push((await agent.post('/login').send({ password: 'wrong' })).status);
        }
        await room.close({ timeout: 10 });
      } finally {
        stdout.write = writes[0];
        stderr.write = writes[1];
        process.emitWarning = emitWarning;
      }
      expect(new Set(statuses)).to.deep.equal(new Set([401]));
      expect(room.audit.stats().lost).to.be.above(100);
      await expectNobodyAlone();
    });
  }
});

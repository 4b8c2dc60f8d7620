/** One act, one event: what was seen of a request, and what of it is stored. */
import { expect } from 'chai';
import express, { type Express, type Request, type Response } from 'express';
import mongoose, { type Connection } from 'mongoose';
import request from 'supertest';
import { createSightings, type Witness } from '../../src/audit/sightings.js';
import { type AuditDraft, type AuditEvent, strongroom, type Strongroom } from '../../src/index.js';
import { startMongod } from '../mongod.js';
import { startTrailServer, type TrailServer } from '../trail-server.js';
import { createPassport, mountPassport, PASSPORTS, PASSWORD, type PassportRequest, USERS } from './passport-app.js';

type Seen = readonly [source: Witness | 'api', draft: Partial<AuditDraft>];

const change = (targetId: string | null, more: Partial<AuditDraft> = {}): Partial<AuditDraft> => ({
  targetId,
  status: 'success',
  ...more,
});
const DATABASE_ID = '65f0c0ffee65f0c0ffee65f0';

/** Of `user.role_change`, unless it says otherwise. `api` is stored at once, and not in the list. */
const MERGES: readonly (readonly [what: string, seen: readonly Seen[], stored: readonly string[]])[] = [
  ['a route alone', [['route', change('u1')]], ['route success u1']],
  [
    'a route and the data layer',
    [
      ['route', change('u1')],
      ['mongoose', change('u1')],
    ],
    ['mongoose success u1'],
  ],
  [
    'a route that names the user otherwise than the data layer',
    [
      ['route', change('alice')],
      ['mongoose', change(DATABASE_ID)],
    ],
    [`mongoose success ${DATABASE_ID}`],
  ],
  [
    'two users in one request, and the route that led to both',
    [
      ['mongoose', change('u1')],
      ['mongoose', change('u2')],
      ['route', change('u1')],
    ],
    ['mongoose success u1', 'mongoose success u2'],
  ],
  [
    'the same user twice, in two writes',
    [
      ['mongoose', change('u1')],
      ['mongoose', change('u1')],
    ],
    ['mongoose success u1', 'mongoose success u1'],
  ],
  ['a refusal that the data layer never saw', [['route', change('u1', { status: 'failure' })]], ['route failure u1']],
  [
    'a broken answer after the change was made',
    [
      ['route', change('u1', { status: 'error' })],
      ['mongoose', change('u1')],
    ],
    ['mongoose success u1'],
  ],
  [
    'a call of the app, and everybody else',
    [
      ['api', change('u1')],
      ['mongoose', change('u1')],
      ['route', change('x')],
    ],
    [],
  ],
  [
    'a call of the app without a target',
    [
      ['api', change(null)],
      ['mongoose', change('u1')],
    ],
    [],
  ],
  [
    'a call of the app about another user',
    [
      ['api', change('u1')],
      ['mongoose', change('u2')],
      ['route', change('u2')],
    ],
    ['mongoose success u2'],
  ],
  [
    'passport, another integration and the route',
    [
      ['route', change(null)],
      ['integration', change('u1')],
      ['passport', change('u1')],
    ],
    ['passport success u1'],
  ],
  [
    'another act',
    [
      ['route', change('u1', { action: 'auth.register' })],
      ['passport', change('u1', { action: 'auth.login' })],
    ],
    ['passport success u1', 'route success u1'],
  ],
  [
    'another kind of target',
    [
      ['mongoose', change('u1', { target: 'team' })],
      ['mongoose', change('u1')],
    ],
    ['mongoose success u1', 'mongoose success u1'],
  ],
];

describe('One act, one event: what witnesses say', () => {
  for (const [what, seen, stored] of MERGES) {
    it(`${what}: ${stored.join(', ') || 'nothing more'}`, () => {
      const sightings = createSightings();
      for (const [source, said] of seen) {
        const draft = { action: 'user.role_change', target: 'user', ...said };
        if (source === 'api') sightings.noteExplicit(draft.action, draft.target, draft.targetId);
        else sightings.add({ source, draft });
      }
      const lines = sightings.settle().map(({ source, draft }) => `${source} ${draft.status} ${draft.targetId}`);
      expect(lines).to.deep.equal(stored);
    });
  }
});

type Handler = (req: PassportRequest, done: () => void) => unknown;

const logIn =
  (user: string): Handler =>
  (req, done) =>
    req.logIn(USERS[user], done);
const logOut: Handler = (req, done) => req.logOut(done);
const record =
  (draft: AuditDraft): Handler =>
  (req, done) => {
    void req.audit.record(draft);
    done();
  };

/** A request to a path whose handler does these, in turn; somebody is signed in where a name stands before it. */
interface Row {
  readonly what: string;
  readonly path: string;
  readonly by?: 'alice';
  readonly does: readonly Handler[];
  readonly stored: readonly string[];
}

const ROWS: readonly Row[] = [
  {
    what: 'a login that only the route sees',
    path: '/login',
    does: [(req, done) => (req.audit.outcome({ actor: { id: 'bob' } }), done())],
    stored: ['route auth.login success bob'],
  },
  { what: 'a login by passport', path: '/login', does: [logIn('bob')], stored: ['passport auth.login success bob'] },
  {
    what: 'a login that the app records too',
    path: '/login',
    does: [logIn('bob'), (req, done) => (void req.audit.recordLogin({ userId: 'bob', success: true }), done())],
    stored: ['api auth.login success bob'],
  },
  {
    what: 'a login of one, and a failed one of another that the app records',
    path: '/login',
    does: [logIn('bob'), (req, done) => (void req.audit.recordLogin({ userId: 'eve', success: false }), done())],
    stored: ['api auth.login failure eve', 'passport auth.login success bob'],
  },
  {
    what: 'a login that is recorded in a service far from the request',
    path: '/login',
    does: [(_req, done) => (void current.audit.recordLogin({ userId: 'bob', success: true }), done())],
    stored: ['api auth.login success bob'],
  },
  {
    what: 'a registration that logs in',
    path: '/register',
    does: [logIn('bob')],
    stored: ['route auth.register success bob', 'passport auth.login success bob'],
  },
  {
    what: 'a registration that the app records, and that logs in',
    path: '/register',
    does: [
      (req, done) => (void req.audit.recordRegistration({ userId: 'bob', email: 'b@example.com' }), done()),
      logIn('bob'),
    ],
    stored: ['api auth.register success bob', 'passport auth.login success bob'],
  },
  {
    what: 'a logout by passport',
    path: '/logout',
    by: 'alice',
    does: [logOut],
    stored: ['passport auth.logout success alice'],
  },
  {
    what: 'a logout called twice',
    path: '/logout',
    by: 'alice',
    does: [logOut, logOut],
    stored: ['passport auth.logout success alice'],
  },
  {
    what: 'a change of user',
    path: '/switch',
    by: 'alice',
    does: [logOut, logIn('bob')],
    stored: ['passport auth.logout success alice', 'passport auth.login success bob'],
  },
  {
    what: 'a role change that the app records with the id of the database',
    path: '/users/alice/role',
    by: 'alice',
    does: [
      (req, done) => {
        void req.audit.recordRoleChange({ userId: DATABASE_ID, oldRole: 'user', newRole: 'editor' });
        done();
      },
    ],
    stored: [`api user.role_change success ${DATABASE_ID}`],
  },
  {
    what: 'a role change that only the route sees',
    path: '/users/alice/role',
    by: 'alice',
    does: [],
    stored: ['route user.role_change success alice'],
  },
  {
    what: 'two acts that the app records, and the one of the route',
    path: '/users/bob/role',
    by: 'alice',
    does: [
      record({ action: 'billing.refund', target: 'order', targetId: 'o1' }),
      record({ action: 'billing.refund', target: 'order', targetId: 'o2' }),
    ],
    stored: ['api billing.refund success o1', 'api billing.refund success o2', 'route user.role_change success bob'],
  },
  {
    what: 'a request that is skipped, but for what the app records',
    path: '/login',
    does: [logIn('bob'), record({ action: 'device.trust', targetId: 'd1' }), (req, done) => (req.audit.skip(), done())],
    stored: ['api device.trust success d1'],
  },
];

/** The room of the running test, as a service would import it. */
let current: Strongroom;

for (const [name, base] of PASSPORTS) {
  describe(`One act, one event: in a real trail, with ${name}`, function suite() {
    this.timeout(60_000);
    let server: TrailServer;
    let connection: Connection;
    let app: Express;
    let databases = 0;

    before(async () => {
      server = await startTrailServer(startMongod);
    });
    after(() => server.stop());
    beforeEach(async () => {
      databases += 1;
      connection = await mongoose.createConnection(await server.uri(`acts_${databases}`)).asPromise();
      const passport = createPassport(base);
      current = strongroom({ environment: 'test', audit: { connection, passport } });
      app = express();
      // Mounted twice, as happens when a router brings it along.
      app.use(current);
      mountPassport(app, express, passport);
      app.use(current);
      app.post('/door', (req, res) => (req.audit.skip(), logIn('alice')(req as PassportRequest, () => res.end())));
      app.post('/form', passport.authenticate('local', { successRedirect: '/', failureRedirect: '/form' }));
    });
    afterEach(async () => {
      await current.close();
      await connection.close();
    });

    async function stored(): Promise<AuditEvent[]> {
      await current.audit.flush();
      return (await current.audit.find({ limit: 1000 })).events.toReversed();
    }

    for (const { what, path, by, does, stored: expected } of ROWS) {
      it(`${what}: ${expected.join(', ')}`, async () => {
        app.post(path, (req: Request, res: Response) => {
          const act = (left: readonly Handler[]): void => {
            const [next, ...rest] = left;
            if (next === undefined) res.json({});
            else next(req as PassportRequest, () => act(rest));
          };
          act(does);
        });
        const agent = request.agent(app);
        if (by !== undefined) await agent.post('/door').expect(200);
        await agent.post(path).expect(200);
        const events = await stored();
        expect(
          events.map(({ source, action, status, targetId }) => `${source} ${action} ${status} ${targetId ?? '-'}`),
        ).to.deep.equal(expected);
      });
    }

    it('stores no id of a session, and nothing that was typed', async () => {
      const agent = request.agent(app);
      const ids: string[] = [];
      app.post('/logout', (req, res) => {
        ids.push((req as PassportRequest).sessionID ?? '');
        logOut(req as PassportRequest, () => (ids.push((req as PassportRequest).sessionID ?? ''), res.end()));
      });
      await agent.post('/form').type('form').send({ username: 'alice', password: 'typed by mistake' });
      const { headers } = await agent.post('/form').type('form').send({ username: 'alice', password: PASSWORD });
      await agent.post('/logout');
      const events = await stored();
      expect(events).to.have.length(3);
      const cookie = decodeURIComponent(String(headers['set-cookie']).split(';')[0] ?? '');
      const text = JSON.stringify(events);
      for (const secret of [...ids, cookie, PASSWORD, 'typed by mistake']) {
        expect(secret).to.have.length.above(8);
        expect(text).to.not.include(secret);
      }
    });

    it('keeps 500 logins at once apart, each with its own user and request', async () => {
      app.post('/login', (req, res) => {
        const n = req.get('x-user') ?? '';
        setTimeout(() => {
          (req as PassportRequest).logIn({ id: `u${n}`, role: `role${n}` }, () => {
            setTimeout(() => res.end(), Math.random() * 20);
          });
        }, Math.random() * 20);
      });
      const listening = app.listen(0);
      try {
        await Promise.all(
          Array.from({ length: 500 }, (_, n) =>
            request(listening)
              .post('/login')
              .set({ 'x-user': String(n), 'x-request-id': `r${n}` }),
          ),
        );
      } finally {
        listening.close();
      }
      const events = await stored();
      expect(new Set(events.map(({ requestId }) => requestId)).size).to.equal(500);
      for (const { requestId, actorId, actorRole, targetId, source } of events) {
        const n = String(requestId).slice(1);
        expect({ actorId, actorRole, targetId, source }).to.deep.equal({
          actorId: `u${n}`,
          actorRole: `ROLE${n}`,
          targetId: `u${n}`,
          source: 'passport',
        });
      }
    });
  });
}

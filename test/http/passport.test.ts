/** Logins and logouts by real passport, over real HTTP, on both majors of Express. */
import { expect } from 'chai';
import type { Express, NextFunction, Request, Response } from 'express';
import request from 'supertest';
import type { AuditDraft } from '../../src/event.js';
import { OptionsError, strongroom } from '../../src/index.js';
import { answerError, closeAll, createRoom, EXPRESSES, listen, type RoomOptions, type TestRoom } from './app.js';
import {
  createCookieSessions,
  createOAuth2,
  createPassport,
  createSessions,
  createTokenStrategy,
  mountPassport,
  type Passport,
  PASSPORTS,
  PASSWORD,
  type PassportRequest,
  startProvider,
  USERS,
} from './passport-app.js';

const GOOD = { username: 'alice', password: PASSWORD };
const BAD = { username: 'alice', password: 'a wrong guess' };

/** What most tests compare. */
function lines(drafts: readonly AuditDraft[]): string[] {
  return drafts.map(({ action, status, reason, actorId, targetId }) =>
    [action, status, reason, actorId, targetId].map((word) => word ?? '-').join(' '),
  );
}

/** Sources beside their lines, for what comes from another than passport. */
function sources(room: TestRoom): string[] {
  return room.recorded.map(({ origin }) => origin.source);
}

const LOGIN = 'auth.login success - alice alice';
const REDIRECTED_LOGIN = 'auth.login success redirected alice alice';
const REFUSED = 'auth.login failure invalid_credentials - -';
const LOGOUT = 'auth.logout success - alice alice';

for (const [passportName, base] of PASSPORTS) {
  for (const [expressName, express] of EXPRESSES) {
    describe(`${passportName} on ${expressName}`, () => {
      let room: TestRoom;
      let app: Express;
      let passport: Passport;
      let store: { isBroken: boolean };

      /** An app with the room first, then sessions and passport. */
      function open(options: RoomOptions = {}): void {
        passport = createPassport(base);
        room = createRoom({ passport, ...options });
        app = express();
        app.set('env', 'test');
        app.use(room.middleware);
        store = mountPassport(app, express, passport);
      }
      beforeEach(() => open());
      afterEach(closeAll);

      /** A browser that is signed in already; its login is forgotten. */
      async function signedIn(): Promise<ReturnType<typeof request.agent>> {
        app.post('/door', (req, res, next) => {
          (req as PassportRequest).logIn(USERS['alice'], (error: unknown) => (error ? next(error) : res.end()));
        });
        const agent = request.agent(app);
        await agent.post('/door').expect(200);
        await room.drafts();
        room.recorded.length = 0;
        return agent;
      }

      const post = (path: string, body: object = {}, agent: any = request(app)): Promise<unknown> =>
        agent.post(path).type('form').send(body);
      const seen = async (): Promise<string[]> => lines(await room.drafts());

      describe('a login with redirects', () => {
        beforeEach(() => {
          app.post('/login', passport.authenticate('local', { successRedirect: '/', failureRedirect: '/login' }));
        });

        it('is a success when the strategy said so', async () => {
          await post('/login', GOOD);
          expect(await seen()).to.deep.equal([REDIRECTED_LOGIN]);
          const [event] = room.recorded;
          expect(event?.draft).to.include({ actorRole: 'EDITOR', target: 'user' });
          expect(event?.origin.source).to.equal('passport');
          expect(event?.http).to.deep.equal({ method: 'POST', route: '/login', status: 302 });
        });

        it('is a failure that names nobody when the strategy refused', async () => {
          await post('/login', BAD);
          expect(await seen()).to.deep.equal([REFUSED]);
          expect(sources(room)).to.deep.equal(['passport']);
          expect(room.recorded[0]?.draft).to.deep.include({ actorRole: 'USER', meta: {} });
        });

        it('is a failure of form when nothing was typed', async () => {
          await post('/login');
          expect(await seen()).to.deep.equal(['auth.login failure validation - -']);
        });

        it('names nobody when it failed, although somebody was signed in', async () => {
          await post('/login', { ...BAD, username: 'bob' }, await signedIn());
          expect(await seen()).to.deep.equal([REFUSED]);
        });

        it('names the user that came, although another was signed in', async () => {
          await post('/login', { ...GOOD, username: 'bob' }, await signedIn());
          expect(await seen()).to.deep.equal(['auth.login success redirected bob bob']);
        });

        it('is broken when the strategy gave an error, whose class alone is told', async () => {
          app.use(answerError);
          await post('/login', { ...GOOD, username: 'broken' });
          expect(await seen()).to.deep.equal(['auth.login error internal - -']);
          expect(room.recorded[0]?.draft.meta).to.deep.equal({ error: 'TypeError' });
        });

        it('is broken when the session could not be written', async () => {
          app.use(answerError);
          store.isBroken = true;
          await post('/login', GOOD);
          expect(await seen()).to.deep.equal(['auth.login error internal - -']);
          expect(room.recorded[0]?.draft.meta).to.deep.equal({ error: 'RangeError' });
        });
      });

      it('without the option a redirect counts by who came', async () => {
        open({ passport: undefined });
        app.post('/login', passport.authenticate('local', { successRedirect: '/', failureRedirect: '/login' }));
        await post('/login', GOOD);
        await post('/login', BAD);
        expect(await seen()).to.deep.equal([REDIRECTED_LOGIN, 'auth.login failure redirected - -']);
        expect(sources(room)).to.deep.equal(['passport', 'route']);
      });

      describe('a callback of the app that never sets a status', () => {
        beforeEach(() => {
          app.post('/login', (req, res, next) => {
            const answer = (_error: unknown, user: unknown): unknown => {
              if (!user) return res.json({ error: 'no' });
              if (req.query['token'] !== undefined) return res.json({ token: 't' });
              return (req as PassportRequest).logIn(user, () => res.json({ ok: true }));
            };
            passport.authenticate('local', answer)(req, res, next);
          });
        });

        it('is a failed login when the strategy refused', async () => {
          await post('/login', BAD);
          expect(await seen()).to.deep.equal([REFUSED]);
        });

        it('is a login when it logs in', async () => {
          await post('/login', GOOD);
          expect(await seen()).to.deep.equal([LOGIN]);
        });

        it('is a login when it gives a token, and names whom the strategy proved', async () => {
          await post('/login?token', GOOD);
          expect(await seen()).to.deep.equal([LOGIN]);
          expect(room.recorded[0]?.draft.actorRole).to.equal('EDITOR');
        });
      });

      it('a callback that refuses whom the strategy proved has the last word', async () => {
        app.post('/login', (req, res, next) => {
          passport.authenticate('local', () => res.status(403).end())(req, res, next);
        });
        await post('/login', GOOD);
        expect(await seen()).to.deep.equal(['auth.login failure forbidden - -']);
      });

      it('outcome() beats what passport said', async () => {
        app.post('/login', passport.authenticate('local'), (req: Request, res: Response) => {
          req.audit.outcome({ status: 'failure', reason: 'mfa_required' });
          res.json({});
        });
        await post('/login', GOOD);
        expect(await seen()).to.deep.equal(['auth.login failure mfa_required - -']);
      });

      it('outcome() completes a login that no rule sees', async () => {
        app.get('/callback', passport.authenticate('local'), (req: Request, res: Response) => {
          req.audit.outcome({ meta: { provider: 'x' } });
          res.json({});
        });
        await request(app).get('/callback').query(GOOD);
        expect(await seen()).to.deep.equal([LOGIN]);
        expect(room.recorded[0]?.draft.meta).to.deep.equal({ provider: 'x' });
      });

      it('skip() leaves out what passport said, too', async () => {
        app.post('/login', (req, _res, next) => (req.audit.skip(), next()), passport.authenticate('local'));
        await post('/login', BAD);
        expect(await seen()).to.deep.equal([]);
      });

      it('failWithError is a failed login', async () => {
        app.post('/login', passport.authenticate('local', { failWithError: true }));
        app.use(answerError);
        await post('/login', BAD);
        expect(await seen()).to.deep.equal([REFUSED]);
      });

      it('the plain 401 is a failed login', async () => {
        app.post('/login', passport.authenticate('local'));
        await post('/login', BAD);
        expect(await seen()).to.deep.equal([REFUSED]);
        expect(room.recorded[0]?.http.status).to.equal(401);
      });

      it('several strategies are one login: a success after failures, or one failure', async () => {
        app.post('/login', passport.authenticate(['token', 'again', 'local']), (_req: Request, res: Response) => {
          res.end();
        });
        await post('/login', GOOD);
        await post('/login', BAD);
        expect(await seen()).to.deep.equal([LOGIN, REFUSED]);
      });

      it('a strategy that is given as an object is heard, each request by itself', async () => {
        const arrived: (() => void)[] = [];
        const strategy = new (createTokenStrategy(base))();
        const { authenticate } = strategy;
        // Both are there before either is decided, and passport puts the actions of both on the one object.
        strategy.authenticate = function (this: object, req: Request): void {
          arrived.push(() => authenticate.call(this, req));
          if (arrived.length === 2) for (const decide of arrived) decide();
        };
        app.post('/login', passport.authenticate(strategy, { session: false, failureRedirect: '/login' }));
        app.post('/login', (_req, res) => res.redirect('/'));
        await Promise.all([
          request(app).post('/login').set('authorization', 'Bearer alice'),
          request(app).post('/login').set('authorization', 'Bearer nobody'),
        ]);
        expect((await seen()).toSorted()).to.deep.equal([REFUSED, REDIRECTED_LOGIN]);
      });

      it('routes that were made before the room are heard', async () => {
        const early = createPassport(base);
        const authenticate = early.authenticate('local', { failureRedirect: '/login' });
        room = createRoom({ passport: early });
        app = express();
        app.use(room.middleware);
        mountPassport(app, express, early);
        app.post('/login', authenticate, (_req, res) => void res.end());
        await post('/login', BAD);
        await post('/login', GOOD);
        expect(await seen()).to.deep.equal([REFUSED, LOGIN]);
      });

      it('a room after passport sees the same', async () => {
        room = createRoom({ passport });
        app = express();
        mountPassport(app, express, passport);
        app.use(room.middleware);
        app.post(
          '/login',
          passport.authenticate('local', { failureRedirect: '/login' }),
          (_req: Request, res: Response) => {
            res.redirect('/');
          },
        );
        await post('/login', BAD);
        await post('/login', GOOD);
        expect(await seen()).to.deep.equal([REFUSED, REDIRECTED_LOGIN]);
        expect(sources(room)).to.deep.equal(['passport', 'passport']);
      });

      it('a room after passport sees req.login by hand, too', async () => {
        room = createRoom();
        app = express();
        mountPassport(app, express, passport);
        app.use(room.middleware);
        app.post('/magic', (req, res) => (req as PassportRequest).login(USERS['alice'], () => res.end()));
        await post('/magic');
        expect(await seen()).to.deep.equal([LOGIN]);
      });

      describe('session: false', () => {
        const api = { session: false };
        it('is no login at the requests of an API, good or bad', async () => {
          app.get('/api/things', passport.authenticate('token', api), (_req: Request, res: Response) => void res.end());
          await request(app).get('/api/things').set('authorization', 'Bearer alice').expect(200);
          await request(app).get('/api/things').expect(401);
          expect(await seen()).to.deep.equal([]);
        });

        it('is a login on a login rule', async () => {
          app.post('/login', passport.authenticate('local', api), (_req: Request, res: Response) => {
            res.json({ token: 't' });
          });
          await post('/login', GOOD);
          await post('/login', BAD);
          expect(await seen()).to.deep.equal([LOGIN, REFUSED]);
        });

        it('is a failed login when the handler after it says no', async () => {
          app.post('/login', passport.authenticate('local', api), (_req: Request, res: Response) => {
            res.status(423).end();
          });
          await post('/login', GOOD);
          expect(await seen()).to.deep.equal(['auth.login failure locked - -']);
        });
      });

      it('req.login by hand is a login wherever it is called, without a rule and without the option', async () => {
        open({ passport: undefined });
        app.post('/magic', (req, res, next) => {
          (req as PassportRequest).login(USERS['bob'], { keepSessionInfo: true }, (error: unknown) => {
            if (error) next(error);
            else res.end();
          });
        });
        await post('/magic');
        expect(await seen()).to.deep.equal(['auth.login success - bob bob']);
        expect(room.recorded[0]?.draft.actorRole).to.equal('ADMIN');
      });

      it('the user is found under the property that passport was told, and by the resolver of the app', async () => {
        passport = createPassport(base);
        room = createRoom({ passport, actor: ({ account }: any) => account && { id: `u-${account.id}` } });
        app = express();
        app.use(room.middleware);
        app.use(
          express.urlencoded({ extended: false }),
          createSessions().middleware,
          passport.initialize({ userProperty: 'account' }),
        );
        app.use(passport.session());
        app.post('/login', passport.authenticate('local'), (_req: Request, res: Response) => void res.end());
        app.post('/logout', (req, res) => (req as PassportRequest).logOut(() => res.end()));
        const agent = request.agent(app);
        await post('/login', GOOD, agent);
        await post('/logout', {}, agent);
        expect(await seen()).to.deep.equal([
          'auth.login success - u-alice u-alice',
          'auth.logout success - u-alice u-alice',
        ]);
      });

      it('a registration that logs in is two acts', async () => {
        app.post('/register', (req, res, next) => {
          (req as PassportRequest).logIn(USERS['alice'], (error: unknown) => (error ? next(error) : res.redirect('/')));
        });
        await post('/register', { email: 'alice@example.com' });
        expect(await seen()).to.deep.equal(['auth.register success redirected alice alice', REDIRECTED_LOGIN]);
        expect(room.recorded[0]?.draft.meta).to.deep.equal({ emailDomain: 'example.com' });
        expect(sources(room)).to.deep.equal(['route', 'passport']);
      });

      it('what outcome() says of a registration is not said of its login', async () => {
        app.post('/register', (req, res) => {
          req.audit.outcome({ meta: { plan: 'free' } });
          (req as PassportRequest).logIn(USERS['alice'], () => res.end());
        });
        await post('/register', { email: 'alice@example.com' });
        const drafts = await room.drafts();
        expect(drafts.map(({ meta }) => meta)).to.deep.equal([{ emailDomain: 'example.com', plan: 'free' }, {}]);
      });

      it('a login that was kept is the act, whatever another strategy proves after it', async () => {
        const guard = passport.authenticate('token', { session: false });
        app.post('/login', passport.authenticate('local'), guard, (_req: Request, res: Response) => void res.end());
        await request(app).post('/login').set('authorization', 'Bearer bob').type('form').send(GOOD);
        expect(await seen()).to.deep.equal([LOGIN]);
      });

      it('an error of a strategy that the app answers with 4xx is as the table says', async () => {
        app.post('/login', passport.authenticate('local'));
        // oxlint-disable-next-line max-params -- Express knows an error handler by its four parameters.
        app.use((_error: unknown, _req: Request, res: Response, _next: unknown) => void res.status(429).end());
        await post('/login', { ...GOOD, username: 'broken' });
        expect(await seen()).to.deep.equal(['auth.login failure rate_limited - -']);
      });

      it('a session that cannot be restored is no login', async () => {
        app.get('/page', (_req, res) => void res.end());
        app.use(answerError);
        const agent = await signedIn();
        passport._deserializers.length = 0;
        await agent.get('/page').expect(500);
        expect(await seen()).to.deep.equal([]);
      });

      it('an instance is listened to once, however many rooms there are, and only by the rooms that have it', async () => {
        const { _strategy, authenticate } = passport;
        createRoom({ passport });
        expect(passport).to.include({ _strategy, authenticate });
        const stranger = createRoom();
        const outer = express();
        outer.use(stranger.middleware, app);
        app.post('/login', passport.authenticate('local', { failureRedirect: '/login' }));
        await post('/login', BAD, request(outer));
        expect(lines(await stranger.drafts())).to.deep.equal(['auth.login failure redirected - -']);
        expect(await seen()).to.deep.equal([REFUSED]);
      });

      for (const wrong of ['passport', {}, { authenticate: () => undefined }]) {
        it(`is refused as an option when it is none: ${JSON.stringify(wrong)}`, () => {
          const act = (): unknown => strongroom({ audit: { uri: 'mongodb://localhost/x', passport: wrong as object } });
          expect(act).to.throw(OptionsError, /^audit\.passport must be the app's passport instance/);
        });
      }

      it('the session strategy and pass() are no login', async () => {
        passport.use('nobody', Object.assign(new base.Strategy(), { authenticate: passes }));
        app.get(
          '/page',
          passport.authenticate(['session', 'nobody']),
          (_req: Request, res: Response) => void res.end(),
        );
        app.get('/open', passport.authenticate('nobody'), (_req: Request, res: Response) => void res.end());
        const agent = await signedIn();
        await agent.get('/page').expect(200);
        await agent.get('/open').expect(200);
        expect(await seen()).to.deep.equal([]);
      });

      describe('a logout', () => {
        for (const options of [{}, { keepSessionInfo: true }]) {
          it(`names who was there, with ${JSON.stringify(options)}`, async () => {
            app.post('/logout', (req, res, next) => {
              (req as PassportRequest).logout(options, (error: unknown) => (error ? next(error) : res.redirect('/')));
            });
            await post('/logout', {}, await signedIn());
            expect(await seen()).to.deep.equal(['auth.logout success redirected alice alice']);
            expect(room.recorded[0]?.draft.actorRole).to.equal('EDITOR');
            expect(sources(room)).to.deep.equal(['passport']);
          });
        }

        it('is seen wherever it is called', async () => {
          app.get('/bye', (req, res, next) => {
            (req as PassportRequest).logOut((error: unknown) => (error ? next(error) : res.end()));
          });
          await (await signedIn()).get('/bye');
          expect(await seen()).to.deep.equal([LOGOUT]);
        });

        it('that fails is broken, although the user is gone from the request and the answer looks good', async () => {
          app.post('/logout', (req, res) => {
            store.isBroken = true;
            (req as PassportRequest).logout(() => {
              store.isBroken = false;
              res.redirect('/');
            });
          });
          await post('/logout', {}, await signedIn());
          expect(await seen()).to.deep.equal(['auth.logout error internal alice alice']);
          expect(room.recorded[0]?.draft.meta).to.deep.equal({ error: 'RangeError' });
        });

        it('that worked at the second try is done', async () => {
          app.post('/logout', (req, res) => {
            store.isBroken = true;
            (req as PassportRequest).logout(() => {
              store.isBroken = false;
              (req as PassportRequest).logout(() => res.end());
            });
          });
          await post('/logout', {}, await signedIn());
          expect(await seen()).to.deep.equal([LOGOUT]);
        });

        it('without its callback is broken, as passport has it', async () => {
          app.post('/logout', (req, res) => {
            (req as PassportRequest).logout();
            res.end();
          });
          app.use(answerError);
          await post('/logout', {}, await signedIn());
          expect(await seen()).to.deep.equal(['auth.logout error internal alice alice']);
        });

        it('of nobody is a failure on a rule, and nothing elsewhere', async () => {
          const leave = (req: Request, res: Response): void => (req as PassportRequest).logout(() => res.redirect('/'));
          app.post('/logout', leave);
          app.get('/bye', leave);
          await post('/logout');
          await request(app).get('/bye');
          expect(await seen()).to.deep.equal(['auth.logout failure unauthenticated - -']);
        });
      });

      it('cookie-session logs in and out the same', async () => {
        room = createRoom({ passport });
        app = express();
        app.use(room.middleware, express.urlencoded({ extended: false }), ...createCookieSessions());
        app.use(passport.initialize(), passport.session());
        app.post('/login', passport.authenticate('local', { successRedirect: '/', failureRedirect: '/login' }));
        app.post('/logout', (req, res) => (req as PassportRequest).logout(() => res.redirect('/')));
        const agent = request.agent(app);
        await post('/login', BAD, agent);
        await post('/login', GOOD, agent);
        await post('/logout', {}, agent);
        expect(await seen()).to.deep.equal([REFUSED, REDIRECTED_LOGIN, 'auth.logout success redirected alice alice']);
      });

      it('two rooms hear it, once each', async () => {
        const other = createRoom({ passport });
        const outer = express();
        outer.use(other.middleware, app);
        app.post('/login', passport.authenticate('local'), (_req: Request, res: Response) => void res.end());
        await post('/login', GOOD, request(outer));
        expect([await seen(), lines(await other.drafts())]).to.deep.equal([[LOGIN], [LOGIN]]);
      });

      describe('OAuth2', () => {
        let provider: Awaited<ReturnType<typeof startProvider>>;
        let url: string;
        beforeEach(async () => {
          provider = await startProvider();
          url = `http://127.0.0.1:${await listen(app)}`;
          passport.use('oauth2', createOAuth2(provider.url, `${url}/auth/callback`));
          passport.use('link', createOAuth2(provider.url, `${url}/link/callback`));
          app.post('/login', passport.authenticate('oauth2'));
          app.get('/auth/callback', passport.authenticate('oauth2', { failureRedirect: '/login' }), goHome);
          app.get('/link', passport.authorize('link'));
          app.get('/link/callback', passport.authorize('link', { failureRedirect: '/' }), goHome);
          app.use(answerError);
        });
        afterEach(() => provider.close());

        /** Goes to the provider and back, as a browser does; `bend` changes the way back. */
        async function travel(agent: any, start: any, bend = (back: URL): unknown => back): Promise<void> {
          const asked = await start;
          const answer = await fetch(asked.headers.location, { redirect: 'manual' });
          const back = new URL(answer.headers.get('location') ?? '');
          bend(back);
          await agent.get(back.pathname + back.search);
        }

        it('is a login when it is over, and nothing when it only begins', async () => {
          const agent = request.agent(url);
          const start = await agent.post('/login').expect(302);
          expect(await seen()).to.deep.equal([]);
          await travel(agent, start);
          expect(await seen()).to.deep.equal([REDIRECTED_LOGIN]);
          expect(room.recorded[0]?.http).to.deep.equal({ method: 'GET', route: '/auth/callback', status: 302 });
        });

        it('is a failed login when the user says no, and when the state is not ours', async () => {
          const agent = request.agent(url);
          await travel(agent, agent.post('/login'), (back) => (back.search = '?error=access_denied'));
          await travel(agent, agent.post('/login'), (back) => back.searchParams.set('state', 'another'));
          expect(await seen()).to.deep.equal([REFUSED, REFUSED.replace('invalid_credentials', 'forbidden')]);
        });

        it('that fails while somebody is signed in is that, and no denied access too', async () => {
          app.get('/sso', (req: Request, _res: Response, next: NextFunction) => {
            req.audit.outcome({ reason: 'no_ticket' });
            next();
          });
          app.get('/sso', passport.authenticate('oauth2'));
          const agent = await signedIn();
          await agent.get('/auth/callback?code=1&state=another').expect(302);
          await agent.get('/sso?code=1&state=another').expect(403);
          expect(await seen()).to.deep.equal(['auth.login failure forbidden - -', 'auth.login failure no_ticket - -']);
        });

        it('is broken when the provider refuses the code', async () => {
          const agent = request.agent(url);
          await travel(agent, agent.post('/login'), (back) => back.searchParams.set('code', 'stolen'));
          expect(await seen()).to.deep.equal(['auth.login error internal - -']);
        });

        it('authorize() links an account, and logs nobody in', async () => {
          const agent = request.agent(url);
          await travel(agent, agent.get('/link'));
          await travel(agent, agent.get('/link'), (back) => (back.search = '?error=access_denied'));
          expect(await seen()).to.deep.equal([]);
        });
      });
    });
  }
}

function goHome(_req: Request, res: Response): void {
  res.redirect('/');
}

function passes(this: { pass(): void }): void {
  this.pass();
}

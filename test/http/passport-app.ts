/** Apps with real passport, sessions and an OAuth2 provider, for tests of what is seen of them. It expects nothing. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
// @ts-expect-error -- has no types
import cookieSession from 'cookie-session';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
// @ts-expect-error -- has no types
import expressSession from 'express-session';
import passport07 from 'passport';
// @ts-expect-error -- has no types
import LocalStrategy from 'passport-local';
// @ts-expect-error -- has no types
import OAuth2Strategy from 'passport-oauth2';
// @ts-expect-error -- has no types
import passport06 from 'passport06';
import type { ExpressModule } from './app.js';

/** A request as passport makes it. */
export type PassportRequest = Request & {
  user?: unknown;
  session?: any;
  sessionID?: string;
  logIn(user: unknown, ...rest: any[]): void;
  login(user: unknown, ...rest: any[]): void;
  logOut(...rest: any[]): void;
  logout(...rest: any[]): void;
};

/** An instance of passport; it has no types of its own. */
export type Passport = any;

/** Both versions, by name. */
export const PASSPORTS: readonly (readonly [string, Passport])[] = [
  ['passport 0.7', passport07],
  ['passport 0.6', passport06],
];

/** Users of the tests. */
export const USERS: Readonly<Record<string, { id: string; role: string }>> = {
  alice: { id: 'alice', role: 'editor' },
  bob: { id: 'bob', role: 'admin' },
};
export const PASSWORD = 'open sesame';

/** An instance with the strategies `local`, `again` (local under another name) and `token`; its users are the ones above. */
export function createPassport(base: Passport): Passport {
  const passport = new base.Passport();
  const verify = (name: string, password: string, done: (error: unknown, user?: unknown) => void): void => {
    // Later, as with a database.
    setImmediate(() => {
      if (name === 'broken') return done(new TypeError('the database is away'));
      return done(null, password === PASSWORD ? (USERS[name] ?? false) : false);
    });
  };
  passport.use(new LocalStrategy(verify));
  passport.use('again', new LocalStrategy({ usernameField: 'other', passwordField: 'otherPassword' }, verify));
  passport.use('token', new (createTokenStrategy(base))());
  passport.serializeUser((user: { id: string }, done: (error: unknown, id?: string) => void) => done(null, user.id));
  passport.deserializeUser((id: string, done: (error: unknown, user?: unknown) => void) => done(null, USERS[id]));
  return passport;
}

/** As the strategies for JWT: a header names the user, at each request. */
export function createTokenStrategy(base: Passport): new () => any {
  return class TokenStrategy extends base.Strategy {
    readonly name = 'token';

    authenticate(this: any, req: Request): void {
      const user = USERS[(req.get('authorization') ?? '').replace('Bearer ', '')];
      if (user === undefined) this.fail('Bearer realm="users"');
      else this.success(user);
    }
  };
}

/** Sessions of express-session; the store can be told to fail. */
export function createSessions(): { middleware: RequestHandler; store: { isBroken: boolean } } {
  class Store extends expressSession.MemoryStore {
    isBroken = false;
    set(id: string, session: unknown, done: (error?: unknown) => void): void {
      if (this.isBroken) done(new RangeError('the store is full'));
      else super.set(id, session, done);
    }
  }
  const store = new Store();
  const options = { store, secret: 'only for tests', resave: false, saveUninitialized: false };
  return { middleware: expressSession(options), store };
}

/** Sessions of cookie-session, with the two functions that passport 0.6 and later ask for. */
export function createCookieSessions(): RequestHandler[] {
  return [
    cookieSession({ keys: ['only for tests'] }),
    (req: Request, _res: Response, next: NextFunction) => {
      const { session } = req as PassportRequest;
      session.regenerate ??= (done: () => void) => done();
      session.save ??= (done: () => void) => done();
      next();
    },
  ];
}

/** An OAuth2 provider: it asks nobody, and names the user that the app asked for by `login_hint`. */
export async function startProvider(): Promise<{ url: string; close: () => Promise<unknown> }> {
  const server = http.createServer((req, res) => {
    const url = new URL(req.url ?? '/', 'http://provider');
    if (url.pathname === '/authorize') {
      const back = new URL(url.searchParams.get('redirect_uri') ?? '');
      back.searchParams.set('state', url.searchParams.get('state') ?? '');
      back.searchParams.set('code', 'code-of-alice');
      res.writeHead(302, { location: back.href }).end();
      return;
    }
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const isGood = new URLSearchParams(body).get('code') === 'code-of-alice';
      res.writeHead(isGood ? 200 : 400, { 'content-type': 'application/json' });
      res.end(JSON.stringify(isGood ? { access_token: 'alice', token_type: 'bearer' } : { error: 'invalid_grant' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}

/** The strategy for that provider. */
export function createOAuth2(provider: string, callbackURL: string): any {
  const strategy = new OAuth2Strategy(
    {
      authorizationURL: `${provider}/authorize`,
      tokenURL: `${provider}/token`,
      clientID: 'app',
      clientSecret: 'only for tests',
      callbackURL,
      state: true,
    },
    // oxlint-disable-next-line max-params -- as passport-oauth2 calls it
    (token: string, _refresh: string, _profile: unknown, done: (error: unknown, user?: unknown) => void) =>
      done(null, USERS[token] ?? false),
  );
  return strategy;
}

/** Form parser, sessions and passport, in the order of passport's own documentation. */
export function mountPassport(app: Express, express: ExpressModule, passport: Passport): { isBroken: boolean } {
  const { middleware, store } = createSessions();
  app.use(express.urlencoded({ extended: false }), middleware, passport.initialize(), passport.session());
  return store;
}

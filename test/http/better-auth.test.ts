/** Real better-auth on its MongoDB adapter, behind a real room: what of it is recorded. */
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { betterAuth } from 'better-auth';
import { mongodbAdapter } from 'better-auth/adapters/mongodb';
import { createAuthEndpoint } from 'better-auth/api';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';
import { admin, magicLink, twoFactor } from 'better-auth/plugins';
import { expect } from 'chai';
import express, { type Express } from 'express';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose, { type Connection } from 'mongoose';
import request from 'supertest';
import { type AuditEvent, betterAuthPlugin, OptionsError, strongroom, type Strongroom } from '../../src/index.js';
import { startMongod } from '../mongod.js';

const run = promisify(execFile);
const PASSWORD = 'correct horse battery';
const ALICE = { name: 'Alice', email: 'alice@example.com', password: PASSWORD };
/** Tokens and users of sessions, users of accounts, identifiers of verifications, addresses of users. */
const ADAPTER_INDEXES = 5;
const ORIGIN = 'http://localhost:3000';

interface Options {
  emailAndPassword?: object;
  plugins?: readonly any[];
}

describe('better-auth', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryServer;
  let connection: Connection;
  let room: Strongroom;
  let databases = 0;
  let hasAuth = false;
  let indexesBuilt = 0;

  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());
  beforeEach(async () => {
    databases += 1;
    hasAuth = false;
    indexesBuilt = 0;
    const options = { monitorCommands: true };
    connection = await mongoose.createConnection(server.getUri(`better_auth_${databases}`), options).asPromise();
    connection.getClient().on('commandSucceeded', ({ commandName, reply }) => {
      // The room builds its own, many at once.
      const { numIndexesBefore, numIndexesAfter } = reply as Record<string, number>;
      if (commandName === 'createIndexes' && Number(numIndexesAfter) - Number(numIndexesBefore) === 1)
        indexesBuilt += 1;
    });
    room = strongroom({ environment: 'test', audit: { connection } });
  });
  afterEach(async () => {
    await room.close();
    await settleIndexes();
    await connection.close();
  });

  /** The adapter builds its indexes in the background, and complains when the connection goes meanwhile. */
  async function settleIndexes(): Promise<void> {
    while (hasAuth && indexesBuilt < ADAPTER_INDEXES) await setTimeout(10);
  }

  /** The plugin stands first: what follows it may change its mind about a session. */
  function createAuth({ emailAndPassword = {}, plugins = [] }: Options = {}) {
    hasAuth = true;
    return betterAuth({
      baseURL: ORIGIN,
      secret: 'only for tests, and long enough for better-auth',
      database: mongodbAdapter(connection.getClient().db() as never),
      emailAndPassword: { enabled: true, ...emailAndPassword },
      socialProviders: { github: { clientId: 'app', clientSecret: 'only for tests' } },
      plugins: [betterAuthPlugin(room), ...plugins],
      logger: { disabled: true },
      telemetry: { enabled: false },
    });
  }

  function serve(auth: ReturnType<typeof createAuth>): Express {
    const app = express();
    app.use(room);
    app.all('/api/auth/*splat', toNodeHandler(auth));
    return app;
  }

  const post = (agent: any, path: string, body: object = {}): Promise<any> =>
    agent.post(`/api/auth${path}`).set('origin', ORIGIN).send(body);

  async function events(): Promise<AuditEvent[]> {
    await room.audit.flush();
    return (await room.audit.find({ limit: 100 })).events.toReversed();
  }

  async function lines(names: Record<string, string> = {}): Promise<string[]> {
    return (await events()).map(({ action, status, reason, actorId, targetId }) =>
      [action, status, reason, names[actorId ?? ''] ?? actorId, names[targetId ?? ''] ?? targetId]
        .map((word) => word ?? '-')
        .join(' '),
    );
  }

  it('takes the plugin for one of its own', () => {
    const plugin = betterAuthPlugin(room);
    const auth = betterAuth({ plugins: [plugin], secret: 'x'.repeat(40), baseURL: ORIGIN, logger: { disabled: true } });
    expect(auth.options.plugins[0]?.id).to.equal('express-strongroom');
  });

  it('refuses anything but a room', () => {
    expect(() => betterAuthPlugin((() => undefined) as never)).to.throw(OptionsError, /takes a room/);
    expect(() => betterAuthPlugin(undefined as never)).to.throw(OptionsError, /takes a room/);
  });

  it('is recorded from sign-up to sign-out, each act once', async () => {
    const agent = request.agent(serve(createAuth()));
    const { id } = (await post(agent, '/sign-up/email', ALICE)).body.user;
    await post(agent, '/sign-out');
    await post(agent, '/sign-in/email', { ...ALICE, password: 'a wrong guess' });
    await post(agent, '/sign-in/email', ALICE);
    await post(agent, '/change-password', { currentPassword: PASSWORD, newPassword: `new ${PASSWORD}` });
    await post(agent, '/sign-out');
    await post(agent, '/sign-out');
    expect(await lines({ [id]: 'alice' })).to.deep.equal([
      'auth.register success - alice alice',
      'auth.login success - alice alice',
      'auth.logout success - alice alice',
      'auth.login failure invalid_credentials - -',
      'auth.login success - alice alice',
      'auth.password_change success - alice alice',
      'auth.logout success - alice alice',
      'auth.logout failure unauthenticated - -',
    ]);
    const stored = await events();
    expect(stored[0]?.meta).to.deep.equal({ emailDomain: 'example.com' });
    expect(stored[1]).to.deep.include({ source: 'integration', meta: {} });
    expect(stored[1]?.http).to.deep.equal({ method: 'POST', route: '/api/auth/*splat', status: 200 });
    const sessions = await connection.collection('session').find().toArray();
    for (const { token } of sessions) expect(JSON.stringify(stored)).to.not.include(token);
    expect(JSON.stringify(stored)).to.not.match(/alice@|wrong guess|correct horse/);
  });

  it('a sign-out has the role of who was there, and goes on when the user cannot be read', async () => {
    const auth = createAuth({ plugins: [admin()] });
    const agent = request.agent(serve(auth));
    const { id } = (await post(agent, '/sign-up/email', ALICE)).body.user;
    await connection.collection('user').updateOne({ email: ALICE.email }, { $set: { role: 'support' } });
    await post(agent, '/sign-out');
    await post(agent, '/sign-in/email', ALICE);
    const { internalAdapter } = await auth.$context;
    internalAdapter.findUserById = () => Promise.reject(new Error('no reading today'));
    expect((await post(agent, '/sign-out')).status).to.equal(200);
    const named = (await events()).slice(2).map(({ action, actorId, actorRole }) => [action, actorId, actorRole]);
    expect(named).to.deep.equal([
      ['auth.logout', id, 'SUPPORT'],
      ['auth.login', id, 'SUPPORT'],
      ['auth.logout', id, 'USER'],
    ]);
  });

  it('a password change that ends other sessions renews its own, and is no login', async () => {
    const agent = request.agent(serve(createAuth()));
    await post(agent, '/sign-up/email', ALICE);
    const body = { currentPassword: PASSWORD, newPassword: `new ${PASSWORD}`, revokeOtherSessions: true };
    await post(agent, '/change-password', body);
    const actions = (await events()).map(({ action }) => action);
    expect(actions).to.deep.equal(['auth.register', 'auth.login', 'auth.password_change']);
  });

  it('a sign-up with an address that is taken is no success, although it is answered 200 like one', async () => {
    const agent = request(serve(createAuth({ emailAndPassword: { autoSignIn: false } })));
    const first = await post(agent, '/sign-up/email', ALICE);
    const again = await post(agent, '/sign-up/email', { ...ALICE, name: 'Mallory' });
    expect([first.status, again.status]).to.deep.equal([200, 200]);
    const names = { [first.body.user.id]: 'alice' };
    expect(await lines(names)).to.deep.equal([
      'auth.register success - alice alice',
      'auth.register failure conflict - -',
    ]);
    expect((await events())[1]?.meta).to.deep.equal({ emailDomain: 'example.com' });
  });

  it('a sign-up that is refused openly is a failure', async () => {
    const agent = request(serve(createAuth()));
    await post(agent, '/sign-up/email', ALICE);
    await post(agent, '/sign-up/email', ALICE);
    await post(agent, '/sign-up/email', { ...ALICE, password: 'short' });
    expect((await lines()).slice(2)).to.deep.equal([
      'auth.register failure validation - -',
      'auth.register failure validation - -',
    ]);
  });

  it('a first factor alone is no login, wherever the plugin stands', async () => {
    const agent = request.agent(serve(createAuth({ plugins: [twoFactor({ issuer: 'test' })] })));
    const { id } = (await post(agent, '/sign-up/email', ALICE)).body.user;
    const { body } = await post(agent, '/two-factor/enable', { password: PASSWORD });
    const secret = new URL(body.totpURI).searchParams.get('secret') ?? '';
    await post(agent, '/two-factor/verify-totp', { code: totp(secret) });
    await post(agent, '/sign-out');
    await post(agent, '/sign-in/email', ALICE);
    await post(agent, '/two-factor/verify-totp', { code: '000000' });
    await post(agent, '/two-factor/verify-totp', { code: totp(secret) });
    expect((await lines({ [id]: 'alice' })).slice(2)).to.deep.equal([
      'auth.mfa_enable success - alice alice',
      'auth.mfa_verify success - alice alice',
      'auth.logout success - alice alice',
      'auth.login failure mfa_required - -',
      'auth.mfa_verify failure unauthenticated - -',
      'auth.login success - alice alice',
      'auth.mfa_verify success - alice alice',
    ]);
  });

  it('a redirect that it throws is neither, and a magic link is a login where it is redeemed', async () => {
    let link = '';
    const sendMagicLink = ({ url }: { url: string }): Promise<void> => Promise.resolve(void (link = url));
    const agent = request.agent(serve(createAuth({ plugins: [magicLink({ sendMagicLink })] })));
    await post(agent, '/sign-in/magic-link', { email: ALICE.email, callbackURL: '/' });
    const good = new URL(link);
    const bad = new URL(link);
    bad.searchParams.set('token', 'guessed');
    expect((await agent.get(bad.pathname + bad.search)).status).to.equal(302);
    expect((await agent.get('/api/auth/callback/github?state=forged&code=1')).status).to.equal(302);
    expect(await lines()).to.deep.equal([]);
    expect((await agent.get(good.pathname + good.search)).status).to.equal(302);
    const [registered, loggedIn, ...more] = await events();
    expect(registered).to.include({ action: 'auth.register', status: 'success' });
    expect(loggedIn).to.include({ action: 'auth.login', status: 'success', actorId: registered?.actorId });
    expect(more).to.deep.equal([]);
  });

  it('a social sign-in that begins is nothing yet', async () => {
    const agent = request(serve(createAuth()));
    const { body } = await post(agent, '/sign-in/social', { provider: 'github', callbackURL: '/' });
    expect(body.url).to.match(/^https:\/\/github\.com/);
    expect(await lines()).to.deep.equal([]);
  });

  it('a sign-in that throws a redirect is neither', async () => {
    const elsewhere = createAuthEndpoint('/sign-in/elsewhere', { method: 'POST' }, (ctx) => {
      throw ctx.redirect('https://elsewhere.example');
    });
    const agent = request(serve(createAuth({ plugins: [{ id: 'elsewhere', endpoints: { elsewhere } }] })));
    expect((await post(agent, '/sign-in/elsewhere')).status).to.equal(302);
    expect(await lines()).to.deep.equal([]);
  });

  it('what is done after the answer is recorded all the same', async () => {
    const auth = createAuth();
    const app = express();
    let later: Promise<unknown> = Promise.resolve();
    app.use(room, express.json());
    app.post('/later', (req, res) => {
      res.end();
      later = once(res, 'close').then(() => auth.api.signUpEmail({ body: req.body as typeof ALICE }));
    });
    await request(app).post('/later').send(ALICE);
    await later;
    const [registered, loggedIn] = await events();
    expect([registered?.action, loggedIn?.action]).to.deep.equal(['auth.register', 'auth.login']);
    expect(loggedIn?.http).to.deep.equal({ method: 'POST', route: '/later', status: 200 });
  });

  it('reset requests say nothing of who exists', async () => {
    const sendResetPassword = (): Promise<void> => Promise.resolve();
    const agent = request(serve(createAuth({ emailAndPassword: { sendResetPassword } })));
    await post(agent, '/request-password-reset', { email: 'nobody@example.com' });
    await post(agent, '/reset-password', { newPassword: PASSWORD, token: 'guessed' });
    expect(await lines()).to.deep.equal([
      'auth.password_reset_request success - - -',
      'auth.password_reset failure validation - -',
    ]);
  });

  it('a user whom an administrator makes is no registration, and one who goes is named', async () => {
    const auth = createAuth({ plugins: [admin()] });
    const agent = request.agent(serve(auth));
    const { id } = (await post(agent, '/sign-up/email', ALICE)).body.user;
    await connection.collection('user').updateOne({ email: ALICE.email }, { $set: { role: 'admin' } });
    const { body } = await post(agent, '/admin/create-user', { ...ALICE, email: 'bob@example.com', role: 'user' });
    await post(agent, '/admin/impersonate-user', { userId: body.user.id });
    await post(agent, '/admin/stop-impersonating');
    await post(agent, '/admin/remove-user', { userId: body.user.id });
    expect((await lines({ [id]: 'alice', [body.user.id]: 'bob' })).slice(2)).to.deep.equal([
      'user.create success - alice bob',
      'user.delete success - alice bob',
    ]);
    expect((await events()).at(-1)?.actorRole).to.equal('ADMIN');
  });

  it('is shown by an example that runs', async () => {
    const { stdout } = await run(process.execPath, ['--import', 'tsx', 'examples/better-auth/index.ts']);
    expect(stdout).to.include('auth.register failure conflict');
  });

  it('the API called in a handler belongs to its request, and outside one to none', async () => {
    const auth = createAuth();
    const app = express();
    app.use(room, express.json());
    app.post('/enter', (req, res, next) => {
      auth.api
        .signInEmail({ body: req.body as typeof ALICE, headers: fromNodeHeaders(req.headers) })
        .then(({ user }) => res.json({ id: user.id }), next);
    });
    const { user } = await auth.api.signUpEmail({ body: ALICE });
    await request(app).post('/enter').send(ALICE);
    expect(await lines({ [user.id]: 'alice' })).to.deep.equal([
      'auth.register success - alice alice',
      'auth.login success - alice alice',
      'auth.login success - alice alice',
    ]);
    const [registered, , entered] = await events();
    expect(registered).to.deep.include({ source: 'integration', http: null, meta: { emailDomain: 'example.com' } });
    expect(entered?.http).to.deep.equal({ method: 'POST', route: '/enter', status: 200 });
  });
});

/** RFC 6238, with what better-auth uses: SHA-1, six digits, thirty seconds. */
function totp(base32: string): string {
  const bits = Array.from(base32, (sign) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(sign).toString(2).padStart(5, '0'),
  );
  const bytes = bits.join('').match(/.{8}/g) ?? [];
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const key = Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

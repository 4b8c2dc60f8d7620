/** Passport after the client has gone, or while it waits. */
import { expect } from 'chai';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import request from 'supertest';
import { closeAll, createRoom, gate, hangUp, listen, rawRequest, type TestRoom, until } from './app.js';
import { createPassport, mountPassport, PASSPORTS, type PassportRequest, USERS } from './passport-app.js';

for (const [name, base] of PASSPORTS) {
  describe(`${name} and a client that goes`, () => {
    let room: TestRoom;
    let app: Express;
    let cookie: string;

    beforeEach(async () => {
      const passport = createPassport(base);
      room = createRoom({ passport });
      app = express();
      app.use(room.middleware);
      mountPassport(app, express, passport);
      app.post('/door', (req, res, next) => logInAs('alice', req as PassportRequest, () => (res.end(), next)));
      const answer = await request(app).post('/door');
      cookie = String(answer.get('Set-Cookie')?.[0]).split(';')[0] ?? '';
      await room.drafts();
      room.recorded.length = 0;
    });
    afterEach(closeAll);

    function logInAs(user: string, req: PassportRequest, then: (error: unknown) => void): void {
      req.logIn(USERS[user], then);
    }

    /** A request whose client goes while the handler waits; `act` is what the handler does then. */
    async function goAway(path: string, act: (req: PassportRequest, done: () => void) => void): Promise<void> {
      const started = gate();
      const gone = gate();
      const acted = gate();
      app.post(path, (req: Request, res: Response, _next: NextFunction) => {
        res.on('close', () => gone.open());
        started.open();
        void gone.passed.then(() => act(req as PassportRequest, () => (res.end(), acted.open())));
      });
      const port = await listen(app);
      const raw = rawRequest('POST', path).replace('Host:', `Cookie: ${cookie}\r\nHost:`);
      await hangUp(port, raw, started.passed);
      await acted.passed;
      // The hold of ten seconds ends with the room.
      await room.close();
      await until(() => room.recorded.length > 0);
    }

    it('a login that is done then is a login, and says so', async () => {
      await goAway('/login', (req, done) => logInAs('bob', req, done));
      expect(room.recorded.map(({ draft }) => draft)).to.have.length(1);
      expect(room.recorded[0]?.draft).to.deep.include({
        action: 'auth.login',
        status: 'success',
        reason: null,
        actorId: 'bob',
        targetId: 'bob',
        meta: { aborted: true },
      });
      expect(room.recorded[0]?.http.status).to.equal(null);
    });

    it('so is one that no rule sees', async () => {
      await goAway('/callback', (req, done) => logInAs('bob', req, done));
      expect(room.recorded[0]?.draft).to.deep.include({
        action: 'auth.login',
        actorId: 'bob',
        meta: { aborted: true },
      });
    });

    it('so is a logout', async () => {
      await goAway('/logout', (req, done) => req.logOut(done));
      expect(room.recorded).to.have.length(1);
      expect(room.recorded[0]?.draft).to.deep.include({
        action: 'auth.logout',
        status: 'success',
        actorId: 'alice',
        meta: { aborted: true },
      });
    });

    it('a login that was not done is none', async () => {
      await goAway('/login', (_req, done) => done());
      expect(room.recorded[0]?.draft).to.deep.include({
        action: 'auth.login',
        status: 'error',
        reason: 'client_aborted',
        actorId: null,
        meta: {},
      });
    });
  });
}

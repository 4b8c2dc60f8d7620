/** An event that waits keeps nothing but itself: its request, ten times as large, goes when it is answered, or `maxPendingBytes` would bound nothing. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import express, { type Express, type Request } from 'express';
import request from 'supertest';
import { type Strongroom, strongroom } from '../../src/index.js';

/** Nobody listens there. */
const AWAY = 'mongodb://127.0.0.1:1/audit';
const REQUESTS = 40;
/** What the last ones leave on the stack, in connections and in inline caches. */
const STILL_IN_USE = 4;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** An app that keeps each request in a storage of its own, as tracing and logging libraries do. */
function createApp(room: Strongroom, seen: WeakRef<Request>[]): Express {
  const ofTheApp = new AsyncLocalStorage<Request>();
  const app = express();
  app.use((req, _res, next) => {
    seen.push(new WeakRef(req));
    ofTheApp.run(req, next);
  });
  app.use(room, express.json());
  app.post('/auth/login', (req, res) => {
    req.audit.outcome({ actor: { id: 'u1' } });
    res.json({});
  });
  app.post('/note', (req, res) => {
    void req.audit.record({ action: 'note.write' });
    res.json({});
  });
  return app;
}

describe('a request whose event waits', function suite() {
  this.timeout(60_000);
  let folder: string;
  let room: Strongroom;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'strongroom-retention-'));
  });
  afterEach(() => room.close({ timeout: 0 }));
  after(() => rm(folder, { recursive: true, force: true }));

  for (const path of ['/auth/login', '/note'])
    for (const where of ['in memory', 'in the spool'])
      it(`is let go: ${path}, ${where}`, async () => {
        const spool = where === 'in memory' ? false : { directory: join(folder, path.slice(1, 5)) };
        room = strongroom({ environment: 'test', audit: { uri: AWAY, spool } });
        const seen: WeakRef<Request>[] = [];
        const app = createApp(room, seen);
        for (let n = 0; n < REQUESTS; n += 1) await request(app).post(path).send({ n }).expect(200);
        const isLeft = (): number => seen.filter((reference) => reference.deref() !== undefined).length;
        // A reference that was just looked at holds its object until the turn is over.
        for (let round = 0; round < 20 && isLeft() > STILL_IN_USE; round += 1) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          collectGarbage();
        }
        expect(room.audit.stats().pending).to.equal(REQUESTS);
        expect(isLeft()).to.be.at.most(STILL_IN_USE);
      });
});

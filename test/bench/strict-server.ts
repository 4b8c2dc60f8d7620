/** A server in a process of its own whose one act is recorded: by a strict room, by a room, or by a handler that awaits an insert. It tells its port, and what requests cost. */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import mongoose from 'mongoose';
import { median } from './rounds.js';
import { draft, DURABLE } from './trail.js';

/** Who records. `cost`: a room that also measures itself. */
export type Recorder = 'strict' | 'loose' | 'by-hand' | 'cost';

/** Microseconds of the event loop that the middleware takes of one request, in the median. */
export interface Cost {
  readonly plainMicros: number;
  readonly recordedMicros: number;
}

const INDEXED = ['actorId', 'action', 'targetId', 'target', 'status'];

const [, , recorder, uri, collection] = process.argv as [string, string, Recorder, string, string];
const app: Express = express();
const took = new Map<string, number[]>();
if (recorder === 'by-hand') await insertByHand();
else await useRoom();
app.get('/plain', (_req, res) => void res.json({ ok: true }));
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => {
  const cost: Cost = { plainMicros: median(took.get('/plain') ?? []), recordedMicros: median(took.get('/act') ?? []) };
  took.clear();
  process.send?.(cost);
});
process.on('disconnect', () => process.exit());

async function insertByHand(): Promise<void> {
  const connection = await mongoose.createConnection(uri).asPromise();
  const events = connection.collection(collection);
  const latest = { at: -1, _id: -1 } as const;
  await events.createIndexes([{ key: latest }, ...INDEXED.map((name) => ({ key: { [name]: 1 as const, ...latest } }))]);
  app.post('/act', (_req, res, next) => {
    const http = { method: 'POST', route: '/act', status: 200 };
    const event = {
      _id: randomUUID() as never,
      v: 1,
      at: new Date(),
      ...draft(0),
      status: 'success',
      source: 'api',
      http,
    };
    events.insertOne(event, { writeConcern: DURABLE }).then(() => res.json({ ok: true }), next);
  });
}

async function useRoom(): Promise<void> {
  const { strongroom } = await import('../../dist/esm/index.js');
  const room = strongroom({
    audit: {
      uri,
      collection,
      rules: [{ method: 'POST', path: '/act', action: 'user.update', target: 'user', describe: () => draft(0) }],
      strict: recorder === 'strict' ? ['user.update'] : false,
    },
    secrets: { provider: 'env' },
    helmet: false,
    environment: 'test',
  });
  await room.ready();
  if (recorder === 'cost') app.use(before);
  app.use(room);
  if (recorder === 'cost') app.use(after);
  app.post('/act', (_req, res) => void res.json({ ok: true }));
}

/** Around the room: its own listeners stand between these. */
function before(req: Request, res: Response, next: NextFunction): void {
  res.on('finish', () => (res.locals['endMs'] = performance.now()));
  res.locals['path'] = req.path;
  res.locals['startMs'] = performance.now();
  next();
}

function after(_req: Request, res: Response, next: NextFunction): void {
  const enteredMs = performance.now() - (res.locals['startMs'] as number);
  const path = res.locals['path'] as string;
  res.on('finish', () => {
    const micros = (enteredMs + performance.now() - (res.locals['endMs'] as number)) * 1000;
    took.set(path, took.get(path) ?? []);
    took.get(path)?.push(micros);
  });
  next();
}

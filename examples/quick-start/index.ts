/** `npm start`: finds a MongoDB, starts the app, takes the tour, and keeps serving; with `--once` it ends after the tour, 1 if anything was wrong. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Express } from 'express';
import mongoose from 'mongoose';
import { fileAnchor, memoryProvider, strongroom } from '../../src/index.js';
import { startReplicaSet } from '../../test/mongod.js';
import { createApp, openUsers } from './app.js';
import { makeKeys } from './evidence.js';
import { runTour } from './tour.js';

const isOnce = process.argv.includes('--once');
const DEFAULT_PORT = 3000;

async function main(): Promise<void> {
  const database = await openDatabase();
  const name = `strongroom_quick_start_${Date.now()}`;
  const users = await mongoose.createConnection(database.uri, { dbName: name }).asPromise();
  const trail = await mongoose.createConnection(database.uri, { dbName: `${name}_audit` }).asPromise();
  const { signingKey, vkey } = makeKeys();
  const anchorPath = join(await mkdtemp(join(tmpdir(), 'strongroom-')), 'checkpoints');
  const values = { TOKEN_KEY: randomBytes(32).toString('hex'), AUDIT_SIGNING_KEY: signingKey };
  const room = strongroom({
    environment: 'development',
    // Memory is for development only: in production this line is refused.
    secrets: { provider: memoryProvider(values), required: ['TOKEN_KEY'] },
    audit: { connection: trail, app: 'quick-start', evidence: { anchors: [fileAnchor(anchorPath, { every: 0 })] } },
  });
  console.log('ready:', JSON.stringify(await room.ready()));
  const Users = openUsers(room, users);
  const server = await listen(createApp(room, Users));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function stop(): Promise<void> {
    server.close();
    server.closeAllConnections();
    await room.close();
    await Promise.all([users.close(), trail.close(), admin.close()]);
    await rm(dirname(anchorPath), { recursive: true });
    await database.stop([name, `${name}_audit`]);
  }

  const admin = await mongoose.createConnection(database.uri, { dbName: `${name}_audit` }).asPromise();
  const problems = await runTour({ base, room, Users, proving: { room, vkey, admin, anchorPath } });
  for (const problem of problems) console.error(`NOT AS IT SHOULD BE: ${problem}`);
  if (isOnce) {
    await stop();
    process.exitCode = problems.length === 0 ? 0 : 1;
    return;
  }
  console.log(`\nServing at ${base}; Ctrl-C ends it.`);
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
}

interface Database {
  uri: string;
  /** Ends the embedded server, or removes what the tour made on a real one. */
  stop: (names: readonly string[]) => Promise<unknown>;
}

async function openDatabase(): Promise<Database> {
  const uri = process.env['MONGODB_URI'];
  if (uri === undefined || uri === '') {
    // Of one node: transactions need a replica set.
    const server = await startReplicaSet();
    return { uri: server.getUri(), stop: () => server.stop() };
  }
  console.log('MongoDB from MONGODB_URI');
  return { uri, stop: (names) => dropDatabases(uri, names) };
}

/** On a connection of its own: the trail's own connection refuses to drop it. */
async function dropDatabases(uri: string, names: readonly string[]): Promise<void> {
  for (const dbName of names) {
    const cleaner = await mongoose.createConnection(uri, { dbName }).asPromise();
    await cleaner.dropDatabase();
    await cleaner.close();
  }
}

/** On PORT, else 3000, else, where that is taken, on any free port. The tour alone needs no fixed one. */
async function listen(app: Express): Promise<Server> {
  const wanted = isOnce ? 0 : Number(process.env['PORT'] ?? DEFAULT_PORT);
  try {
    return await listenOn(app, wanted);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    console.log(`port ${wanted} is taken`);
    return listenOn(app, 0);
  }
}

async function listenOn(app: Express, port: number): Promise<Server> {
  const server = createServer(app).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

await main();

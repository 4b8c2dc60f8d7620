/** `npx tsx examples/better-auth/index.ts`: real better-auth behind a room, driven over HTTP; prints what was recorded, exits 1 if it is not as it should be. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { betterAuth } from 'better-auth';
import { mongodbAdapter } from 'better-auth/adapters/mongodb';
import { toNodeHandler } from 'better-auth/node';
import express from 'express';
import { MongoClient } from 'mongodb';
// In your own app: from 'express-strongroom'.
import { betterAuthPlugin, strongroom } from '../../src/index.js';
import { startMongod } from '../../test/mongod.js';

const EXPECTED = [
  'auth.register success',
  'auth.register failure conflict',
  'auth.login failure invalid_credentials',
  'auth.login success',
  'auth.logout success',
];

const mongod = await startMongod();
const users = new MongoClient(mongod.getUri());
const room = strongroom({ environment: 'development', audit: { uri: mongod.getUri('audit') } });

const auth = betterAuth({
  baseURL: 'http://localhost:3000',
  secret: 'only for this example: at least 32 characters',
  database: mongodbAdapter(users.db('app')),
  // Signing up with an address that is taken is answered like any other sign-up: nobody learns who has an account.
  emailAndPassword: { enabled: true, autoSignIn: false },
  plugins: [betterAuthPlugin(room)],
});

const app = express();
app.use(room);
app.all('/api/auth/*splat', toNodeHandler(auth)); // before express.json(): better-auth reads the body itself
const server = createServer(app).listen(0, '127.0.0.1');
await once(server, 'listening');

let cookie = '';

async function send(path: string, body: object): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/auth${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'http://localhost:3000', cookie },
    body: JSON.stringify(body),
  });
  cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? cookie;
  console.log(`POST ${path} is answered ${answer.status}`);
}

const alice = { name: 'Alice', email: 'alice@example.com', password: 'correct horse battery' };
await send('/sign-up/email', alice);
await send('/sign-up/email', { ...alice, name: 'Mallory' });
await send('/sign-in/email', { ...alice, password: 'a wrong guess' });
await send('/sign-in/email', alice);
await send('/sign-out', {});

await room.audit.flush();
const { events } = await room.audit.find();
const lines = events.toReversed().map(({ action, status, reason }) => `${action} ${status} ${reason ?? ''}`.trim());
console.log(`\nrecorded:\n  ${lines.join('\n  ')}`);
if (lines.join() !== EXPECTED.join()) {
  console.error(`NOT AS IT SHOULD BE, but:\n  ${EXPECTED.join('\n  ')}`);
  process.exitCode = 1;
}

server.close();
await room.close();
await users.close();
await mongod.stop();

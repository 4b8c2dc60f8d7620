/** A hello-world server in a process of its own: Express alone, or with a part or the whole of the middleware. It tells its port, and its CPU time when asked. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { AddressInfo } from 'node:net';
import express, { type Express, type RequestHandler } from 'express';

/** What stands before the route. */
export type Setup = 'bare' | 'context' | 'no-audit' | 'full';

const [, , setup, uri = ''] = process.argv as [string, string, Setup, string?];
const app: Express = express();
const middleware = await createMiddleware(setup);
if (middleware !== undefined) app.use(middleware);
app.get('/hello', (_req, res) => {
  res.send('hello world');
});
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMicros: user + system });
});
process.on('disconnect', () => process.exit());

async function createMiddleware(name: Setup): Promise<RequestHandler | undefined> {
  if (name === 'bare') return undefined;
  if (name === 'context') return runInContext();
  const { strongroom } = await import('../../dist/esm/index.js');
  const room = strongroom({
    audit: name === 'full' ? { uri } : false,
    secrets: { provider: 'env' },
    helmet: false,
    environment: 'test',
  });
  await room.ready();
  return room;
}

/** The least that any middleware with a request context costs. */
function runInContext(): RequestHandler {
  const storage = new AsyncLocalStorage<object>();
  return function context(req, _res, next) {
    storage.run({ req }, next);
  };
}

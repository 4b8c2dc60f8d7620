/** A small shop under load: each login is recorded. It tells its port, and at the end how many events it stored and lost. */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { memoryProvider, strongroom } from '../../src/index.js';

/** What the shop stores where; it comes as JSON in FAULTS_SHOP. */
export interface ShopSetup {
  readonly uri: string;
  readonly signingKey: string;
  readonly spool: string | null;
}

/** What the shop says: where it listens, then how it ended. */
export type ShopWord = { readonly port: number } | { readonly recorded: number; readonly lost: number };

const setup = JSON.parse(process.env['FAULTS_SHOP'] ?? '{}') as ShopSetup;
// In memory alone, what comes in five minutes has to find room.
const waiting = setup.spool === null ? { maxPendingBytes: 512 * 1024 * 1024 } : { spool: { directory: setup.spool } };
const room = strongroom({
  environment: 'test',
  secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: setup.signingKey }) },
  audit: { uri: setup.uri, ...waiting },
});

const app = express();
app.use(room);
app.use(express.json());
app.post('/auth/login', (req, res) => {
  req.audit.outcome({ actor: { id: (req.body as { id: string }).id, role: 'customer' } });
  res.json({ token: 'x' });
});

async function close(): Promise<void> {
  server.close();
  server.closeAllConnections();
  // A long outage leaves a lot to store.
  await room.close({ timeout: '60s' });
  const { recorded, lost } = room.audit.stats();
  process.send?.({ recorded, lost } satisfies ShopWord, () => process.exit());
}

const server = app.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port } satisfies ShopWord);
});
// A connection that is closed for having rested, while a request is on its way to it, would be a failure of the test's own.
server.keepAliveTimeout = 0;
process.once('message', () => void close());
process.once('disconnect', () => process.exit());

/** One process of the spool's crash test: a room that records until it is killed, and tells the `_id` of each event once it is durable. It knows nothing of the others. */
import { writeSync } from 'node:fs';
import { memoryProvider, strongroom } from '../../src/index.js';

const { SPOOL_URI = '', SPOOL_KEY = '', SPOOL_DIRECTORY = '', SPOOL_COLLECTION = '', SPOOL_COUNT } = process.env;

const room = strongroom({
  environment: 'test',
  secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: SPOOL_KEY }) },
  audit: {
    uri: SPOOL_URI,
    collection: SPOOL_COLLECTION,
    actions: ['test.act'],
    evidence: { sealEvery: '50ms', deadAfter: '1s' },
    spool: { directory: SPOOL_DIRECTORY },
    maxPendingBytes: 256 * 1024,
  },
});

let isEnding = false;
process.once('SIGTERM', () => {
  isEnding = true;
});

let next = 0;

/** At the moment at which the parent hears of an event, it is durable; whoever dies in between has told nothing. */
async function record(): Promise<void> {
  const n = next;
  next += 1;
  const { _id } = await room.audit.record({ action: 'test.act', meta: { n, pid: process.pid } });
  writeSync(1, `${_id} ${n} ${process.pid}\n`);
}

async function run(): Promise<void> {
  const count = Number(SPOOL_COUNT ?? Number.POSITIVE_INFINITY);
  await room.ready({ timeout: 100 }).catch(() => undefined);
  while (!isEnding && next < count) {
    await Promise.all(Array.from({ length: Math.min(10, count - next) }, () => record().catch(() => undefined)));
  }
  writeSync(1, 'done\n');
  // Killed, or told to end.
  while (!isEnding) await new Promise((resolve) => setTimeout(resolve, 20));
  await room.close({ timeout: '20s' });
}

void run();

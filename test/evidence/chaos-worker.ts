/** One process of the chaos test: a room that records and seals until it is killed, and tells the `_id` of each event once it is durable. It knows nothing of the others. */
import { writeSync } from 'node:fs';
import { memoryProvider, strongroom } from '../../src/index.js';

const { CHAOS_URI = '', CHAOS_KEY = '', CHAOS_DEAD_AFTER_MS = '' } = process.env;

const room = strongroom({
  environment: 'test',
  secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: CHAOS_KEY }) },
  audit: { uri: CHAOS_URI, evidence: { sealEvery: '50ms', deadAfter: Number(CHAOS_DEAD_AFTER_MS) } },
});

let isEnding = false;
process.once('SIGTERM', () => {
  isEnding = true;
});

/** At the moment at which the parent hears of an event, it is durable; whoever dies in between has told nothing. */
async function record(): Promise<void> {
  const { _id } = await room.audit.record({ action: 'user.update', meta: { pid: process.pid } });
  writeSync(1, `${_id}\n`);
}

async function run(): Promise<void> {
  const waiting = new Set<Promise<void>>();
  while (!isEnding) {
    const recorded = record()
      // What was not stored within `audit.timeout` is still queued.
      .catch(() => undefined)
      .finally(() => waiting.delete(recorded));
    waiting.add(recorded);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 80));
  }
  await Promise.all(waiting);
  await room.close({ timeout: '20s' });
}

void run();

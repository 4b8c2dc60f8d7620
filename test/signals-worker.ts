/** One process of the test of signals: a room that closes itself, with an event that nobody awaits. */
import { writeSync } from 'node:fs';
import { strongroom } from '../src/index.js';

const { SIGNALS_URI = '', SIGNALS_OWN } = process.env;

const room = strongroom({
  environment: 'test',
  secrets: { provider: 'env' },
  closeOnSignals: true,
  audit: { uri: SIGNALS_URI, evidence: { required: false } },
});
if (SIGNALS_OWN !== undefined) process.once('SIGTERM', () => setTimeout(() => process.exit(7), 1000));
await room.ready();
void room.audit.record({ action: 'user.update' });
writeSync(1, 'ready\n');
setInterval(() => undefined, 1000);

/** One process of the test of signals: a room that closes itself, with an event that nobody awaits. */
import { writeSync } from 'node:fs';
import { strongroom } from '../src/index.js';

const { SIGNALS_URI = '', SIGNALS_OWN, SIGNALS_SPOOL } = process.env;

const room = strongroom({
  environment: 'test',
  secrets: { provider: 'env' },
  closeOnSignals: true,
  audit: {
    uri: SIGNALS_URI,
    evidence: SIGNALS_SPOOL === undefined ? { required: false } : false,
    spool: SIGNALS_SPOOL === undefined ? false : { directory: SIGNALS_SPOOL },
  },
});
if (SIGNALS_OWN !== undefined) process.once('SIGTERM', () => setTimeout(() => process.exit(7), 1000));
if (SIGNALS_SPOOL === undefined) await room.ready();
const recorded = room.audit.record({ action: 'user.update' });
if (SIGNALS_SPOOL !== undefined) await recorded;
writeSync(1, 'ready\n');
setInterval(() => undefined, 1000);

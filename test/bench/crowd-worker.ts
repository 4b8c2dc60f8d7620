/** One process of the crowd that shares a ledger: it records once a second for as long as it is told, and seals as any app does. */
import { once } from 'node:events';
import { memoryProvider, strongroom } from '../../dist/esm/index.js';
import { draft } from './trail.js';

const [uri = '', collection = '', signingKey = ''] = process.argv.slice(2);
const PAUSE_MS = 1000;

const room = strongroom({
  audit: { uri, collection },
  secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: signingKey }) },
  environment: 'test',
});
await room.audit.record(draft(0));
process.send?.('ready');
const [seconds] = (await once(process, 'message')) as [number];
const end = performance.now() + seconds * 1000;
for (let index = 0; performance.now() < end; index += 1) {
  await room.audit.record(draft(index));
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
process.send?.('recorded');
await room.close({ timeout: '60s' });
if (process.connected) process.disconnect();

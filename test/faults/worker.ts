/** One process of the fault suite: a room that records numbered events and tells in a file what it took and what became durable, until it ends or is killed. It knows nothing of the others. */
import { openSync, writeSync } from 'node:fs';
import { memoryProvider, strongroom } from '../../src/index.js';
import { stepClock } from './clock.js';

/** What a process is to do; it comes as JSON in FAULTS_WORKER. */
export interface WorkerSetup {
  /** Stands in `meta.worker` of its events. */
  readonly name: string;
  readonly uri: string;
  readonly signingKey: string;
  /** The file in which it tells. */
  readonly told: string;
  /** How many events it records at once, and how often. */
  readonly burst: number;
  readonly everyMs: number;
  /** The spool that it shares with others; null: none. */
  readonly spool: string | null;
  readonly deadAfterMs: number;
}

/** What the parent may ask for; a number steps the clock by so many milliseconds. */
export type WorkerOrder = 'close' | { readonly stepClockMs: number };

const setup = JSON.parse(process.env['FAULTS_WORKER'] ?? '{}') as WorkerSetup;
// A file and not a pipe: what was written survives SIGKILL, and a parent that is busy blocks nobody.
const file = openSync(setup.told, 'a');
const spool = setup.spool === null ? {} : { spool: { directory: setup.spool } };
const evidence = { sealEvery: '50ms', deadAfter: setup.deadAfterMs } as const;

const room = strongroom({
  environment: 'test',
  secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: setup.signingKey }) },
  audit: { uri: setup.uri, evidence, ...spool },
});

const failures = new Set<string>();
room.hooks.on('audit:failed', ({ error }) => {
  if (failures.size === failures.add(error.message).size) return;
  writeSync(file, `failed ${error.message.replaceAll('\n', ' ')}\n`);
});

let accepted = 0;
let durable: number[] = [];

/** Tells what became durable in this turn: whoever dies before it told nothing. */
function tellDurable(): void {
  if (durable.length === 0) return;
  writeSync(file, `durable ${durable.join(' ')}\n`);
  durable = [];
}

function record(n: number): void {
  room.audit.record({ action: 'user.update', meta: { worker: setup.name, n } }).then(
    () => {
      if (durable.push(n) === 1) setImmediate(tellDurable);
    },
    // What was not durable within `audit.timeout` is still queued.
    (error: unknown) => writeSync(file, `late ${n} ${String((error as { code?: string }).code)}\n`),
  );
}

const timer = setInterval(() => {
  for (let count = 0; count < setup.burst; count += 1) {
    record(accepted);
    accepted += 1;
  }
  writeSync(file, `accepted ${accepted}\n`);
}, setup.everyMs);

async function close(): Promise<void> {
  clearInterval(timer);
  await room.close({ timeout: '45s' });
  tellDurable();
  writeSync(file, `closed ${room.audit.stats().lost}\n`);
  process.disconnect();
}

process.on('message', (order: WorkerOrder) => {
  if (order === 'close') void close();
  else stepClock(order.stepClockMs);
});
process.once('disconnect', () => process.exit());

/** A process that records a given number of events, no more than a window of them at once, and says how much memory it needed on the way. */
import { memoryProvider, strongroom } from '../../src/index.js';

/** What it is to do; it comes as JSON in FAULTS_VOLUME. */
export interface VolumeSetup {
  readonly uri: string;
  readonly signingKey: string;
  readonly spool: string | null;
  readonly events: number;
  /** How many events wait at the most. */
  readonly window: number;
  /** How often it says its memory, in events. */
  readonly sampleEvery: number;
}

/** What it says. */
export interface Sample {
  readonly done: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

const setup = JSON.parse(process.env['FAULTS_VOLUME'] ?? '{}') as VolumeSetup;
const spool = setup.spool === null ? {} : { spool: { directory: setup.spool } };
const room = strongroom({
  environment: 'test',
  secrets: { provider: memoryProvider({ AUDIT_SIGNING_KEY: setup.signingKey }) },
  audit: { uri: setup.uri, evidence: {}, ...spool },
});

let given = 0;
let done = 0;

function sample(): void {
  const { rss, heapUsed } = process.memoryUsage();
  process.send?.({ done, rssBytes: rss, heapBytes: heapUsed } satisfies Sample);
}

/** One of as many lines as the window is wide: the next event when the last is durable. */
async function work(): Promise<void> {
  while (given < setup.events) {
    given += 1;
    await room.audit.record({ action: 'user.update', target: 'user', targetId: `u${given}`, meta: { given } });
    done += 1;
    if (done % setup.sampleEvery === 0) sample();
  }
}

async function run(): Promise<void> {
  await Promise.all(Array.from({ length: setup.window }, work));
  await room.close({ timeout: '60s' });
  process.disconnect();
}

void run();

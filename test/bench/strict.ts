/** Answers that wait for their events, against a handler that awaits an insert of its own; and what any request pays. Servers and load are processes of their own. */
import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { alternate, type Contender, type Speeds } from './rounds.js';
import type { Cost, Recorder } from './strict-server.js';
import { grouped, type Row } from './table.js';
import { type Events, Trail } from './trail.js';

const CLIENTS = 64;
/** What a request may cost on the event loop. */
const GOAL_MICROS = 20;
const run = promisify(execFile);
const AUTOCANNON = createRequire(import.meta.url).resolve('autocannon/autocannon.js');

interface Served {
  readonly recorder: Recorder;
  readonly child: ChildProcess;
  readonly origin: string;
  readonly events: Events;
}

/** All rows of strict actions. */
export async function measureStrict(serverUri: string, quick: boolean): Promise<Row[]> {
  const trail = await Trail.open(serverUri);
  const recorders: readonly Recorder[] = ['strict', 'loose', 'by-hand', 'cost'];
  const servers = await Promise.all(recorders.map((recorder) => serve(recorder, trail)));
  try {
    const seconds = quick ? 1 : 3;
    const [cost, ...others] = [servers[3] as Served, ...servers.slice(0, 3)];
    const speeds = await alternate(
      others.map((served) => contender(served, seconds)),
      quick ? 1 : 7,
    );
    return [...rowsOf(speeds), ...costRows(await measureCost(cost, seconds))];
  } finally {
    for (const { child } of servers) child.disconnect();
    await Promise.all(servers.map(({ child }) => once(child, 'exit')));
    await trail.close();
  }
}

async function serve(recorder: Recorder, trail: Trail): Promise<Served> {
  const events = trail.fresh(recorder.replace('-', '_'));
  const script = fileURLToPath(new URL('strict-server.ts', import.meta.url));
  const child = fork(script, [recorder, trail.uri, events.collectionName], { execArgv: ['--import', 'tsx'] });
  const { port } = await answer<{ port: number }>(child);
  return { recorder, child, origin: `http://127.0.0.1:${port}`, events };
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const over = new AbortController();
  const [message] = await Promise.race([once(child, 'message', over), once(child, 'exit', over)]);
  over.abort();
  if (typeof message !== 'object' || message === null) throw new Error('a server of strict actions ended');
  return message as T;
}

/** Requests a second; each answered one has its event. */
function contender({ recorder, origin, events }: Served, seconds: number): Contender {
  return {
    name: recorder,
    async run() {
      const before = await events.countDocuments();
      const { answered, perSecond } = await load(`${origin}/act`, { method: 'POST', seconds });
      const stored = (await events.countDocuments()) - before;
      if (recorder !== 'loose' && stored < answered)
        throw new Error(`${recorder}: ${stored} of ${answered} are stored`);
      return perSecond;
    },
  };
}

interface Load {
  readonly method: 'GET' | 'POST';
  readonly seconds: number;
}

async function load(url: string, { method, seconds }: Load): Promise<{ answered: number; perSecond: number }> {
  const args = ['--json', '--no-progress', '-m', method, '-c', String(CLIENTS), '-d', String(seconds), url];
  const { stdout } = await run(process.execPath, [AUTOCANNON, ...args]);
  const { requests, duration, errors, non2xx, timeouts } = JSON.parse(stdout) as Report;
  if (errors + non2xx + timeouts > 0) throw new Error(`${url}: ${errors} errors, ${non2xx} not 2xx, ${timeouts} late`);
  return { answered: requests.total, perSecond: requests.total / duration };
}

interface Report {
  readonly requests: { readonly total: number };
  readonly duration: number;
  readonly errors: number;
  readonly non2xx: number;
  readonly timeouts: number;
}

async function measureCost({ child, origin }: Served, seconds: number): Promise<Cost> {
  const both = async (): Promise<Cost> => {
    await load(`${origin}/plain`, { method: 'GET', seconds });
    await load(`${origin}/act`, { method: 'POST', seconds });
    child.send('cost');
    return answer<Cost>(child);
  };
  // The first rounds compile.
  await both();
  await both();
  return both();
}

function rowsOf(speeds: Speeds): Row[] {
  const row = (recorder: Recorder, what: string): Row => ({
    what,
    value: `${grouped(speeds.of(recorder))} req/s`,
    ratio: recorder === 'by-hand' ? undefined : speeds.ratio(recorder, 'by-hand'),
  });
  return [
    row('by-hand', `Handler that awaits insertOne (majority, journaled), ${CLIENTS} clients`),
    { ...row('strict', '  a strict action, answered when its event is durable'), goal: { sign: '>=', ratio: 10 } },
    row('loose', '  the same action, not strict'),
  ];
}

function costRows({ plainMicros, recordedMicros }: Cost): Row[] {
  const row = (what: string, micros: number): Row => ({
    what,
    value: `${micros.toFixed(1)} us`,
    ratio: GOAL_MICROS / micros,
    goal: { sign: '>=', ratio: 1 },
  });
  return [
    row(`What a request pays on the event loop (median), against ${GOAL_MICROS} us`, plainMicros),
    row('  one that a rule records', recordedMicros),
  ];
}

/** Express hello world with and without the middleware, and where the difference goes. The servers and the load are processes of their own. */
import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Setup } from './hello-server.js';
import { alternate, median, type Contender, type Speeds } from './rounds.js';
import { grouped, type Row } from './table.js';

const CONNECTIONS = 50;
const run = promisify(execFile);
const AUTOCANNON = createRequire(import.meta.url).resolve('autocannon/autocannon.js');

/** One server and how fast it answered so far. */
interface Served {
  readonly setup: Setup;
  readonly child: ChildProcess;
  readonly url: string;
  /** Requests a second of the clock on the wall, one figure a round. */
  readonly perSecond: number[];
}

/** All rows of hello world; the route matches no rule, so nothing is recorded. */
export async function measureHello(mongoUri: string, quick: boolean): Promise<Row[]> {
  const setups: readonly Setup[] = ['bare', 'context', 'no-audit', 'full'];
  const servers = await Promise.all(setups.map((setup) => serve(setup, mongoUri)));
  try {
    const contenders = servers.map((server) => contender(server, quick ? 1 : 2));
    return rowsOf(await alternate(contenders, quick ? 1 : 15), servers);
  } finally {
    for (const { child } of servers) child.disconnect();
  }
}

async function serve(setup: Setup, mongoUri: string): Promise<Served> {
  const script = fileURLToPath(new URL('hello-server.ts', import.meta.url));
  const child = fork(script, [setup, `${mongoUri}bench_hello`], { execArgv: ['--import', 'tsx'] });
  const { port } = await answer<{ port: number }>(child);
  await pin(child.pid, 0);
  return { setup, child, url: `http://127.0.0.1:${port}/hello`, perSecond: [] };
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const over = new AbortController();
  const [message] = await Promise.race([once(child, 'message', over), once(child, 'exit', over)]);
  over.abort();
  if (typeof message !== 'object' || message === null) throw new Error('a hello-world server ended');
  return message as T;
}

/** Server and load on a core each, where Linux lets us: a scheduler that moves them adds more noise than is measured. */
async function pin(pid: number | undefined, core: number): Promise<void> {
  if (availableParallelism() < 2) return;
  await run('taskset', ['-a', '-c', '-p', String(core), String(pid)]).catch(() => undefined);
}

/**
 * Its speed is requests a second of the server's CPU time. The load keeps one core busy, so on a machine of its own that is requests a second;
 * on a shared one it still is what the server does, and not what others leave it.
 */
function contender(served: Served, seconds: number): Contender {
  return {
    name: served.setup,
    async run() {
      const before = await cpuMicros(served.child);
      const { requests, perSecond } = await load(served.url, seconds);
      served.perSecond.push(perSecond);
      return (requests / ((await cpuMicros(served.child)) - before)) * 1e6;
    },
  };
}

async function cpuMicros(child: ChildProcess): Promise<number> {
  child.send('cpu');
  return (await answer<{ cpuMicros: number }>(child)).cpuMicros;
}

async function load(url: string, seconds: number): Promise<{ requests: number; perSecond: number }> {
  const args = [AUTOCANNON, '--json', '--no-progress', '-c', String(CONNECTIONS), '-d', String(seconds), url];
  const running = run(process.execPath, args);
  await pin(running.child.pid, 1);
  const result = JSON.parse((await running).stdout) as Report;
  const { requests, errors, non2xx, timeouts } = result;
  if (errors + non2xx + timeouts > 0)
    throw new Error(`${url}: ${errors} errors, ${non2xx} not 2xx, ${timeouts} timeouts`);
  return { requests: requests.total, perSecond: requests.total / result.duration };
}

interface Report {
  readonly requests: { readonly total: number };
  readonly duration: number;
  readonly errors: number;
  readonly non2xx: number;
  readonly timeouts: number;
}

function rowsOf(speeds: Speeds, servers: readonly Served[]): Row[] {
  const value = (setup: Setup): string => {
    const perSecond = median(servers.find((server) => server.setup === setup)?.perSecond.slice(1) ?? []);
    return `${grouped(perSecond)} req/s, ${(1e6 / speeds.of(setup)).toFixed(0)} us CPU`;
  };
  const row = (setup: Setup, what: string): Row => ({
    what,
    value: value(setup),
    ratio: speeds.ratio(setup, 'bare'),
  });
  return [
    { what: 'Express 5 hello world, bare', value: value('bare') },
    row('context', '  with AsyncLocalStorage.run alone'),
    row('no-audit', '  with the middleware, audit: false'),
    { ...row('full', '  with the middleware, audit on MongoDB'), goal: { sign: '>=', ratio: 0.9 } },
  ];
}

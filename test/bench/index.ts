/** `npm run bench`: prepares, measures everything in one run, prints one table. A missed goal is said and is no failure; a contender that does not work is. */
import { cpus, loadavg } from 'node:os';
import { startMongod } from '../mongod.js';
import { prepare } from './prepare.js';
import { printTable } from './table.js';

const quick = process.argv.includes('--quick');

prepare();
// Only now is there something to import.
const { measureHello } = await import('./hello.js');
const { measureRecording } = await import('./recording.js');
const { measureSecrets } = await import('./secrets.js');

tellMachine();
const server = await startMongod();
try {
  const rows = [
    ...(await step('secrets', () => measureSecrets(quick))),
    ...(await step('hello world', () => measureHello(server.getUri(), quick))),
    ...(await step('recording', () => measureRecording(server.getUri(), quick))),
  ];
  const missed = printTable(rows, !quick);
  if (quick) console.log('A quick run: every contender works and stores what it should; the figures say nothing.');
  else console.log(missed === 0 ? 'Every goal is reached.' : `${missed} of the goals missed.`);
} finally {
  await server.stop();
}

async function step<T>(name: string, measure: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const measured = await measure();
  console.error(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s`);
  return measured;
}

/** Figures mean little without it; a busy machine is said. */
function tellMachine(): void {
  const [load = 0] = loadavg();
  const cores = cpus();
  const busy = load > cores.length / 2 && !quick ? ': busy, judge with care' : '';
  console.log(`Node ${process.version}, ${cores.length} x ${cores[0]?.model ?? 'CPU'}, load ${load.toFixed(1)}${busy}`);
}

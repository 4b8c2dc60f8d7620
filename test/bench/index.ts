/** `npm run bench [-- secrets|hello|recording|spool|roles|strict|evidence] [--quick]`: prepares, measures everything in one run, prints one table. A missed goal is said and is no failure; a contender that does not work is. */
import { cpus, loadavg } from 'node:os';
import { startMongod } from '../mongod.js';
import { prepare } from './prepare.js';
import { printTable, type Row } from './table.js';

const quick = process.argv.includes('--quick');
const PARTS = ['secrets', 'hello', 'recording', 'spool', 'roles', 'strict', 'evidence'] as const;
const wanted = process.argv.slice(2).filter((argument) => argument !== '--quick');
const stranger = wanted.find((argument) => !PARTS.some((name) => name === argument));
if (stranger !== undefined) throw new Error(`there is no part "${stranger}": ${PARTS.join(', ')}, or --quick`);

prepare();
// Only now is there something to import.
const { measureEvidence } = await import('./evidence.js');
const { measureHello } = await import('./hello.js');
const { measureRecording } = await import('./recording.js');
const { measureRoles } = await import('./roles.js');
const { measureSecrets } = await import('./secrets.js');
const { measureSpool } = await import('./spool.js');
const { measureStrict } = await import('./strict.js');

tellMachine();
const server = await startMongod();
try {
  const rows = [
    ...(await part('secrets', () => measureSecrets(quick))),
    ...(await part('hello', () => measureHello(server.getUri(), quick))),
    ...(await part('recording', () => measureRecording(server.getUri(), quick))),
    ...(await part('spool', () => measureSpool(server.getUri(), quick))),
    ...(await part('roles', () => measureRoles(server.getUri(), quick))),
    ...(await part('strict', () => measureStrict(server.getUri(), quick))),
    // It leaves the machine busy for a while.
    ...(await part('evidence', () => measureEvidence(server.getUri(), quick))),
  ];
  conclude(printTable(rows, !quick));
} finally {
  await server.stop();
}

/** Measures a part, unless others were asked for. */
async function part(name: (typeof PARTS)[number], measure: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
  if (wanted.length > 0 && !wanted.includes(name)) return [];
  const started = performance.now();
  const rows = await measure();
  console.error(`${name}: ${((performance.now() - started) / 1000).toFixed(0)} s, load ${loadOfLastMinute()}`);
  return rows;
}

/** Figures mean little without it; a busy machine is said. */
function tellMachine(): void {
  const cores = cpus();
  const busy = Number(loadOfLastMinute()) > cores.length / 2 && !quick ? ': busy, judge with care' : '';
  console.log(
    `Node ${process.version}, ${cores.length} x ${cores[0]?.model ?? 'CPU'}, load ${loadOfLastMinute()}${busy}`,
  );
}

function loadOfLastMinute(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

function conclude(missed: number): void {
  if (quick) console.log('A quick run: every contender works and stores what it should; the figures say nothing.');
  else console.log(missed === 0 ? 'Every goal is reached.' : `Goals missed: ${missed}.`);
}

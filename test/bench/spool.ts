/** Recording through the spool: how many events a second are acknowledged, against what an app would do otherwise, and how long one caller waits. */
import { rm } from 'node:fs/promises';
import { strongroom, type AuditOptions } from '../../dist/esm/index.js';
import { insertMany, insertOne, makeDirectory, readPattern, spooled } from './contenders.js';
import { alternate, type Speeds } from './rounds.js';
import { grouped, type Row } from './table.js';
import { atATime, draft, expectStored, Trail } from './trail.js';

const CALLERS = 64;

/** All rows of the spool. */
export async function measureSpool(serverUri: string, quick: boolean): Promise<Row[]> {
  const trail = await Trail.open(serverUri);
  const many = quick ? 2000 : 40_000;
  const few = quick ? 100 : 2000;
  const pattern = await readPattern(trail, many);
  const bulk = [spooled(trail, many, 'acknowledged'), spooled(trail, many, 'stored'), insertMany(pattern)];
  const single = [insertOne(pattern, few, 1), insertOne(pattern, few, CALLERS)];
  const speeds = await alternate([...bulk, ...single], quick ? 1 : 7);
  const rows = [
    ...rowsOf(speeds),
    await waitRow(trail, 'with a spool', { count: few, hasSpool: true }),
    await waitRow(trail, 'without one', { count: few, hasSpool: false }),
  ];
  await trail.close();
  return rows;
}

function rowsOf(speeds: Speeds): Row[] {
  const ours = 'strongroom, spool, acknowledged';
  const against = (what: string, other: string, goal?: number): Row => ({
    what,
    value: `${grouped(speeds.of(other))} events/s`,
    ratio: speeds.ratio(ours, other),
    goal: goal === undefined ? undefined : { sign: '>=', ratio: goal },
  });
  return [
    {
      what: 'room.audit.record with a spool, acknowledged, 4,000 outstanding',
      value: `${grouped(speeds.of(ours))} events/s`,
    },
    against('  times as fast as insertMany of ready events (1,000 a batch)', 'insertMany', 0.6),
    against('  ... as one insertOne per event, each awaited', 'insertOne, 1', 20),
    against(`  ... as one insertOne per event, ${CALLERS} callers`, `insertOne, ${CALLERS}`),
    {
      what: '  until MongoDB has all of it, times as fast as insertMany',
      value: `${grouped(speeds.of('strongroom, spool, stored'))} events/s`,
      ratio: speeds.ratio('strongroom, spool, stored', 'insertMany'),
    },
  ];
}

/** How long callers wait until their event is durable. */
async function waitRow(
  trail: Trail,
  name: string,
  { count, hasSpool }: { count: number; hasSpool: boolean },
): Promise<Row> {
  const events = trail.fresh('waits');
  const directory = await makeDirectory();
  const spool: AuditOptions['spool'] = hasSpool ? { directory } : false;
  const audit = { uri: trail.uri, collection: events.collectionName, spool };
  const room = strongroom({ audit, secrets: { provider: 'env' }, environment: 'test' });
  await room.ready();
  const waits: number[] = [];
  await atATime(CALLERS, count * 5, async (index) => {
    const started = performance.now();
    await room.audit.record(draft(index));
    waits.push(performance.now() - started);
  });
  await room.close();
  await rm(directory, { recursive: true });
  await expectStored(events, count * 5);
  const sorted = waits.toSorted((one, other) => one - other);
  const part = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1);
  return {
    what: `  await room.audit.record(), ${CALLERS} callers, ${name}: p50, p99`,
    value: `${part(0.5)}, ${part(0.99)} ms`,
  };
}

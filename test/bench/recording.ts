/** Recording through `room.audit.record` against what an app would do otherwise: insertMany, Model.create, two loggers; on one real mongod. */
import { mkdtemp, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { strongroom, type AuditEvent } from '../../dist/esm/index.js';
import { compileModel } from './model.js';
import { pinoMongodb, winstonMongodb } from './loggers.js';
import { alternate, type Contender, type Speeds } from './rounds.js';
import { grouped, type Row } from './table.js';
import { atATime, draft, DURABLE, expectStored, renumbered, timed, Trail, type Events } from './trail.js';

const OUTSTANDING = 4000;
const BATCH = 1000;
const CALLERS = 64;

/** What the other contenders take from a trail that strongroom wrote: indexes and the look of an event. */
interface Pattern {
  readonly trail: Trail;
  readonly events: readonly AuditEvent[];
  readonly indexed: Events;
}

/** All recording rows. */
export async function measureRecording(serverUri: string, quick: boolean): Promise<Row[]> {
  const trail = await Trail.open(serverUri);
  const many = quick ? 2000 : 40_000;
  const few = quick ? 200 : 3000;
  const pattern = await readPattern(trail, many);
  const bulk = [ours(trail, many), unsealed(trail, many), spooled(trail, many), plainInsertMany(pattern)];
  const single = [ours(trail, many), modelCreate(pattern, few, DURABLE), modelCreate(pattern, few, undefined)];
  const winston = [winstonMongodb(trail, few), winstonMongodb(trail, few, pattern.indexed)];
  const loggers = [ours(trail, many), ...winston, pinoMongodb(trail, few)];
  const rows = [
    ...bulkRows(await alternate(bulk, quick ? 1 : 11)),
    ...singleRows(await alternate(single, quick ? 1 : 5)),
    ...loggerRows(await alternate(loggers, quick ? 1 : 5)),
  ];
  await trail.close();
  return rows;
}

async function readPattern(trail: Trail, count: number): Promise<Pattern> {
  const indexed = trail.fresh('pattern');
  await record(trail, indexed, { count });
  const events = (await indexed.find().toArray()) as unknown as AuditEvent[];
  if (events.length !== count) throw new Error(`${events.length} of ${count} events were stored`);
  return { trail, events, indexed };
}

function ours(trail: Trail, count: number): Contender {
  return {
    name: 'strongroom',
    async run() {
      const events = trail.fresh('strongroom');
      const speed = await record(trail, events, { count });
      await expectStored(events, count);
      return speed;
    },
  };
}

function unsealed(trail: Trail, count: number): Contender {
  return {
    name: 'strongroom, evidence: false',
    async run() {
      const events = trail.fresh('unsealed');
      const speed = await record(trail, events, { count, evidence: false });
      await expectStored(events, count);
      return speed;
    },
  };
}

/** Acknowledged from the disk; the time ends when MongoDB has all of it. */
function spooled(trail: Trail, count: number): Contender {
  return {
    name: 'strongroom, spool',
    async run() {
      const events = trail.fresh('spooled');
      const directory = await mkdtemp(resolve('node_modules', '.cache', 'strongroom-spool-'));
      const speed = await record(trail, events, { count, spool: { directory } });
      await rm(directory, { recursive: true });
      await expectStored(events, count);
      return speed;
    },
  };
}

/** How much to record, and whether without evidence. */
interface Recording {
  readonly count: number;
  readonly evidence?: false;
  readonly spool?: { directory: string };
}

async function record(trail: Trail, events: Events, { count, ...more }: Recording): Promise<number> {
  const audit = { uri: trail.uri, collection: events.collectionName, ...more };
  const room = strongroom({ audit, secrets: { provider: 'env' }, environment: 'test' });
  await room.ready();
  const speed = await timed(count, async () => {
    await atATime(OUTSTANDING, count, (index) => room.audit.record(draft(index)));
    await room.audit.flush();
  });
  await room.close();
  return speed;
}

function plainInsertMany({ trail, events: pattern, indexed }: Pattern): Contender {
  let runs = 0;
  return {
    name: 'insertMany',
    async run() {
      const events = trail.fresh('plain');
      await trail.copyIndexes(indexed, events);
      runs += 1;
      const documents = renumbered(pattern, runs) as unknown as Parameters<Events['insertMany']>[0][number][];
      const options = { ordered: true, writeConcern: DURABLE };
      const speed = await timed(documents.length, async () => {
        for (let from = 0; from < documents.length; from += BATCH) {
          await events.insertMany(documents.slice(from, from + BATCH), options);
        }
      });
      await expectStored(events, documents.length);
      return speed;
    },
  };
}

function modelCreate(pattern: Pattern, count: number, writeConcern: typeof DURABLE | undefined): Contender {
  const { trail, events: all, indexed } = pattern;
  const name = writeConcern === undefined ? 'Model.create' : 'Model.create, durable';
  let runs = 0;
  return {
    name,
    async run() {
      const events = trail.fresh('create');
      await trail.copyIndexes(indexed, events);
      runs += 1;
      const documents = renumbered(all.slice(0, count), runs);
      const model = compileModel(trail, events.collectionName, writeConcern);
      const create = (index: number): Promise<unknown> => model.create(documents[index] as AuditEvent);
      const speed = await timed(count, () => atATime(CALLERS, count, create));
      trail.connection.deleteModel(model.modelName);
      await expectStored(events, count);
      return speed;
    },
  };
}

function bulkRows(speeds: Speeds): Row[] {
  return [
    { what: 'room.audit.record, sealed and signed, 4,000 outstanding', value: perSecond(speeds, 'strongroom') },
    {
      what: '  times as fast as with evidence: false',
      value: perSecond(speeds, 'strongroom, evidence: false'),
      ratio: speeds.ratio('strongroom', 'strongroom, evidence: false'),
    },
    {
      what: '  times as fast as insertMany of ready events (1,000 a batch)',
      value: perSecond(speeds, 'insertMany'),
      ratio: speeds.ratio('strongroom', 'insertMany'),
      goal: { sign: '>=', ratio: 0.9 },
    },
    {
      what: 'room.audit.record with a spool, in MongoDB at the end, times as fast as insertMany',
      value: perSecond(speeds, 'strongroom, spool'),
      ratio: speeds.ratio('strongroom, spool', 'insertMany'),
      goal: { sign: '>=', ratio: 0.6 },
    },
  ];
}

function singleRows(speeds: Speeds): Row[] {
  const row = {
    value: perSecond(speeds, 'Model.create, durable'),
    ratio: speeds.ratio('strongroom', 'Model.create, durable'),
  };
  return [
    {
      what: '  ... as Model.create, 64 callers, majority and journaled',
      ...row,
      goal: { sign: '>=', ratio: 8 },
    },
    {
      what: "  ... as Model.create, 64 callers, the server's default",
      value: perSecond(speeds, 'Model.create'),
      ratio: speeds.ratio('strongroom', 'Model.create'),
    },
  ];
}

function loggerRows(speeds: Speeds): Row[] {
  const row = (name: string, what: string): Row => ({
    what,
    value: perSecond(speeds, name),
    ratio: speeds.ratio('strongroom', name),
  });
  return [
    {
      ...row('winston-mongodb', '  ... as winston-mongodb, not journaled, one index'),
      goal: { sign: '>=', ratio: 10 },
    },
    row('winston-mongodb, durable', '  ... as winston-mongodb, majority and journaled, same indexes'),
    row('pino-mongodb', '  ... as pino-mongodb, not journaled, no index'),
  ];
}

function perSecond(speeds: Speeds, name: string): string {
  return `${grouped(speeds.of(name))} events/s`;
}

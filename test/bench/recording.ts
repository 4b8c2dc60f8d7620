/** Recording through `room.audit.record` against what an app would do otherwise: insertMany, Model.create, two loggers; on one real mongod. */
import { insertMany, ours, type Pattern, readPattern } from './contenders.js';
import { pinoMongodb, winstonMongodb } from './loggers.js';
import { compileModel } from './model.js';
import { alternate, type Contender, type Speeds } from './rounds.js';
import { grouped, type Row } from './table.js';
import { atATime, DURABLE, expectStored, renumbered, timed, Trail } from './trail.js';
import type { AuditEvent } from '../../dist/esm/index.js';

const CALLERS = 64;

/** All recording rows. */
export async function measureRecording(serverUri: string, quick: boolean): Promise<Row[]> {
  const trail = await Trail.open(serverUri);
  const many = quick ? 2000 : 40_000;
  const few = quick ? 200 : 3000;
  const pattern = await readPattern(trail, many);
  const bulk = [ours(trail, many), ours(trail, many, { evidence: false }), insertMany(pattern)];
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

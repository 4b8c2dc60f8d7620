/** Contenders that several parts measure: strongroom itself, and what an app would do by hand. It knows no row. */
import { resolve } from 'node:path';
import { mkdtemp, rm } from 'node:fs/promises';
import { strongroom, type AuditEvent, type AuditOptions } from '../../dist/esm/index.js';
import type { Contender } from './rounds.js';
import { atATime, draft, DURABLE, expectStored, renumbered, timed, type Events, type Trail } from './trail.js';

const OUTSTANDING = 4000;
const BATCH = 1000;

/** What the other contenders take from a trail that strongroom wrote: indexes and the look of an event. */
export interface Pattern {
  readonly trail: Trail;
  readonly events: readonly AuditEvent[];
  readonly indexed: Events;
}

type Documents = Parameters<Events['insertMany']>[0][number][];

/** Records some events, and reads them as they are stored. */
export async function readPattern(trail: Trail, count: number): Promise<Pattern> {
  const indexed = trail.fresh('pattern');
  await record(trail, indexed, { count });
  const events = (await indexed.find().toArray()) as unknown as AuditEvent[];
  if (events.length !== count) throw new Error(`${events.length} of ${count} events were stored`);
  return { trail, events, indexed };
}

/** `room.audit.record`, 4,000 outstanding; the time ends when MongoDB has all of it. */
export function ours(trail: Trail, count: number, audit: AuditOptions = {}): Contender {
  return {
    name: audit.evidence === false ? 'strongroom, evidence: false' : 'strongroom',
    async run() {
      const events = trail.fresh('strongroom');
      const speed = await record(trail, events, { count, audit });
      await expectStored(events, count);
      return speed;
    },
  };
}

/** The same with a spool; the time ends when the last event is acknowledged, or when MongoDB has it. */
export function spooled(trail: Trail, count: number, until: 'acknowledged' | 'stored'): Contender {
  return {
    name: `strongroom, spool, ${until}`,
    async run() {
      const events = trail.fresh('spooled');
      const directory = await makeDirectory();
      const speed = await record(trail, events, { count, until, audit: { spool: { directory } } });
      await rm(directory, { recursive: true });
      await expectStored(events, count);
      return speed;
    },
  };
}

/** A directory for a spool, on a disk: the temporary one may be memory. */
export function makeDirectory(): Promise<string> {
  return mkdtemp(resolve('node_modules', '.cache', 'strongroom-spool-'));
}

interface Recording {
  readonly count: number;
  readonly audit?: AuditOptions;
  readonly until?: 'acknowledged' | 'stored';
}

async function record(trail: Trail, events: Events, { count, audit, until = 'stored' }: Recording): Promise<number> {
  const room = strongroom({
    audit: { uri: trail.uri, collection: events.collectionName, ...audit },
    secrets: { provider: 'env' },
    environment: 'test',
  });
  await room.ready();
  const speed = await timed(count, async () => {
    await atATime(OUTSTANDING, count, (index) => room.audit.record(draft(index)));
    if (until === 'stored') await room.audit.flush();
  });
  await room.close();
  return speed;
}

/** The same documents, ready to be stored, 1,000 a batch. */
export function insertMany({ trail, events: pattern, indexed }: Pattern): Contender {
  let runs = 0;
  return {
    name: 'insertMany',
    async run() {
      const events = trail.fresh('plain');
      await trail.copyIndexes(indexed, events);
      runs += 1;
      const documents = renumbered(pattern, runs) as unknown as Documents;
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

/** The same documents, one command each, so many callers at a time. */
export function insertOne({ trail, events: pattern, indexed }: Pattern, count: number, callers: number): Contender {
  let runs = 0;
  return {
    name: `insertOne, ${callers}`,
    async run() {
      const events = trail.fresh('single');
      await trail.copyIndexes(indexed, events);
      runs += 1;
      const documents = renumbered(pattern.slice(0, count), runs) as unknown as Documents;
      const insert = (index: number): Promise<unknown> =>
        events.insertOne(documents[index] as Documents[number], { writeConcern: DURABLE });
      const speed = await timed(count, () => atATime(callers, count, insert));
      await expectStored(events, count);
      return speed;
    },
  };
}

/** Two loggers that write to MongoDB, as contenders: with their own settings, which promise less than an audit trail. */
import { type EventEmitter, once } from 'node:events';
import { pino } from 'pino';
import winston from 'winston';
import 'winston-mongodb';
import type { Contender } from './rounds.js';
import { draft, expectStored, timed, type Events, type Trail } from './trail.js';

const GIVE_UP_MS = 60_000;

/** pino-mongodb in its worker thread. */
export function pinoMongodb(trail: Trail, count: number): Contender {
  return {
    name: 'pino-mongodb',
    async run() {
      const events = trail.fresh('pino');
      const options = { uri: trail.uri, database: events.dbName, collection: events.collectionName };
      const transport = pino.transport({ target: 'pino-mongodb', options });
      await once(transport, 'ready');
      const logger = pino(transport);
      const speed = await timed(count, async () => {
        for (let index = 0; index < count; index += 1) logger.info(draft(index), 'audit');
        await untilStored(events, count);
      });
      transport.end();
      await once(transport, 'close');
      await expectStored(events, count);
      return speed;
    },
  };
}

/** winston-mongodb; its connection is made before the clock starts. With a pattern it keeps the same promise: those indexes, majority and journaled. */
export function winstonMongodb(trail: Trail, count: number, pattern?: Events): Contender {
  return {
    name: pattern === undefined ? 'winston-mongodb' : 'winston-mongodb, durable',
    async run() {
      const events = trail.fresh('winston');
      if (pattern !== undefined) await trail.copyIndexes(pattern, events);
      const db = pattern === undefined ? trail.uri : `${trail.uri}?w=majority&journal=true`;
      const transport = new winston.transports.MongoDB({ db, collection: events.collectionName });
      const logger = winston.createLogger({ transports: [transport] });
      logger.info('audit', draft(0));
      await once(transport, 'logged');
      const speed = await timed(count, async () => {
        const logged = untilLogged(transport, count);
        for (let index = 0; index < count; index += 1) logger.info('audit', draft(index));
        await logged;
      });
      logger.close();
      await expectStored(events, count + 1);
      return speed;
    },
  };
}

/** The transport says so after each insert. */
function untilLogged(transport: EventEmitter, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`winston-mongodb did not store ${count} lines`)), GIVE_UP_MS);
    let logged = 0;
    transport.on('logged', () => {
      logged += 1;
      if (logged < count) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** It does not tell when a line is stored, so the collection is looked at; the count out of its metadata costs the server nothing. */
async function untilStored(events: Events, count: number): Promise<void> {
  const started = performance.now();
  for (;;) {
    const stored = await events.estimatedDocumentCount();
    if (stored >= count) return;
    if (performance.now() - started > GIVE_UP_MS)
      throw new Error(`${events.collectionName} stays at ${stored} of ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

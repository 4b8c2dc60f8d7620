/** The server on which HTTP tests store their trail, and whom they log in as: with STRONGROOM_TEST_USER=appender the user that `provision` makes, else anyone. */
import { MongoClient } from 'mongodb';
import { provision } from '../src/mongo/provision-run.js';
import { startMongodWithAuth } from './mongod.js';

/** A server for trails. */
export interface TrailServer {
  /** The URI of a database that is ready for a trail in `audit_events`. */
  uri(database: string): Promise<string>;
  stop(): Promise<unknown>;
}

/** Whether this run logs in as the appender: who may find and insert, and nothing else. */
export const isAppender: boolean = process.env['STRONGROOM_TEST_USER'] === 'appender';

/** Starts the server that is given, or for the appender a standalone one with access control, which knows no transactions. */
export async function startTrailServer(
  start: () => Promise<{ getUri(database: string): string; stop(): Promise<unknown> }>,
): Promise<TrailServer> {
  if (isAppender) return startForAppender();
  const server = await start();
  return { uri: (database) => Promise.resolve(server.getUri(database)), stop: () => server.stop() };
}

async function startForAppender(): Promise<TrailServer> {
  const server = await startMongodWithAuth();
  const admin = await new MongoClient(server.adminUri('admin')).connect();
  return {
    async uri(database) {
      const user = { user: 'appender', password: 'secret' };
      const request = { database, collection: 'audit_events', tenant: false, user: user.user };
      await provision(admin.db(database) as never, request, user.password);
      return server.uri(database, user);
    },
    async stop() {
      await admin.close();
      await server.stop();
    },
  };
}

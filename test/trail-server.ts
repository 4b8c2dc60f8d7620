/** The server on which HTTP tests store their trail, and whom they log in as: with STRONGROOM_TEST_USER=appender the user that `provision` makes, else anyone. */
import { MongoClient } from 'mongodb';
import { provision } from '../src/mongo/provision-run.js';
import { KillableMongod } from './killable-mongod.js';
import { startMongodWithAuth } from './mongod.js';

const USER = 'appender';
const PASSWORD = 'secret';

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

/** A server that a test may kill and start again; for the appender with access control. */
export function createTrailMongod(): Promise<KillableMongod> {
  return KillableMongod.create(isAppender ? { credentials: `${USER}:${PASSWORD}`, prepare } : null);
}

async function startForAppender(): Promise<TrailServer> {
  const server = await startMongodWithAuth();
  const admin = await new MongoClient(server.adminUri('admin')).connect();
  return {
    async uri(database) {
      await provisionAppender(admin, database);
      return server.uri(database, { user: USER, password: PASSWORD });
    },
    async stop() {
      await admin.close();
      await server.stop();
    },
  };
}

async function provisionAppender(admin: MongoClient, database: string): Promise<void> {
  const request = { database, collection: 'audit_events', tenant: false, user: USER };
  await provision(admin.db(database) as never, request, PASSWORD);
}

/** While there is no user, who comes from the same machine may make the first one. */
async function prepare(uri: string): Promise<void> {
  const anyone = await new MongoClient(uri).connect();
  await anyone.db('admin').command({ createUser: 'root', pwd: PASSWORD, roles: ['root'] });
  await anyone.close();
  const auth = { username: 'root', password: PASSWORD };
  const admin = await new MongoClient(uri, { auth, authSource: 'admin' }).connect();
  await provisionAppender(admin, admin.db().databaseName);
  await admin.close();
}

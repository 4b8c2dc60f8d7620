/** An append-only collection on a real server, seen through mongoose 9 or 8, with what is stored and what is sent in view. It knows no test. */
import { createRequire } from 'node:module';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import mongoose from 'mongoose';
import { AppendOnlyError } from '../../src/errors.js';
import { appendOnly } from '../../src/mongo/append-only.js';
import { guardConnection } from '../../src/mongo/connection-guard.js';
import { refuse } from '../../src/mongo/refusal.js';
import { hookSchema } from '../../src/mongo/schema-guard.js';

/** The alias of mongoose 8 has no types of its own, and both versions are driven by the same lines. */
export type Untyped = any;

export const VERSIONS: readonly (readonly [version: string, mongoose: Untyped])[] = [
  ['mongoose 9', mongoose],
  ['mongoose 8', createRequire(import.meta.url)('mongoose8')],
];

/** What may be sent although something was refused: reading, and building what was declared. */
const HARMLESS = ['find', 'aggregate', 'listIndexes', 'listCollections', 'create', 'createIndexes', 'getMore'];
const HARMLESS_ON_CONNECTION = ['hello', 'ping', 'endSessions', 'listDatabases'];

export interface World {
  readonly mongoose: Untyped;
  readonly uri: string;
  readonly connection: Untyped;
  readonly schema: Untyped;
  /** Append-only, on the collection `trail`, with three documents. */
  readonly Trail: Untyped;
  /** An ordinary model of the same connection, on the collection `other`, with three documents. */
  readonly Other: Untyped;
  /** What `onViolation` heard since the last refusal was checked. */
  readonly told: { operation: string; collection: string }[];
  /** The commands that the connection sent since then. */
  readonly sent: { name: string; command: Untyped }[];
  /** All that the server has under `trail`: bytes, indexes, options; through a connection that nothing guards. */
  stored(): Promise<string>;
  raw(collection: string): Untyped;
  close(): Promise<void>;
}

let databases = 0;

/** Which layer protects: the plugin with all of it, the hooks of the schema alone, or the gates of the connection alone. */
export type Layer = 'plugin' | 'hooks' | 'gates';

export async function createWorld(base: Untyped, server: MongoMemoryServer, layer: Layer = 'plugin'): Promise<World> {
  databases += 1;
  const uri = server.getUri(`append_only_${databases}`);
  const outside = await mongoose.createConnection(uri).asPromise();
  const raw = (collection: string): Untyped => outside.getClient().db().collection(collection);
  for (const name of ['trail', 'other']) {
    await raw(name).insertMany([1, 2, 3].map((n) => ({ _id: n, name: `n${n}`, n, __v: 0 })));
  }
  const connection = await base.createConnection(uri, { monitorCommands: true }).asPromise();
  const sent: World['sent'] = [];
  connection.getClient().on('commandStarted', (event: Untyped) => {
    sent.push({ name: event.commandName, command: event.command });
  });
  const told: World['told'] = [];
  const schema = trailSchema(base);
  const onViolation = (violation: World['told'][number]): unknown => told.push(violation);
  if (layer === 'plugin') appendOnly(schema, { onViolation });
  if (layer === 'hooks') hookSchema(schema, (operation, collection) => refuse(operation, collection, [onViolation]));
  if (layer === 'gates') guardConnection(connection, 'trail', onViolation);
  const Trail = connection.model('Trail', schema, 'trail');
  const Other = connection.model('Other', trailSchema(base), 'other');
  await Promise.all([Trail.init(), Other.init()]);
  const stored = (): Promise<string> => readStored(outside, raw);
  const close = async (): Promise<void> => {
    await outside.dropDatabase();
    await Promise.all([outside.close(), connection.close()]);
  };
  return { mongoose: base, uri, connection, schema, Trail, Other, told, sent, stored, raw, close };
}

/** A schema of `_id`, `name` and `n`, with one plain index. */
export function trailSchema(base: Untyped, options: object = {}): Untyped {
  return new base.Schema({ _id: Number, name: { type: String, index: true }, n: Number }, options);
}

async function readStored(outside: Untyped, raw: (name: string) => Untyped): Promise<string> {
  const documents: Buffer[] = await raw('trail').find({}, { raw: true }).sort({ _id: 1 }).toArray();
  const [collection] = await outside.getClient().db().listCollections({ name: 'trail' }).toArray();
  const indexes = await raw('trail').indexes();
  return JSON.stringify({ documents: documents.map((bytes) => bytes.toString('hex')), collection, indexes });
}

/** The call must reject with AppendOnlyError, be told once, send nothing that changes data, and leave every byte as it was. */
export async function expectRefused(world: World, call: (world: World) => unknown): Promise<AppendOnlyError> {
  const before = await world.stored();
  world.told.length = 0;
  world.sent.length = 0;
  const error = await rejectionOf(() => call(world));
  expect(error).to.be.instanceOf(AppendOnlyError);
  expect(error).to.include({ code: 'ERR_STRONGROOM_APPEND_ONLY_VIOLATION', collection: 'trail' });
  const { operation, collection, message } = error as AppendOnlyError;
  expect(message).to.include(operation).and.include('trail');
  expect(world.told).to.deep.equal([{ operation, collection }]);
  expect(changing(world.sent)).to.deep.equal([]);
  expect(await world.stored()).to.equal(before);
  return error as AppendOnlyError;
}

/** What a call rejects or throws with; fails when it does neither. */
export async function rejectionOf(call: () => unknown): Promise<Error> {
  let answer: unknown;
  try {
    answer = await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error(`it was let through: ${String(answer)}`);
}

function changing(sent: World['sent']): string[] {
  return sent
    .filter(({ name, command }) => {
      if (name === 'aggregate') return command.pipeline.some((stage: object) => '$out' in stage || '$merge' in stage);
      return ![...HARMLESS, ...HARMLESS_ON_CONNECTION].includes(name);
    })
    .map(({ name }) => name);
}

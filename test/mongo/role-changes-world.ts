/** Users on a real server, seen through mongoose 9 or 8, once with `roleChanges()` and once without, to compare what an app sees. It knows no test. */
import mongoose from 'mongoose';
import { createRequire } from 'node:module';
import {
  type AuditEvent,
  memoryProvider,
  type RoleChangeOptions,
  strongroom,
  type Strongroom,
} from '../../src/index.js';

/** The alias of mongoose 8 has no types of its own, and both versions are driven by the same lines. */
export type Untyped = any;

export const VERSIONS: readonly (readonly [version: string, mongoose: Untyped])[] = [
  ['mongoose 9', mongoose],
  ['mongoose 8', createRequire(import.meta.url)('mongoose8')],
];

/** The three users that each test begins with. */
export const USERS: readonly Untyped[] = [
  { name: 'ann', email: 'ann@x', role: 'user', roles: ['reader', 'writer'], profile: { role: 'p1' }, teams: [] },
  { name: 'bob', email: 'bob@x', role: 'user', roles: ['reader'], profile: { role: 'p1' }, teams: [] },
  { name: 'cyd', email: 'cyd@x', role: 'admin', roles: [], profile: {}, teams: [{ name: 't1', role: 'member' }] },
].map((user, index) => ({ _id: new mongoose.Types.ObjectId(`65a1b2c3d4e5f6071829300${index + 1}`), ...user, __v: 0 }));

/** A change as the trail tells it: whose, from, to, and the path where it is named. */
export type Told = readonly [who: string, oldRole: string | null, newRole: string | null, path?: string];

export interface World {
  readonly mongoose: Untyped;
  readonly connection: Untyped;
  readonly room: Strongroom;
  /** With `roleChanges()`. */
  readonly User: Untyped;
  /** The same without. */
  readonly Bare: Untyped;
  /** A collection, past mongoose. */
  raw(collection: string): Untyped;
  /** Commands that the app's connection sent. */
  readonly sent: Untyped[];
  /** Puts the three users back, and forgets what was told. */
  reset(): Promise<void>;
  /** The events since then, oldest first. */
  events(): Promise<AuditEvent[]>;
  /** The same as changes. */
  told(): Promise<Told[]>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly roles?: RoleChangeOptions;
  /** Changes the schema before the models are compiled. */
  readonly prepare?: (schema: Untyped) => void;
  readonly uri: string;
  /** Whether the trail is stored through the app's own connection. */
  readonly shared?: boolean;
}

export async function createWorld(
  base: Untyped,
  { roles, prepare, uri, shared = false }: WorldOptions,
): Promise<World> {
  const connection = await base.createConnection(uri, { monitorCommands: true }).asPromise();
  const sent: Untyped[] = [];
  connection.getClient().on('commandStarted', (event: Untyped) => sent.push(event));
  const room = strongroom({
    environment: 'test',
    secrets: { provider: memoryProvider() },
    audit: { ...(shared ? { connection } : { uri }), collection: 'trail' },
  });
  const schemas = [userSchema(base), userSchema(base)];
  for (const schema of schemas) prepare?.(schema);
  schemas[0].plugin(room.roleChanges(roles));
  const User = connection.model('User', schemas[0], 'users');
  const Bare = connection.model('Bare', schemas[1], 'bare');
  await Promise.all([User.init(), Bare.init()]);
  let since: string[] = [];

  async function events(): Promise<AuditEvent[]> {
    await room.audit.flush();
    const found: AuditEvent[] = [];
    for await (const event of room.audit.stream()) found.push(event);
    return found.filter(({ _id }) => !since.includes(_id)).toSorted((a, b) => (a._id < b._id ? -1 : 1));
  }

  const raw = (collection: string): Untyped => connection.getClient().db().collection(collection);

  return {
    mongoose: base,
    raw,
    connection,
    room,
    User,
    Bare,
    sent,
    async reset() {
      for (const Model of [User, Bare]) {
        await raw(Model.collection.name).deleteMany({});
        await raw(Model.collection.name).insertMany(USERS.map((user) => ({ ...user, _id: idOf(base, user) })));
      }
      since = [...since, ...(await events()).map(({ _id }) => _id)];
      sent.length = 0;
    },
    events,
    told: async () => (await events()).map(toldOf),
    async close() {
      await room.close();
      await connection.close();
    },
  };
}

function toldOf({ targetId, meta, action }: AuditEvent): Told {
  const who = USERS.find(({ _id }) => String(_id) === targetId)?.name ?? targetId;
  const { oldRole, newRole, path, ...rest } = meta as Record<string, string | null>;
  if (action === 'audit.gap') return ['a gap', null, null];
  if (Object.keys(rest).length > 0) throw new Error(`meta says more than it should: ${JSON.stringify(meta)}`);
  const change = [who, oldRole as string | null, newRole as string | null] as const;
  return typeof path === 'string' ? [...change, path] : change;
}

/** Each copy of mongoose takes the ids of its own bson only. */
export function idOf(base: Untyped, user: Untyped): Untyped {
  return new base.Types.ObjectId(String(user._id));
}

function userSchema(base: Untyped): Untyped {
  const mild = { validator: (role: unknown) => role !== 'bad', message: 'a bad role' };
  const schema = new base.Schema(
    {
      name: String,
      email: { type: String, unique: true },
      role: { type: String, alias: 'rank', validate: mild },
      roles: { type: [String], default: undefined },
      profile: { role: String },
      teams: { type: [{ _id: false, name: String, role: String }], default: undefined },
      title: String,
      former: String,
      logins: { type: Number, default: undefined },
    },
    { timestamps: true, minimize: false },
  );
  return schema;
}

/** What an app sees of a call: its answer or its error, in plain words, without times and without ids that chance chose. */
export async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    return { answer: plain(await call()) };
  } catch (error) {
    const { name, message, code, writeErrors, result } = error as Untyped;
    return {
      error: plain({
        name,
        message: String(message).replaceAll(/users|bare|User|Bare/g, '*'),
        code,
        writeErrors,
        result,
      }),
    };
  }
}

const KNOWN = new Set(USERS.map(({ _id }) => String(_id)));

/** JSON of what the caller got, with the type of each document. */
function plain(value: Untyped): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value?._bsontype === 'ObjectId') return KNOWN.has(String(value)) ? String(value) : 'a new id';
  if (value instanceof Date) return 'a time';
  if (typeof value !== 'object' || value === null) return value;
  if (typeof value.toObject === 'function' && value.$__ !== undefined) {
    const { isNew } = value;
    return { document: plain(value.toObject()), isNew, modified: value.modifiedPaths() };
  }
  const skipped = ['$clusterTime', 'operationTime', 'signature', 'electionId', 'opTime', 'errmsg', 'err'];
  const entries = Object.entries(value).filter(
    ([key, member]) => !skipped.includes(key) && typeof member !== 'function',
  );
  return Object.fromEntries(entries.map(([key, member]) => [key, plain(member)]));
}

/** All users of a model as they are stored. */
export async function storedIn({ raw }: World, Model: Untyped): Promise<unknown> {
  return plain(await raw(Model.collection.name).find({}).sort({ email: 1 }).toArray());
}

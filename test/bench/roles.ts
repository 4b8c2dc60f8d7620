/** What `roleChanges()` costs: a write that touches no role, one that does, and a hundred thousand users at once; against the same model without it. */
import mongoose, { type Connection, type Model, Schema } from 'mongoose';
import { strongroom, type Strongroom } from '../../dist/esm/index.js';
import { alternate, type Contender, type Speeds } from './rounds.js';
import { grouped, type Row } from './table.js';
import { atATime, timed } from './trail.js';

const CALLERS = 16;
const USERS = 1000;

interface User {
  name: string;
  title: string;
  role: string;
}

/** Two models of the same users, one watched. */
interface Stage {
  readonly connection: Connection;
  readonly room: Strongroom;
  readonly watched: Model<User>;
  readonly bare: Model<User>;
}

/** All rows of role changes. */
export async function measureRoles(serverUri: string, quick: boolean): Promise<Row[]> {
  const stage = await openStage(new URL('/bench_roles', serverUri).href);
  const writes = quick ? 200 : 4000;
  const many = quick ? 5000 : 100_000;
  const untouched = await alternate(
    pair(stage, (model) => updates(model, 'title', writes)),
    quick ? 1 : 11,
  );
  const touched = await alternate(
    pair(stage, (model) => updates(model, 'role', writes)),
    quick ? 1 : 5,
  );
  const rows = [...singleRows(untouched, touched), ...(await measureMany(stage, many, quick ? 1 : 3))];
  await stage.room.close();
  await stage.connection.dropDatabase();
  await stage.connection.close();
  return rows;
}

async function openStage(uri: string): Promise<Stage> {
  const connection = await mongoose.createConnection(uri).asPromise();
  const room = strongroom({
    audit: { uri, maxPendingBytes: 256 * 2 ** 20 },
    secrets: { provider: 'env' },
    environment: 'test',
  });
  await room.ready();
  const schemas = [0, 1].map(() => new Schema<User>({ name: String, title: String, role: String }));
  schemas[0]?.plugin(room.roleChanges());
  const [watched, bare] = schemas.map((schema, index) => connection.model<User>(`User${index}`, schema));
  return { connection, room, watched: watched as Model<User>, bare: bare as Model<User> };
}

function pair(stage: Stage, run: (model: Model<User>) => Promise<number>): Contender[] {
  return [
    { name: 'watched', run: () => run(stage.watched).finally(() => stage.room.audit.flush()) },
    { name: 'bare', run: () => run(stage.bare) },
  ];
}

let turn = 0;

/** Writes a value that was never there, by id, some at a time. */
async function updates(model: Model<User>, field: 'title' | 'role', count: number): Promise<number> {
  await fill(model, USERS);
  const ids = (await model.find({}, { _id: 1 }).lean()).map(({ _id }) => _id);
  turn += 1;
  return timed(count, () =>
    atATime(CALLERS, count, async (index) => {
      const { modifiedCount } = await model.updateOne({ _id: ids[index % USERS] }, { [field]: `${turn}-${index}` });
      if (modifiedCount !== 1) throw new Error('nothing was written');
    }),
  );
}

function singleRows(untouched: Speeds, touched: Speeds): Row[] {
  const speed = (speeds: Speeds): string => `${grouped(speeds.of('watched'))} writes/s`;
  return [
    {
      what: 'updateOne that touches no role, against the model without roleChanges()',
      value: speed(untouched),
      ratio: untouched.ratio('watched', 'bare'),
      goal: { sign: '>=', ratio: 0.97 },
    },
    { what: 'updateOne of a role, recorded', value: speed(touched), ratio: touched.ratio('watched', 'bare') },
  ];
}

async function measureMany(stage: Stage, count: number, rounds: number): Promise<Row[]> {
  let peakBytes = 0;
  async function runWatched(): Promise<number> {
    const before = process.memoryUsage.rss();
    const watch = setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage.rss() - before)), 20);
    const speed = await promote(stage.watched, count);
    await stage.room.audit.flush();
    clearInterval(watch);
    return speed;
  }
  const { recorded, lost } = stage.room.audit.stats();
  const contenders = [
    { name: 'bare', run: () => promote(stage.bare, count) },
    { name: 'watched', run: runWatched },
  ];
  const speeds = await alternate(contenders, rounds);
  const stats = stage.room.audit.stats();
  const told = stats.recorded - recorded;
  // The first round, which does not count, changes them too.
  if (stats.lost !== lost || told !== count * (rounds + 1)) throw new Error(`${told} changes were told`);
  const seconds = (name: string): string => `${(count / speeds.of(name)).toFixed(2)} s`;
  return [
    {
      what: `updateMany of ${grouped(count)} roles, until it is answered; bare ${seconds('bare')}`,
      value: seconds('watched'),
      ratio: speeds.ratio('watched', 'bare'),
    },
    { what: 'memory that it takes until all is recorded', value: `${(peakBytes / 2 ** 20).toFixed(0)} MiB at most` },
  ];
}

async function promote(model: Model<User>, count: number): Promise<number> {
  await fill(model, count);
  return timed(count, () => model.updateMany({}, { role: 'member' }));
}

/** So many users, all of one role. */
async function fill(model: Model<User>, count: number): Promise<void> {
  await model.collection.deleteMany({});
  for (let from = 0; from < count; from += 10_000) {
    const length = Math.min(10_000, count - from);
    const users = Array.from({ length }, (_, index) => ({ name: `u${from + index}`, title: 'Dr', role: 'guest' }));
    await model.collection.insertMany(users);
  }
}

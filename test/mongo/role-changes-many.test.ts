/** Role changes at the same time, and of many users at once. */
import { expect } from 'chai';
import type { MongoMemoryReplSet } from 'mongodb-memory-server';
import { startReplicaSet } from '../mongod.js';
import { stageOf } from './role-changes-cases.js';
import { createWorld, type Told, type Untyped, VERSIONS, type World } from './role-changes-world.js';

const WRITERS = 40;

/** Follows the changes of one user from a first role; each must begin where another ended. */
function chainOf(told: readonly Told[], first: string): string[] {
  const next = new Map(told.map(([, before, after]) => [before, after]));
  expect(next.size, 'two changes began from the same role').to.equal(told.length);
  const chain = [first];
  for (let role = next.get(first); typeof role === 'string'; role = next.get(role)) chain.push(role);
  return chain;
}

/** Runs an act of somebody else between the read of a model's next write and the write. */
function between({ collection }: Untyped, act: () => Promise<unknown>): void {
  const { find } = collection;
  collection.find = (...args: unknown[]) => {
    const cursor = find.apply(collection, args);
    delete collection.find;
    const next = async (): Promise<unknown> => {
      const document = await cursor.next();
      await act();
      return document;
    };
    return { next, close: () => cursor.close() };
  };
}

describe('roleChanges() of many', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryReplSet;
  before(async () => {
    server = await startReplicaSet();
  });
  after(() => server.stop());

  for (const [version, base] of VERSIONS) {
    describe(`on ${version}`, () => {
      let world: World;
      before(async () => {
        world = await createWorld(base, { uri: server.getUri(`many_${base.version[0]}`) });
      });
      after(() => world.close());
      beforeEach(() => world.reset());

      const writes: [name: string, write: (stage: ReturnType<typeof stageOf>, role: string) => unknown][] = [
        ['updateOne by id', (s, role) => s.User.updateOne({ _id: s.ann }, { role })],
        ['updateOne by name', (s, role) => s.User.updateOne({ name: 'ann' }, { role })],
        ['findByIdAndUpdate', (s, role) => s.User.findByIdAndUpdate(s.ann, { role })],
        [
          'findOneAndUpdate, after',
          (s, role) => s.User.findOneAndUpdate({ name: 'ann' }, { role }, { returnDocument: 'after' }),
        ],
        ['pipelines', (s, role) => s.User.updateOne({ _id: s.ann }, [{ $set: { role } }], { updatePipeline: true })],
        [
          'replaceOne',
          (s, role) =>
            s.User.replaceOne({ _id: s.ann }, { name: 'ann', email: 'ann@x', role, roles: ['reader', 'writer'] }),
        ],
        [
          'save',
          async (s, role) => {
            const d = await s.User.findById(s.ann);
            d.role = role;
            await d.save();
          },
        ],
      ];
      for (const [name, write] of writes) {
        it(`old and new belong together when ${name} meets itself ${WRITERS} times`, async () => {
          const stage = stageOf(base, world.User);
          await Promise.all(Array.from({ length: WRITERS }, async (_, n) => write(stage, `r${n}`)));
          const told = await world.told();
          const chain = chainOf(told, 'user');
          expect(chain).to.have.length(WRITERS + 1);
          expect(chain.at(-1)).to.equal((await world.User.findById(stage.ann)).role);
        });
      }

      it('old and new belong together when all kinds of write meet', async () => {
        const stage = stageOf(base, world.User);
        await Promise.all(
          Array.from({ length: WRITERS }, async (_, n) => writes[n % writes.length]?.[1](stage, `r${n}`)),
        );
        expect(chainOf(await world.told(), 'user')).to.have.length(WRITERS + 1);
      });

      const claims: [name: string, claim: (User: Untyped) => PromiseLike<Untyped>][] = [
        ['updateOne', (User) => User.updateOne({ role: 'pending' }, { role: 'active' })],
        ['sorted', (User) => User.findOneAndUpdate({ role: 'pending' }, { role: 'active' }, { sort: { name: -1 } })],
        [
          'findOneAndUpdate, after',
          (User) => User.findOneAndUpdate({ role: 'pending' }, { role: 'active' }, { returnDocument: 'after' }),
        ],
      ];
      const isClaimed = (answer: Untyped): boolean => answer !== null && (answer.modifiedCount ?? 1) === 1;
      for (const [name, claim] of claims) {
        for (const [writes, users] of [
          [200, 200],
          [20, 5],
        ] as const) {
          it(`tells each of ${users} users whom ${writes} writes at the same time take one by one: ${name}`, async () => {
            const pending = Array.from({ length: users }, (_, n) => ({
              name: `u${n}`,
              email: `${n}@p`,
              role: 'pending',
            }));
            const { insertedIds } = await world.raw('users').insertMany(pending);
            const answers = await Promise.all(Array.from({ length: writes }, async () => claim(world.User)));
            expect(answers.filter(isClaimed)).to.have.length(users);
            expect(await world.told()).to.have.deep.members(
              Object.values(insertedIds).map((id) => [String(id), 'pending', 'active']),
            );
          });
        }
      }

      it('old and new belong together where several match and all writes take the first', async () => {
        const write = async (_: unknown, n: number): Promise<unknown> =>
          world.User.findOneAndUpdate(
            { email: /@x$/ },
            { role: `r${n}` },
            { sort: { name: 1 }, returnDocument: 'after' },
          );
        await Promise.all(Array.from({ length: WRITERS }, write));
        expect(chainOf(await world.told(), 'user')).to.have.length(WRITERS + 1);
      });

      it('tells of the user that was hit when another takes the only match and the next one comes', async () => {
        between(world.User, async () => {
          await world.raw('users').updateOne({ name: 'ann' }, { $set: { title: 'taken' } });
          await world.raw('users').updateOne({ name: 'bob' }, { $set: { title: 'free' } });
        });
        await world.raw('users').updateOne({ name: 'ann' }, { $set: { title: 'free' } });
        expect(await world.User.updateOne({ title: 'free' }, { role: 'x' })).to.include({ modifiedCount: 1 });
        expect(await world.told()).to.deep.equal([['bob', 'user', 'x']]);
      });

      it('loses no write that the server does not answer', async () => {
        const takeAnn = (): Promise<unknown> =>
          world.raw('users').updateOne({ name: 'ann' }, { $set: { role: 'taken' } });
        const roleOfBob = async (): Promise<string> => (await world.raw('users').findOne({ name: 'bob' })).role;
        between(world.User, takeAnn);
        await world.User.updateOne({ role: 'user' }, { role: 'x' }, { writeConcern: { w: 0 } });
        for (let times = 0; times < 200 && (await roleOfBob()) === 'user'; times += 1);
        expect(await roleOfBob()).to.equal('x');
        const quiet = base.createConnection(`${server.getUri(`many_${base.version[0]}`)}&w=0`);
        const Quiet = quiet.model('User', world.User.schema, 'users');
        await quiet.asPromise();
        await world.reset();
        between(Quiet, takeAnn);
        await Quiet.updateOne({ role: 'user' }, { role: 'y' });
        for (let times = 0; times < 200 && (await roleOfBob()) === 'user'; times += 1);
        expect(await roleOfBob()).to.equal('y');
        await quiet.close();
      });

      it('tells both of two writes that take a user each', async () => {
        const take = (): PromiseLike<unknown> => world.User.updateOne({ role: 'user' }, { role: 'taken' });
        await Promise.all([take(), take(), take()]);
        expect(await world.told()).to.have.deep.members([
          ['ann', 'user', 'taken'],
          ['bob', 'user', 'taken'],
        ]);
      });

      it('a write that loses a race for the only match tells nothing', async () => {
        const take = (): Promise<Untyped> =>
          world.User.updateOne({ name: 'ann', role: 'user' }, { role: 'taken' }).exec();
        const answers = await Promise.all([take(), take(), take()]);
        expect(answers.map(({ modifiedCount }) => modifiedCount)).to.have.members([0, 0, 1]);
        expect(await world.told()).to.deep.equal([['ann', 'user', 'taken']]);
      });

      it('a transaction that meets a write outside does not wait for it for ever', async () => {
        const { User, ann } = stageOf(base, world.User);
        let outside: Promise<unknown> | undefined;
        await world.connection.transaction(async (session: Untyped) => {
          await User.updateOne({ _id: ann }, { role: 'inside' }, { session });
          // The server holds this one until the commit.
          const startedMs = performance.now();
          outside ??= User.updateOne({ _id: ann }, { role: 'outside' }).exec();
          await User.updateOne({ _id: ann }, { role: 'inside again' }, { session });
          expect(performance.now() - startedMs).to.be.below(4000);
        });
        await outside;
        const told = await world.told();
        expect(told.map(([, , now]) => now)).to.have.members(['inside again', 'outside']);
      });

      it('tells each of many thousand users, once, with what it was', async () => {
        const count = 3500;
        await world
          .raw('users')
          .insertMany(
            Array.from({ length: count }, (_, n) => ({ name: 'many', email: `${n}@many`, role: `r${n % 3}` })),
          );
        const answer = await world.User.updateMany({ name: 'many' }, { role: 'r0' });
        expect(answer.matchedCount).to.equal(count);
        const told = await world.told();
        expect(new Set(told.map(([who]) => who)).size).to.equal(told.length);
        for (const role of ['r1', 'r2']) {
          const changed = await world.raw('users').countDocuments({ name: 'many' });
          expect(changed).to.equal(count);
          expect(told.filter(([, before, after]) => before === role && after === 'r0').length).to.be.within(1166, 1167);
        }
        expect(told.filter(([, before]) => before === 'r0')).to.deep.equal([]);
      });

      it('what failed half-way is told before what is written next', async () => {
        const { User } = world;
        const set = (name: string, update: object): object => ({ updateOne: { filter: { name }, update } });
        const failed = User.bulkWrite([set('ann', { role: 'x' }), set('bob', { email: 'cyd@x' })]);
        expect(await failed.catch((error: Untyped) => error.code)).to.equal(11_000);
        await User.updateOne({ name: 'ann' }, { role: 'y' });
        expect(await world.told()).to.deep.equal([
          ['ann', 'user', 'x'],
          ['ann', 'x', 'y'],
        ]);
      });

      it('tells each of many users of one bulkWrite, by id and otherwise', async () => {
        const users = Array.from({ length: 1500 }, (_, n) => ({
          _id: new base.Types.ObjectId(),
          email: `${n}@bulk`,
          role: 'a',
        }));
        await world.raw('users').insertMany(users);
        const byId = users.map(({ _id }) => ({ updateOne: { filter: { _id }, update: { role: 'b' } } }));
        const others = users
          .slice(0, 300)
          .map(({ email }) => ({ updateOne: { filter: { email }, update: { role: 'c' } } }));
        await world.User.bulkWrite([...byId, ...others]);
        const told = await world.told();
        expect(told.map(([who]) => who)).to.have.members(users.map(({ _id }) => String(_id)));
      });
    });
  }
});

/** Role changes in transactions: told when they are committed, dropped when they are not. */
import { expect } from 'chai';
import type { MongoMemoryReplSet } from 'mongodb-memory-server';
import { startReplicaSet } from '../mongod.js';
import { type Stage, stageOf } from './role-changes-cases.js';
import { createWorld, type Told, type Untyped, VERSIONS, type World } from './role-changes-world.js';

const UP: Told = ['ann', 'user', 'admin'];

/** A user who is not there when a test begins. */
const newDan = (): object => ({ name: 'dan', email: 'dan@x', role: 'x' });

/** What a transaction does to users that it makes or removes itself, and what is to be told all the same. */
const LIVES: readonly (readonly [
  name: string,
  act: (s: Stage, session: Untyped) => unknown,
  told?: readonly Told[],
])[] = [
  [
    'create, then save',
    async ({ User }, session) => {
      const [dan] = await User.create([newDan()], { session });
      dan.role = 'y';
      await dan.save({ session });
    },
  ],
  [
    'insertMany, then updateMany of all',
    async ({ User }, session) => {
      await User.insertMany([newDan()], { session });
      await User.updateMany({}, { role: 'user' }, { session });
    },
    [['cyd', 'admin', 'user']],
  ],
  ...[
    ['updateOne', (s: Stage, o: object) => s.User.updateOne({ name: 'dan' }, newDan(), o)],
    ['updateMany', (s: Stage, o: object) => s.User.updateMany({ name: 'dan' }, { $setOnInsert: newDan() }, o)],
    ['replaceOne', (s: Stage, o: object) => s.User.replaceOne({ name: 'dan' }, newDan(), o)],
    ['findOneAndUpdate', (s: Stage, o: object) => s.User.findOneAndUpdate({ name: 'dan' }, newDan(), o)],
    ['findOneAndReplace', (s: Stage, o: object) => s.User.findOneAndReplace({ name: 'dan' }, newDan(), o)],
  ].map(([method, upsert]) => {
    const act = async (s: Stage, session: Untyped): Promise<void> => {
      await (upsert as Untyped)(s, { session, upsert: true });
      await s.User.updateOne({ name: 'dan' }, { role: 'y' }, { session });
      await s.User.findByIdAndUpdate(s.ann, { role: 'admin' }, { session });
    };
    return [`upsert by ${method as string}, then updateOne`, act, [UP]] as const;
  }),
  [
    'bulkWrite that inserts and upserts, then bulkWrite',
    async ({ User }, session) => {
      const set = (name: string, role: string): object => ({ updateOne: { filter: { name }, update: { role } } });
      const upsert = { updateOne: { filter: { name: 'eve' }, update: { email: 'eve@x' }, upsert: true } };
      await User.bulkWrite([{ insertOne: { document: newDan() } }, upsert], { session });
      await User.bulkWrite([set('dan', 'y'), set('eve', 'y'), set('ann', 'admin')], { session });
    },
    [UP],
  ],
  [
    'a builder that inserts, then updateOne',
    async ({ User }, session) => {
      const builder = User.collection.initializeOrderedBulkOp({ session });
      builder.insert(newDan());
      await builder.execute();
      await User.updateOne({ name: 'dan' }, { role: 'y' }, { session });
    },
  ],
  ...[
    ['deleteOne', (s: Stage, session: Untyped) => s.User.deleteOne({ name: 'bob' }, { session })],
    ['deleteMany', (s: Stage, session: Untyped) => s.User.deleteMany({ role: 'y' }, { session })],
    ['findOneAndDelete', (s: Stage, session: Untyped) => s.User.findOneAndDelete({ name: 'bob' }, { session })],
    [
      'document.deleteOne',
      async (s: Stage, session: Untyped) => (await s.User.findById(s.bob).session(session)).deleteOne({ session }),
    ],
    [
      'bulkWrite',
      (s: Stage, session: Untyped) => s.User.bulkWrite([{ deleteOne: { filter: { name: 'bob' } } }], { session }),
    ],
  ].map(([method, remove]) => {
    const act = async (s: Stage, session: Untyped): Promise<void> => {
      await s.User.updateOne({ _id: s.bob }, { role: 'y' }, { session });
      await s.User.updateOne({ _id: s.ann }, { role: 'admin' }, { session });
      await (remove as Untyped)(s, session);
    };
    return [`updateOne, then ${method as string}`, act, [UP]] as const;
  }),
  [
    'deleteOne and create of the same id, then updateOne',
    async ({ User, ann }, session) => {
      await User.deleteOne({ _id: ann }, { session });
      await User.create([{ ...newDan(), _id: ann }], { session });
      await User.updateOne({ _id: ann }, { role: 'admin' }, { session });
    },
    [['ann', 'x', 'admin']],
  ],
];

/** Loses the answers of so many commits: the server did or did not do them, and nobody knows. */
function loseCommits(base: Untyped, session: Untyped, { times, isDone }: { times: number; isDone: boolean }): void {
  const commit = session.commitTransaction.bind(session);
  let left = times;
  session.commitTransaction = async (): Promise<unknown> => {
    if (left === 0) return commit();
    left -= 1;
    if (isDone) await commit();
    const error = new base.mongo.MongoServerError({ message: 'the answer was lost' });
    error.addErrorLabel('UnknownTransactionCommitResult');
    throw error;
  };
}

describe('roleChanges() in transactions', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryReplSet;
  before(async () => {
    server = await startReplicaSet();
  });
  after(() => server.stop());

  for (const [version, base] of VERSIONS) {
    describe(`on ${version}`, () => {
      let world: World;
      let stage: Stage;
      before(async () => {
        world = await createWorld(base, { uri: server.getUri(`transactions_${base.version[0]}`) });
        stage = stageOf(base, world.User);
      });
      after(() => world.close());
      beforeEach(() => world.reset());

      /** Runs the work in a session by hand. */
      async function inSession(work: (session: Untyped) => Promise<unknown>): Promise<void> {
        const session = await world.connection.startSession();
        try {
          await work(session);
        } finally {
          await session.endSession();
        }
      }

      it('tells nothing before the commit, and then what was committed', () =>
        inSession(async (session) => {
          session.startTransaction();
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
          expect(await world.told()).to.deep.equal([]);
          await session.commitTransaction();
          expect(await world.told()).to.deep.equal([UP]);
        }));

      it('drops what was aborted', () =>
        inSession(async (session) => {
          session.startTransaction();
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
          await session.abortTransaction();
          expect(await world.told()).to.deep.equal([]);
        }));

      it('drops what a session that ended left open', async () => {
        await inSession(async (session) => {
          session.startTransaction();
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
        });
        expect(await world.told()).to.deep.equal([]);
      });

      it('keeps the transactions of one session apart', () =>
        inSession(async (session) => {
          session.startTransaction();
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
          await session.abortTransaction();
          session.startTransaction();
          await stage.User.updateOne({ _id: stage.bob }, { role: 'x' }, { session });
          await session.commitTransaction();
          session.startTransaction();
          await stage.User.updateOne({ _id: stage.cyd }, { role: 'y' }, { session });
          await session.commitTransaction();
          expect(await world.told()).to.deep.equal([
            ['bob', 'user', 'x'],
            ['cyd', 'admin', 'y'],
          ]);
        }));

      it('tells of a user once, from before the transaction to after it', async () => {
        await world.connection.transaction(async (session: Untyped) => {
          const ann = await stage.User.findById(stage.ann).session(session);
          ann.role = 'a';
          await ann.save();
          await stage.User.updateMany({ role: 'a' }, { role: 'b' }, { session });
          await stage.User.bulkWrite([{ updateOne: { filter: { role: 'b' }, update: { role: 'admin' } } }], {
            session,
          });
          await stage.User.updateOne({ _id: stage.bob }, { role: 'x' }, { session });
          await stage.User.findOneAndUpdate({ _id: stage.bob }, { role: 'user' }, { session });
        });
        expect(await world.told()).to.deep.equal([UP]);
      });

      it('tells in the name of each who changed a user in one transaction', async () => {
        await world.connection.transaction(async (session: Untyped) => {
          const set = (role: string): Promise<unknown> =>
            stage.User.updateOne({ _id: stage.ann }, { role }, { session });
          await world.room.audit.runAs({ id: 'one' }, () => set('a'));
          await world.room.audit.runAs({ id: 'one' }, () => set('b'));
          await world.room.audit.runAs({ id: 'two' }, () => set('c'));
        });
        const events = await world.events();
        expect(events.map(({ actorId, meta }) => [actorId, meta['oldRole'], meta['newRole']])).to.deep.equal([
          ['one', 'user', 'b'],
          ['two', 'b', 'c'],
        ]);
      });

      it('tells once what a callback did that had to be run again', async () => {
        let runs = 0;
        await world.connection.transaction(async (session: Untyped) => {
          runs += 1;
          await stage.User.updateOne({ _id: stage.ann }, { role: runs === 1 ? 'first' : 'admin' }, { session });
          // Another write to the same user outside: the server ends the transaction that began before it.
          if (runs === 1) await world.raw('users').updateOne({ _id: stage.bob }, { $set: { title: 'Dr' } });
          await stage.User.updateOne({ _id: stage.bob }, { title: 'Prof' }, { session });
        });
        expect(runs).to.equal(2);
        expect(await world.told()).to.deep.equal([UP]);
      });

      it('tells once what was committed at the second attempt', async () => {
        await inSession((session) => {
          loseCommits(base, session, { times: 2, isDone: true });
          return session.withTransaction(() =>
            stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session }).exec(),
          );
        });
        expect(await world.told()).to.deep.equal([UP]);
      });

      it('counts as lost what may have been committed', async () => {
        const lost: unknown[] = [];
        const stop = world.room.hooks.on('audit:lost', (loss) => void lost.push(loss));
        await inSession(async (session) => {
          loseCommits(base, session, { times: 1, isDone: true });
          session.startTransaction();
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
          await session.commitTransaction().catch(() => undefined);
        });
        stop();
        expect(lost).to.deep.equal([{ count: 1, reason: 'commit_unknown' }]);
        expect(await world.told()).to.deep.equal([['a gap', null, null]]);
      });

      it('tells nothing of a transaction that a callback refused', async () => {
        const refused = world.connection.transaction(async (session: Untyped) => {
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
          throw new Error('no');
        });
        expect(await refused.catch((error: Error) => error.message)).to.equal('no');
        expect(await world.told()).to.deep.equal([]);
      });

      it('tells nothing, and misses nothing, of a transaction that an error of the server ended', async () => {
        const failed = world.connection.transaction((session: Untyped) =>
          stage.User.updateMany({}, { role: 'admin', email: 'same@x' }, { session }),
        );
        expect(await failed.catch((error: Untyped) => error.code)).to.equal(11_000);
        expect(await world.told()).to.deep.equal([]);
      });

      for (const [name, act, told = []] of LIVES) {
        it(`${name} tells ${told.length === 0 ? 'nothing' : JSON.stringify(told)}`, async () => {
          await world.connection.transaction((session: Untyped) => act(stage, session));
          expect(await world.told()).to.deep.equal(told);
        });
      }

      it('tells of a user whom others remove after the commit', async () => {
        await inSession(async (session) => {
          session.startTransaction();
          await stage.User.create([newDan()], { session });
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
          await session.commitTransaction();
          await stage.User.deleteOne({ _id: stage.ann });
        });
        expect(await world.told()).to.deep.equal([UP]);
      });

      it('tells rather too much when it cannot be learnt who was there before', async () => {
        const { collection } = stage.User;
        await inSession(async (session) => {
          session.startTransaction();
          await stage.User.create([newDan()], { session });
          await stage.User.updateMany({ name: { $in: ['ann', 'dan'] } }, { role: 'admin' }, { session });
          collection.find = () => {
            throw new Error('no reading today');
          };
          await session.commitTransaction();
          delete collection.find;
        });
        expect((await world.told()).map(([, ...change]) => change)).to.have.deep.members([
          ['user', 'admin'],
          ['x', 'admin'],
        ]);
      });

      it('looks once for all whom it changed, and only where it may have made or removed users', async () => {
        const findsOf = async (act: (session: Untyped) => Promise<unknown>): Promise<unknown[]> => {
          await inSession(async (session) => {
            session.startTransaction();
            await act(session);
            await stage.User.updateOne({ _id: stage.ann }, { role: `${Math.random()}` }, { session });
            await stage.User.updateOne({ _id: stage.bob }, { role: `${Math.random()}` }, { session });
            world.sent.length = 0;
            await session.commitTransaction();
          });
          return world.sent
            .filter(({ commandName }) => commandName === 'find')
            .map(({ command }) => command.autocommit);
        };
        const eve = { name: 'eve', email: 'eve@x' };
        expect(await findsOf((session) => stage.User.updateOne({ name: 'ann' }, { title: 'Dr' }, { session }))).to.eql(
          [],
        );
        expect(await findsOf((session) => stage.User.create([newDan()], { session }))).to.deep.equal([undefined]);
        expect(await findsOf((session) => stage.User.deleteOne({ name: 'dan' }, { session }))).to.deep.equal([false]);
        expect(await findsOf(() => stage.User.create(eve))).to.deep.equal([]);
        expect(await findsOf((session) => stage.User.bulkSave([], { session }))).to.deep.equal([]);
      });

      it('tells at once what is written in a session without a transaction', () =>
        inSession(async (session) => {
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
          expect(await world.told()).to.deep.equal([UP]);
        }));

      it('reads nothing outside the transaction, and writes no event inside it', async () => {
        await world.connection.transaction(async (session: Untyped) => {
          await stage.User.updateOne({ _id: stage.ann }, { role: 'admin' }, { session });
        });
        const commands = world.sent.filter(({ commandName }) => ['find', 'update'].includes(commandName));
        expect(commands.map(({ command }) => [command.find ?? command.update, command.autocommit])).to.deep.equal([
          ['users', false],
          ['users', false],
          ['users', false],
        ]);
        await world.events();
        expect(world.sent.some(({ command }) => command.insert === 'trail')).to.equal(false);
      });
    });

    describe(`on ${version} with transactionAsyncLocalStorage and one connection for all`, () => {
      it('keeps the events out of the transaction', async () => {
        const copy = new base.Mongoose();
        copy.set('transactionAsyncLocalStorage', true);
        const world = await createWorld(copy, { uri: server.getUri(`als_${base.version[0]}`), shared: true });
        await world.reset();
        const { User, ann, bob } = stageOf(copy, world.User);
        await world.connection.transaction(async () => {
          await User.updateOne({ _id: ann }, { role: 'admin' });
          expect(await world.told()).to.deep.equal([]);
          await world.room.audit.record({ action: 'user.update', target: 'user' });
        });
        const aborted = world.connection.transaction(async () => {
          await User.updateOne({ _id: bob }, { role: 'admin' });
          throw new Error('no');
        });
        await aborted.catch(() => undefined);
        const events = await world.events();
        expect(events.map(({ action, targetId }) => [action, targetId])).to.deep.equal([
          ['user.update', null],
          ['user.role_change', String(ann)],
        ]);
        const inserts = world.sent.filter(({ commandName }) => commandName === 'insert');
        // Those into the ledger are the trail's own, too.
        expect(new Set(inserts.map(({ command }) => command.autocommit))).to.deep.equal(new Set([undefined]));
        expect(inserts.filter(({ command }) => !String(command.insert).endsWith('_ledger'))).to.have.length(2);
        await world.close();
      });
    });
  }
});

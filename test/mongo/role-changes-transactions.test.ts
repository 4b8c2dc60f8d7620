/** Role changes in transactions: told when they are committed, dropped when they are not. */
import { expect } from 'chai';
import type { MongoMemoryReplSet } from 'mongodb-memory-server';
import { startReplicaSet } from '../mongod.js';
import { type Stage, stageOf } from './role-changes-cases.js';
import { createWorld, type Told, type Untyped, VERSIONS, type World } from './role-changes-world.js';

const UP: Told = ['ann', 'user', 'admin'];

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

/** What `appendOnly` accepts, refuses to compile, and leaves alone. The changes that it refuses are in append-only-changes.test.ts. */
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { AppendOnlyError, OptionsError } from '../../src/errors.js';
import { appendOnly } from '../../src/mongo/append-only.js';
import { startMongod } from '../mongod.js';
import { createWorld, rejectionOf, trailSchema, type Untyped, VERSIONS, type World } from './append-only-world.js';

describe('mongo/append-only', () => {
  let server: MongoMemoryServer;
  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());

  for (const [version, mongoose] of VERSIONS) {
    describe(version, () => {
      let world: World;
      before(async () => {
        world = await createWorld(mongoose, server);
      });
      after(() => world.close());

      describe('options', () => {
        it('names an unknown option and the nearest known one', () => {
          const options: Untyped = { onViolations: () => undefined };
          expect(() => appendOnly(trailSchema(mongoose), options)).to.throw(OptionsError, /did you mean "onViolation"/);
        });
        it('refuses a listener that is no function', () => {
          const options: Untyped = { onViolation: 'log' };
          expect(() => appendOnly(trailSchema(mongoose), options)).to.throw(OptionsError, /must be a function/);
        });
        it('refuses what is no schema', () => {
          for (const schema of [null, {}, world.Trail] as Untyped[]) {
            expect(() => appendOnly(schema)).to.throw(OptionsError, /must be a mongoose schema/);
          }
        });
        it('works as a plugin of the schema, with and without options', () => {
          trailSchema(mongoose).plugin(appendOnly).plugin(appendOnly, { onViolation: undefined });
        });
        it('refuses all the same when the listener throws or rejects', async () => {
          const unhandled: unknown[] = [];
          const note = (reason: unknown): unknown => unhandled.push(reason);
          process.on('unhandledRejection', note);
          const throwing = (): never => {
            throw new Error('x');
          };
          for (const [index, onViolation] of [throwing, () => Promise.reject(new Error('y'))].entries()) {
            const schema = trailSchema(mongoose);
            appendOnly(schema, { onViolation });
            const Model = world.connection.model(`Throwing${index}`, schema, 'throwing');
            expect(await rejectionOf(() => Model.deleteMany({}))).to.be.instanceOf(AppendOnlyError);
            expect(await rejectionOf(() => Model.collection.drop())).to.be.instanceOf(AppendOnlyError);
          }
          await Promise.all([world.Trail.init(), world.Trail.findOne()]);
          process.off('unhandledRejection', note);
          expect(unhandled).to.deep.equal([]);
        });
        it('tells each listener of one collection once', async () => {
          const heard: string[] = [];
          for (const who of ['a', 'b']) {
            const schema = trailSchema(mongoose);
            appendOnly(schema, { onViolation: () => heard.push(who) });
            world.connection.model(`Two${who}`, schema, 'two');
          }
          await rejectionOf(() => world.connection.dropCollection('two'));
          expect(heard).to.deep.equal(['a', 'b']);
        });
      });

      describe('definitions that delete by themselves', () => {
        const definitions: Readonly<Record<string, () => Untyped>> = {
          capped: () => trailSchema(mongoose, { capped: 4096 }),
          'capped, as an object': () => trailSchema(mongoose, { capped: { size: 4096 } }),
          'capped, as an option of the collection': () =>
            trailSchema(mongoose, { collectionOptions: { capped: true, size: 4096 } }),
          timeseries: () => trailSchema(mongoose, { timeseries: { timeField: 'at' } }),
          expireAfterSeconds: () => trailSchema(mongoose, { expireAfterSeconds: 60 }),
          'a path that expires': () => new mongoose.Schema({ at: { type: Date, expires: '1h' } }),
          'a path that is unique': () => new mongoose.Schema({ name: { type: String, unique: true } }),
          'a unique path of a nested schema': () =>
            new mongoose.Schema({ list: [new mongoose.Schema({ name: { type: String, unique: true } })] }),
          'an index that expires': () => trailSchema(mongoose).index({ n: 1 }, { expireAfterSeconds: 0 }),
          'an index that is unique': () => trailSchema(mongoose).index({ n: 1 }, { unique: true }),
        };
        for (const [name, define] of Object.entries(definitions)) {
          it(`refuses ${name}`, () => {
            const heard: string[] = [];
            const onViolation = ({ operation }: { operation: string }): unknown => heard.push(operation);
            expect(() => appendOnly(define(), { onViolation })).to.throw(AppendOnlyError, /option/);
            expect(heard).to.have.length(1);
          });
        }

        it('refuses when the model is compiled what was added to the schema later, and builds nothing', async () => {
          const schema = trailSchema(mongoose);
          appendOnly(schema);
          schema.index({ n: 1 }, { expires: '1h' });
          expect(() => world.connection.model('Late', schema, 'late')).to.throw(AppendOnlyError, /"late"/);
          expect(world.connection.modelNames()).not.to.include('Late');
          await world.Other.init();
          expect(
            await world
              .raw('late')
              .indexes()
              .catch(() => []),
          ).to.deep.equal([]);
        });
        it('refuses to make a collection capped when the option was set after the model was compiled', async () => {
          const schema = trailSchema(mongoose, { autoCreate: false });
          appendOnly(schema);
          const Model = world.connection.model('LateCapped', schema, 'late_capped');
          schema.set('capped', 4096);
          expect(await rejectionOf(() => Model.createCollection())).to.be.instanceOf(AppendOnlyError);
        });
        it('builds declared plain indexes', async () => {
          await world.Trail.init();
          expect((await world.raw('trail').indexes()).map(({ name }: Untyped) => name)).to.deep.equal([
            '_id_',
            'name_1',
          ]);
          await world.Trail.createIndexes();
          await world.Trail.collection.createIndex({ n: 1 }, { sparse: true, unique: false });
          await world.Trail.collection.createIndexes([{ key: { n: -1 }, name: 'down' }]);
          expect(await world.raw('trail').indexes()).to.have.length(4);
        });
      });

      describe('inserting and reading', () => {
        const inserts: Readonly<Record<string, (world: World, _id: number) => unknown>> = {
          save: ({ Trail }, _id) => new Trail({ _id, name: 'x' }).save(),
          'save past the hooks': ({ Trail }, _id) => new Trail({ _id, name: 'x' }).save({ middleware: false }),
          create: ({ Trail }, _id) => Trail.create({ _id, name: 'x' }),
          'create of many': ({ Trail }, _id) => Trail.create([{ _id, name: 'x' }], { ordered: true }),
          insertOne: ({ Trail }, _id) => Trail.insertOne({ _id, name: 'x' }),
          insertMany: ({ Trail }, _id) => Trail.insertMany([{ _id, name: 'x' }]),
          'insertMany, lean': ({ Trail }, _id) =>
            Trail.insertMany([{ _id, name: 'x' }], { lean: true, ordered: false }),
          bulkWrite: ({ Trail }, _id) => Trail.bulkWrite([{ insertOne: { document: { _id, name: 'x' } } }]),
          'bulkWrite, unordered': ({ Trail }, _id) =>
            Trail.bulkWrite([{ insertOne: { document: { _id, name: 'x' } } }], { ordered: false }),
          'bulkWrite past the hooks': ({ Trail }, _id) =>
            Trail.bulkWrite([{ insertOne: { document: { _id, name: 'x' } } }], { middleware: false }),
          bulkSave: ({ Trail }, _id) => Trail.bulkSave([new Trail({ _id, name: 'x' })]),
          'the native insertOne': ({ Trail }, _id) => Trail.collection.insertOne({ _id, name: 'x' }),
          'the native insertMany': ({ Trail }, _id) => Trail.collection.insertMany([{ _id, name: 'x' }]),
          'the native bulkWrite': ({ Trail }, _id) =>
            Trail.collection.bulkWrite([
              { insertOne: { document: { _id, name: 'x' } } },
              { insertOne: { _id: _id + 500 } },
            ]),
          'a collection by name': ({ connection }, _id) => connection.collection('trail').insertOne({ _id, name: 'x' }),
        };
        for (const [index, [name, insert]] of Object.entries(inserts).entries()) {
          it(`inserts by ${name}`, async () => {
            const _id = 100 + index;
            world.told.length = 0;
            await insert(world, _id);
            expect(await world.raw('trail').findOne({ _id })).to.include({ _id, name: 'x' });
            expect(world.told).to.deep.equal([]);
          });
        }

        it('reads in every form', async () => {
          const { Trail } = world;
          const _id = 1;
          expect((await Trail.find({ _id }).lean())[0].n).to.equal(1);
          expect((await Trail.findById(1).exec()).name).to.equal('n1');
          expect(await Trail.countDocuments({ _id })).to.equal(1);
          expect(await Trail.exists({ _id })).to.deep.equal({ _id });
          expect(await Trail.distinct('n', { _id })).to.deep.equal([1]);
          expect(await Trail.aggregate([{ $match: { _id } }])).to.have.length(1);
          for await (const event of Trail.aggregate([{ $match: { _id } }]).cursor()) expect(event.n).to.equal(1);
          for await (const event of Trail.find({ _id }).cursor()) expect(event.n).to.equal(1);
          expect(await Trail.collection.aggregate([]).match({ _id }).clone().toArray()).to.have.length(1);
          expect(await Trail.aggregate([{ $match: { _id } }]).explain()).to.be.an('object');
        });
        it('copies into another collection', async () => {
          await world.Trail.aggregate([{ $match: { _id: 1 } }, { $out: 'copy' }]);
          await world.Trail.aggregate([{ $match: { _id: 2 } }, { $merge: { into: 'copy' } }]);
          expect(await world.raw('copy').countDocuments()).to.equal(2);
        });
      });
    });
  }
});

/** The guard follows a model: to other connections, copies of mongoose, discriminators, and through what an app overrides; it leaves other collections alone. */
import { createRequire } from 'node:module';
import { expect } from 'chai';
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { AppendOnlyError } from '../../src/errors.js';
import { appendOnly } from '../../src/mongo/append-only.js';
import { startMongod } from '../mongod.js';
import {
  createWorld,
  expectRefused,
  rejectionOf,
  trailSchema,
  type Untyped,
  VERSIONS,
  type World,
} from './append-only-world.js';

/** Another instance of the same version, as an app with two installed copies has; schemas are cloned from one to the other. */
function secondCopy(name: string): Untyped {
  const require = createRequire(import.meta.url);
  const own = Object.entries(require.cache).filter(
    ([path]) => path.includes(`/node_modules/${name}/lib/`) || path.includes(`/node_modules/${name}/index.js`),
  );
  for (const [path] of own) delete require.cache[path];
  const copy: unknown = require(name);
  Object.assign(require.cache, Object.fromEntries(own));
  return copy;
}

describe('mongo/append-only: models', () => {
  let server: MongoMemoryServer;
  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());

  for (const [version, mongoose] of VERSIONS) {
    describe(version, () => {
      let world: World;
      let opened: Untyped[] = [];
      beforeEach(async () => {
        world = await createWorld(mongoose, server);
        opened = [];
      });
      afterEach(async () => {
        await Promise.all(opened.map((connection) => connection.close()));
        await world.close();
      });

      /** A second connection to the same database; the world's listener hears what its commands were, too. */
      async function open(base: Untyped = mongoose): Promise<Untyped> {
        const connection = await base.createConnection(world.uri, { monitorCommands: true }).asPromise();
        connection
          .getClient()
          .on('commandStarted', ({ commandName: name, command }: Untyped) => world.sent.push({ name, command }));
        opened.push(connection);
        return connection;
      }

      it('follows a model to another connection by useConnection', async () => {
        const connection = await open();
        world.Trail.useConnection(connection);
        await expectRefused(world, () => world.Trail.collection.deleteMany({}));
        await expectRefused(world, () => connection.dropCollection('trail'));
      });
      it('follows a schema to another connection', async () => {
        const connection = await open();
        const Model = connection.model('Elsewhere', world.schema, 'trail');
        await expectRefused(world, () => Model.collection.updateMany({}, { $set: { n: 0 } }));
      });
      it('follows a schema to another copy of mongoose', async () => {
        const connection = await open(secondCopy(version === 'mongoose 8' ? 'mongoose8' : 'mongoose'));
        const Model = connection.model('Elsewhere', world.schema, 'trail');
        expect(Model.schema).not.to.equal(world.schema);
        await expectRefused(world, () => Model.deleteMany({}));
        await expectRefused(world, () => Model.collection.deleteMany({}));
        await expectRefused(world, () => connection.dropDatabase());
      });
      it('follows a clone of the schema', async () => {
        const Model = (await open()).model('Clone', world.schema.clone(), 'trail');
        await expectRefused(world, () => Model.collection.drop());
      });
      it('follows a model to another database by useDb, and leaves others there alone', async () => {
        const relative = world.connection.useDb(`${world.connection.name}_b`);
        const Model = relative.model('Trail', world.schema, 'trail');
        await Model.create({ _id: 1 });
        expect(await rejectionOf(() => Model.collection.drop())).to.be.instanceOf(AppendOnlyError);
        expect(await rejectionOf(() => relative.dropDatabase())).to.be.instanceOf(AppendOnlyError);
        await relative.collection('any').insertOne({});
        await relative.dropCollection('any');
      });
      it('tells one listener once, on however many relatives it was named', async () => {
        world.connection.useDb(world.connection.name).model('Trail', world.schema, 'trail');
        await expectRefused(world, () => world.connection.dropCollection('trail'));
      });
      it('guards a relative that useDb made before', async () => {
        const connection = await open();
        const early = connection.useDb(connection.name);
        early.collection('trail');
        connection.model('Elsewhere', world.schema, 'trail');
        await expectRefused(world, () => early.collection('trail').deleteMany({}));
        await expectRefused(world, () => early.dropDatabase());
      });
      it('guards a model with a collection name of its own', async () => {
        const Model = world.connection.model('Trail', undefined, 'trail_2');
        expect(await rejectionOf(() => Model.collection.drop())).to.include({ collection: 'trail_2' });
      });
      it('guards before the connection is open', async () => {
        const connection = mongoose.createConnection();
        opened.push(connection);
        const Model = connection.model('Early', world.schema, 'trail');
        const refused = [
          () => Model.deleteMany({}),
          () => Model.collection.drop(),
          () => Model.collection.aggregate([{ $out: 'trail' }]).toArray(),
          () => connection.dropDatabase(),
        ];
        for (const call of refused) expect(await rejectionOf(call)).to.be.instanceOf(AppendOnlyError);
        const insert = Model.collection.insertOne({ _id: 50 });
        await connection.openUri(world.uri);
        await insert;
        await expectRefused(world, () => Model.collection.deleteOne({ _id: 50 }));
      });

      it('guards discriminators, also without merged hooks', async () => {
        const fields = new mongoose.Schema({ more: String });
        const Child = world.Trail.discriminator('Child', fields, { mergeHooks: false });
        const child = await Child.create({ _id: 60, more: 'x' });
        child.more = 'y';
        await expectRefused(world, () => child.save());
        await expectRefused(world, () => Child.updateMany({}, { more: 'y' }));
        await expectRefused(world, () => Child.collection.deleteMany({}));
        Child.useConnection(await open());
        await expectRefused(world, () => Child.deleteMany({}));
      });

      const overrides: Readonly<Record<string, (schema: Untyped) => void>> = {
        'a method named like the hook': (schema) => {
          schema.methods.save = function save(this: Untyped, options: unknown) {
            return mongoose.Model.prototype.save.call(this, options);
          };
        },
        'a method named like the hook that switches hooks off': (schema) => {
          schema.methods.save = function save(this: Untyped) {
            return mongoose.Model.prototype.save.call(this, { middleware: false });
          };
        },
        'a later hook that flips $isNew': (schema) => {
          schema.pre('save', function flip(this: Untyped) {
            this.$isNew = false;
          });
        },
        'an earlier hook that flips $isNew': (schema) => {
          schema.s.hooks._pres.set('save', [{ fn(this: Untyped) { this.$isNew = false; } }, ...schema.s.hooks._pres.get('save')]); // prettier-ignore
        },
        'an error hook that swallows': (schema) => {
          schema.post('save', (_error: unknown, _document: unknown, next: () => void) => next());
        },
        'statics named like the mutators': (schema) => {
          for (const name of ['updateOne', 'deleteMany', 'bulkWrite']) {
            schema.statics[name] = function overridden(this: Untyped, ...args: unknown[]) {
              return mongoose.Model[name].apply(this, args);
            };
          }
        },
        'a static named init': (schema) => {
          schema.statics.init = function init(this: Untyped) {
            return mongoose.Model.init.call(this);
          };
        },
      };
      for (const [name, override] of Object.entries(overrides)) {
        it(`holds against ${name}`, async () => {
          const schema = trailSchema(mongoose);
          appendOnly(schema, { onViolation: (violation) => world.told.push(violation) });
          override(schema);
          const Model = (await open()).model('Overridden', schema, 'trail');
          const refused = await expectRefused(world, async () => (await Model.findOne({ _id: 1 })).set('n', 9).save());
          if (name === 'a method named like the hook') expect(refused.operation).to.equal('save');
          await expectRefused(world, () => Model.updateOne({ _id: 1 }, { n: 9 }));
          await expectRefused(world, () => Model.deleteMany({}));
          await expectRefused(world, () => Model.bulkWrite([{ deleteMany: { filter: {} } }]));
          await expectRefused(world, () => Model.collection.deleteMany({}));
        });
      }

      it('leaves everything else on the connection as it was', async () => {
        const { Other, connection } = world;
        await Other.updateOne({ _id: 1 }, { name: 'changed' });
        await Other.deleteOne({ _id: 2 });
        await (await Other.findOne({ _id: 3 })).set('n', 9).save();
        await Other.bulkWrite([{ updateOne: { filter: { _id: 1 }, update: { n: 8 } } }]);
        await Other.collection.createIndex({ n: 1 }, { unique: true });
        await Other.syncIndexes();
        await Other.aggregate([{ $match: { _id: 1 } }, { $out: 'third' }]);
        await connection.aggregate([{ $documents: [{ _id: 5 }] }, { $merge: { into: 'third' } }]);
        await connection.collection('third').rename('fourth');
        expect(await world.raw('fourth').find().sort({ _id: 1 }).toArray()).to.deep.equal([
          { _id: 1, name: 'changed', n: 8, __v: 0 },
          { _id: 5 },
        ]);
        await connection.createCollection('small', { capped: true, size: 4096 });
        for (const name of ['fourth', 'small']) await connection.dropCollection(name);
        await Other.collection.drop();
        const elsewhere = connection.useDb(`${connection.name}_c`);
        await elsewhere.collection('trail').insertOne({});
        await elsewhere.collection('trail').updateOne({}, { $set: { n: 1 } });
        await elsewhere.dropDatabase();
        expect(world.told).to.deep.equal([]);
      });
      it('sends the operations and the pipeline that it checked', async () => {
        const twoFaced = new Proxy({ insertOne: { document: { _id: 70 } } } as Untyped, {
          has: (_target, key) => key === 'deleteMany',
          get: (target, key) => (key === 'deleteMany' ? { filter: {} } : target[key]),
        });
        await world.Trail.collection.bulkWrite([twoFaced]);
        const before = await world.stored();
        const aggregate = world.connection.aggregate([{ $documents: [{ _id: 80 }] }]);
        const running = aggregate.exec();
        aggregate.pipeline().push({ $out: 'trail' });
        expect(await running).to.deep.equal([{ _id: 80 }]);
        expect(await world.stored()).to.equal(before);
        expect(await world.raw('trail').countDocuments()).to.equal(4);
      });
      it('lets a schema be part of another: its documents are saved as the parent is', async () => {
        const part = new mongoose.Schema({ name: String });
        appendOnly(part);
        const Parent = world.connection.model('Parent', new mongoose.Schema({ parts: [part], one: part }), 'parents');
        const parent = await Parent.create({ parts: [{ name: 'a' }], one: { name: 'b' } });
        parent.parts[0].name = 'changed';
        parent.one.name = 'changed';
        await parent.save();
        parent.parts[0].deleteOne();
        await parent.save();
        expect((await world.raw('parents').findOne()).one.name).to.equal('changed');
      });
      it('leaves another connection to the same database alone, for tests that clean up', async () => {
        const connection = await open();
        await connection.collection('trail').deleteMany({});
        await connection.dropDatabase();
      });
    });
  }
});

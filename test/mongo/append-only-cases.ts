/** Every way to change an append-only collection through mongoose, by the method that it begins with. The inventory test demands one for each refused method. */
import type { Untyped, World } from './append-only-world.js';

export type Case = (world: World) => unknown;

/** A new one each time: mongoose writes into the update that it is given. */
export const change = (): object => ({ $set: { name: 'changed' } });
const REPLACEMENT = { name: 'changed' };

const one = (world: World): Promise<Untyped> => world.Trail.findOne({ _id: 1 });
const native = (world: World): Untyped => world.Trail.collection;

/** An existing document with a change. */
async function changed(world: World): Promise<Untyped> {
  const document = await one(world);
  document.name = 'changed';
  return document;
}

/** Methods of a model, and the same with mongoose 9's switches for hooks. */
export const MODEL: Readonly<Record<string, Case>> = {
  updateOne: ({ Trail }) => Trail.updateOne({ _id: 1 }, change()),
  updateMany: ({ Trail }) => Trail.updateMany({}, change()),
  replaceOne: ({ Trail }) => Trail.replaceOne({ _id: 1 }, REPLACEMENT),
  deleteOne: ({ Trail }) => Trail.deleteOne({ _id: 1 }),
  deleteMany: ({ Trail }) => Trail.deleteMany({}),
  findOneAndUpdate: ({ Trail }) => Trail.findOneAndUpdate({ _id: 1 }, change()),
  findOneAndReplace: ({ Trail }) => Trail.findOneAndReplace({ _id: 1 }, REPLACEMENT),
  findOneAndDelete: ({ Trail }) => Trail.findOneAndDelete({ _id: 1 }),
  findByIdAndUpdate: ({ Trail }) => Trail.findByIdAndUpdate(1, change()),
  findByIdAndDelete: ({ Trail }) => Trail.findByIdAndDelete(1),
  bulkSave: async (world) =>
    world.Trail.bulkSave([
      await changed(world),
      await world.Trail.findOne({ _id: 2 }).then((found: Untyped) => found.set('n', 9)),
    ]),
  bulkWrite: ({ Trail }) => Trail.bulkWrite([{ updateOne: { filter: { _id: 1 }, update: change() } }]),
  syncIndexes: ({ Trail }) => Trail.syncIndexes(),
  cleanIndexes: ({ Trail }) => Trail.cleanIndexes({ toDrop: ['name_1'], hideIndexes: true }),
  dropSearchIndex: ({ Trail }) => Trail.dropSearchIndex('search'),
  updateSearchIndex: ({ Trail }) => Trail.updateSearchIndex('search', {}),
};

/** The same operations with hooks switched off, and in other shapes of arguments. */
export const MODEL_VARIANTS: Readonly<Record<string, Case>> = {
  'an update by a pipeline': ({ Trail }) => Trail.updateOne({ _id: 1 }, [change()], { updatePipeline: true }),
  'an upsert of a new document': ({ Trail }) => Trail.updateOne({ _id: 4 }, change(), { upsert: true }),
  'an update without casting': ({ Trail }) =>
    Trail.updateOne({ _id: 1 }, change(), { strict: false, overwriteImmutable: true }),
  'an update with the old document as the answer': ({ Trail }) =>
    Trail.findOneAndUpdate({}, change(), { new: false, lean: true }),
  'a bulk delete behind inserts': ({ Trail }) =>
    Trail.bulkWrite([{ insertOne: { document: { _id: 9 } } }, { deleteMany: { filter: {} } }]),
  'an unordered bulk delete': ({ Trail }) => Trail.bulkWrite([{ deleteMany: { filter: {} } }], { ordered: false }),
  'a bulk operation with two keys, the first null': ({ Trail }) =>
    Trail.bulkWrite([{ insertOne: null, deleteMany: { filter: {} } }]),
  'a bulk operation with two keys': ({ Trail }) =>
    Trail.bulkWrite([{ insertOne: { document: { _id: 9 } }, deleteMany: { filter: {} } }]),
  'a bulk operation with an inherited key': ({ Trail }) =>
    Trail.bulkWrite([Object.create({ deleteMany: { filter: {} } })]),
  'a bulk operation past the hooks': ({ Trail }) =>
    Trail.bulkWrite([{ deleteMany: { filter: {} } }], { middleware: false }),
  'a bulk replacement without casting': ({ Trail }) =>
    Trail.bulkWrite([{ replaceOne: { filter: { _id: 1 }, replacement: REPLACEMENT } }], {
      skipValidation: true,
      strict: false,
    }),
  'a bulk save past the hooks': async (world) => world.Trail.bulkSave([await changed(world)], { middleware: false }),
  'an index with a lifetime': ({ Trail }) => Trail.createIndexes({ toCreate: [[{ n: 1 }, { expireAfterSeconds: 1 }]] }),
  'a capped collection': ({ Trail }) => Trail.createCollection({ capped: true, size: 4096 }),
  'a time-series collection': ({ Trail }) =>
    Trail.createCollection({ timeseries: { timeField: 'at' }, expireAfterSeconds: 1 }),
  '$out into itself': ({ Trail }) => Trail.aggregate([{ $limit: 1 }, { $out: 'trail' }]),
  '$merge into itself': ({ Trail }) => Trail.aggregate([{ $set: { n: 0 } }, { $merge: { into: 'trail' } }]),
  '$out into itself, through a cursor': ({ Trail }) =>
    Trail.aggregate([{ $out: 'trail' }])
      .cursor()
      .next(),
  '$out into itself, past the hooks': ({ Trail }) => Trail.aggregate([{ $out: 'trail' }]).option({ middleware: false }),
};

/** Methods of a document. */
export const DOCUMENT: Readonly<Record<string, Case>> = {
  save: async (world) => (await changed(world)).save(),
  $save: async (world) => (await changed(world)).$save(),
  $__save: async (world) => {
    const document = await changed(world);
    // mongoose 8 answers through a callback.
    return new Promise((resolve, reject) => {
      const callback = (error: unknown): void => (error ? reject(error) : resolve(undefined));
      document.$__save({}, callback)?.then(resolve, reject);
    });
  },
  updateOne: async (world) => (await one(world)).updateOne(change()),
  replaceOne: async (world) => (await one(world)).replaceOne(REPLACEMENT),
  deleteOne: async (world) => (await one(world)).deleteOne(),
};

export const DOCUMENT_VARIANTS: Readonly<Record<string, Case>> = {
  'a save past the hooks': async (world) => (await changed(world)).save({ middleware: false }),
  'a save past the hooks before it': async (world) => (await changed(world)).save({ middleware: { pre: false } }),
  'a delete past the hooks': async (world) => (await one(world)).deleteOne({ middleware: false }),
  'a save without validation': async (world) =>
    (await changed(world)).save({ validateBeforeSave: false, timestamps: false }),
  'a save of what was made to look stored': ({ Trail }) => {
    const document = new Trail({ _id: 1, name: 'changed' });
    document.$isNew = false;
    return document.save();
  },
  'a save after hydrate': ({ Trail }) => Trail.hydrate({ _id: 1, n: 1 }).set('n', 7).save(),
  'a save after overwrite': async (world) => (await one(world)).overwrite({ name: 'changed' }).save(),
  'a save after increment': async (world) => (await one(world)).increment().save(),
};

/** Methods of a query, on the model's own query class. */
export const QUERY: Readonly<Record<string, Case>> = {
  updateOne: ({ Trail }) => Trail.find({ _id: 1 }).updateOne(change()),
  updateMany: ({ Trail }) => Trail.find().updateMany(change()),
  replaceOne: ({ Trail }) => Trail.find({ _id: 1 }).replaceOne(REPLACEMENT),
  deleteOne: ({ Trail }) => Trail.find({ _id: 1 }).deleteOne(),
  deleteMany: ({ Trail }) => Trail.where().deleteMany(),
  findOneAndUpdate: ({ Trail }) => Trail.find({ _id: 1 }).findOneAndUpdate({}, change()),
  findOneAndReplace: ({ Trail }) => Trail.find({ _id: 1 }).findOneAndReplace({}, REPLACEMENT),
  findOneAndDelete: ({ Trail }) => Trail.find({ _id: 1 }).findOneAndDelete(),
  findByIdAndUpdate: ({ Trail }) => Trail.find().findByIdAndUpdate(1, change()),
  findByIdAndDelete: ({ Trail }) => Trail.find().findByIdAndDelete(1),
  _updateOne: ({ Trail }) => Trail.updateOne({ _id: 1 }, change())._updateOne(),
  _updateMany: ({ Trail }) => Trail.updateMany({ _id: 1 }, change())._updateMany(),
  _replaceOne: ({ Trail }) => Trail.replaceOne({ _id: 1 }, REPLACEMENT)._replaceOne(),
  _deleteOne: ({ Trail }) => Trail.find({ _id: 1 })._deleteOne(),
  _deleteMany: ({ Trail }) => Trail.find()._deleteMany(),
  _findOneAndUpdate: ({ Trail }) => Trail.findOneAndUpdate({ _id: 1 }, change())._findOneAndUpdate(),
  _findOneAndReplace: ({ Trail }) => Trail.findOneAndReplace({ _id: 1 }, REPLACEMENT)._findOneAndReplace(),
  _findOneAndDelete: ({ Trail }) => Trail.find({ _id: 1 })._findOneAndDelete(),
};

export const QUERY_VARIANTS: Readonly<Record<string, Case>> = {
  'a query that is told its operation last': ({ Trail }) => Trail.find({ _id: 1 }).exec('deleteOne'),
  "mongoose 8's _findOneAndRemove": ({ Trail }) => {
    const query = Trail.find({ _id: 1 });
    return query._findOneAndRemove ? query._findOneAndRemove() : query._findOneAndDelete();
  },
  'a bare query on the collection': ({ mongoose, Trail }) =>
    new mongoose.Query({}, {}, Trail, Trail.collection).deleteMany({}).exec(),
  'a query of a constructed class': ({ Trail }) => new (Trail.find({ _id: 1 }).toConstructor())().updateOne(change()),
  'a delete with orFail': ({ Trail }) => Trail.deleteOne({ _id: 1 }).orFail(),
  'a delete with hooks off by setOptions': ({ Trail }) => Trail.deleteOne({ _id: 1 }).setOptions({ middleware: false }),
};

/** Methods of the native collection behind the model. */
export const NATIVE: Readonly<Record<string, Case>> = {
  updateOne: (world) => native(world).updateOne({ _id: 1 }, change()),
  updateMany: (world) => native(world).updateMany({}, change()),
  replaceOne: (world) => native(world).replaceOne({ _id: 1 }, REPLACEMENT),
  deleteOne: (world) => native(world).deleteOne({ _id: 1 }),
  deleteMany: (world) => native(world).deleteMany({}),
  findOneAndUpdate: (world) => native(world).findOneAndUpdate({ _id: 1 }, change()),
  findOneAndReplace: (world) => native(world).findOneAndReplace({ _id: 1 }, REPLACEMENT),
  findOneAndDelete: (world) => native(world).findOneAndDelete({ _id: 1 }),
  findAndModify: (world) => native(world).findAndModify({ _id: 1 }, [], change()),
  save: (world) => native(world).save({ _id: 1 }),
  ensureIndex: (world) => native(world).ensureIndex({ n: 1 }),
  drop: (world) => native(world).drop(),
  rename: (world) => native(world).rename('elsewhere'),
  dropIndex: (world) => native(world).dropIndex('name_1'),
  dropIndexes: (world) => native(world).dropIndexes(),
  dropSearchIndex: (world) => native(world).dropSearchIndex('search'),
  updateSearchIndex: (world) => native(world).updateSearchIndex('search', {}),
  bulkWrite: (world) => native(world).bulkWrite([{ deleteMany: { filter: {} } }]),
  initializeOrderedBulkOp: (world) => native(world).initializeOrderedBulkOp().find({}).delete(),
  initializeUnorderedBulkOp: (world) => native(world).initializeUnorderedBulkOp().find({}).delete(),
};

export const NATIVE_VARIANTS: Readonly<Record<string, Case>> = {
  'a unique index': (world) => native(world).createIndex({ n: 1 }, { unique: true }),
  'an index that prepares to be unique': (world) => native(world).createIndex({ n: 1 }, { prepareUnique: true }),
  'an index with a lifetime': (world) => native(world).createIndex({ n: 1 }, { expireAfterSeconds: 0 }),
  'a unique index among plain ones': (world) =>
    native(world).createIndexes([{ key: { n: -1 } }, { key: { n: 1 }, unique: true }]),
  'a bulk operation whose getter changes its mind': (world) => {
    let reads = 0;
    const operation = { get insertOne() { return (reads += 1) > 1 ? null : undefined; } }; // prettier-ignore
    return native(world).bulkWrite([operation]);
  },
  '$out into itself': (world) =>
    native(world)
      .aggregate([{ $out: 'trail' }])
      .toArray(),
  '$out added to the cursor': (world) => native(world).aggregate([]).out('trail').toArray(),
  '$merge added to the cursor': (world) =>
    native(world)
      .aggregate([])
      .addStage({ $merge: { into: 'trail' } })
      .next(),
  '$out added to a clone of the cursor': (world) =>
    native(world).aggregate([]).clone().addStage({ $out: 'trail' }).hasNext(),
  'a refused pipeline read as a stream': (world) =>
    new Promise((resolve, reject) => {
      const stream = native(world)
        .aggregate([{ $out: 'trail' }])
        .stream();
      stream.on('error', reject).on('end', resolve).resume();
    }),
  'a refused pipeline read by for await': async (world) => {
    for await (const _ of native(world)
      .aggregate([{ $out: 'trail' }])
      .batchSize(2));
  },
};

/** Every way to change an append-only collection through its connection, its relatives and its other models. */
import { type Case, change } from './append-only-cases.js';

/** Methods of the connection that holds the collection. */
export const CONNECTION: Readonly<Record<string, Case>> = {
  dropCollection: ({ connection }) => connection.dropCollection('trail'),
  dropDatabase: ({ connection }) => connection.dropDatabase(),
  createCollection: ({ connection }) => connection.createCollection('trail', { capped: true, size: 4096 }),
  bulkWrite: ({ connection, Trail }) => connection.bulkWrite([{ model: Trail, name: 'deleteMany', filter: {} }]),
  aggregate: ({ connection }) => connection.aggregate([{ $documents: [{ _id: 1 }] }, { $out: 'trail' }]),
  syncIndexes: async ({ connection }) => {
    throw (await connection.syncIndexes({ continueOnError: true })).Trail;
  },
};

export const CONNECTION_VARIANTS: Readonly<Record<string, Case>> = {
  'a drop of a name that BSON makes': ({ connection }) => connection.dropCollection({ toBSON: () => 'trail' }),
  'a bulk update by the name of the model': ({ connection }) =>
    connection.bulkWrite([{ model: 'Trail', name: 'updateOne', filter: { _id: 1 }, update: change() }]),
  'an unordered bulk delete behind an insert elsewhere': ({ connection, Trail, Other }) =>
    connection.bulkWrite(
      [
        { model: Other, name: 'insertOne', document: { _id: 9 } },
        { model: Trail, name: 'deleteOne', filter: {} },
      ],
      { ordered: false },
    ),
  'a view of that name': ({ connection }) => connection.createCollection('trail', { viewOn: 'other', pipeline: [] }),
  'a collection with a lifetime': ({ connection }) => connection.createCollection('trail', { expireAfterSeconds: 1 }),
  '$out appended later': ({ connection }) =>
    connection
      .aggregate([{ $documents: [] }])
      .append({ $out: 'trail' })
      .exec(),
  '$merge through a cursor': ({ connection }) =>
    connection
      .aggregate([{ $documents: [{ _id: 1 }] }, { $merge: 'trail' }])
      .cursor()
      .next(),
  '$out appended after the cursor was made': ({ connection }) => {
    const cursor = connection.aggregate([{ $documents: [{ _id: 1 }] }]).cursor();
    cursor.cursor.addStage({ $out: 'trail' });
    return cursor.next();
  },
  'a plain model on the collection': ({ connection, mongoose }) =>
    connection.model('Plain', new mongoose.Schema({}), 'trail').deleteMany({}),
  'the collection by name': ({ connection }) => connection.collection('trail').updateMany({}, change()),
  'the collection by name, through useDb': ({ connection }) =>
    connection.useDb(connection.name).collection('trail').drop(),
  'a plain model through a cached useDb': ({ connection, mongoose }) =>
    connection
      .useDb(connection.name, { useCache: true })
      .model('Plain', new mongoose.Schema({}), 'trail')
      .deleteOne({}),
  'a drop through useDb': ({ connection }) => connection.useDb(connection.name).dropCollection('trail'),
  'a drop of the database through useDb': ({ connection }) => connection.useDb(connection.name).dropDatabase(),
  'an aggregation through useDb': ({ connection }) =>
    connection
      .useDb(connection.name)
      .aggregate([{ $documents: [] }, { $out: 'trail' }])
      .exec(),
  'an aggregation through useDb of another database, which mongoose runs on the default one': ({ connection }) =>
    connection
      .useDb('elsewhere')
      .aggregate([{ $documents: [] }, { $out: 'trail' }])
      .exec(),
  '$out from a relative on another database': ({ connection }) =>
    connection
      .useDb('elsewhere')
      .collection('any')
      .aggregate([{ $out: { db: connection.name, coll: 'trail' } }])
      .toArray(),
  '$merge from a relative on another database': ({ connection }) =>
    connection
      .useDb('elsewhere')
      .collection('any')
      .aggregate([{ $merge: { into: { db: connection.name, coll: 'trail' } } }])
      .next(),
  '$out from another model': ({ Other }) => Other.aggregate([{ $match: { _id: 1 } }, { $out: 'trail' }]),
  '$out from another model, by a target that BSON makes': ({ Other }) =>
    Other.aggregate([{ $out: { toBSON: () => 'trail' } }]),
  '$merge from another model': ({ Other }) => Other.aggregate([{ $merge: { into: 'trail', whenMatched: 'replace' } }]),
  '$merge from another model, in short': ({ Other }) => Other.aggregate([{ $merge: 'trail' }]),
  '$merge from another model, with the database': ({ Other, connection }) =>
    Other.aggregate([{ $merge: { into: { db: connection.name, coll: 'trail' } } }]),
  '$out from another model, through a cursor': async ({ Other }) => {
    for await (const _ of Other.aggregate([{ $out: 'trail' }]));
  },
  '$out from another model, appended later': ({ Other }) =>
    Other.aggregate([{ $match: {} }])
      .append({ $out: 'trail' })
      .exec(),
  '$out from another collection, added to the cursor': ({ Other }) =>
    Other.collection.aggregate([]).out('trail').toArray(),
  '$out from a collection by name': ({ connection }) =>
    connection
      .collection('other')
      .aggregate([{ $out: 'trail' }])
      .toArray(),
  'a rename of another collection onto it': ({ Other }) => Other.collection.rename('trail', { dropTarget: true }),
  'a plain model after deleteModel': ({ connection, mongoose }) => {
    connection.model('Doomed', new mongoose.Schema({}), 'trail');
    connection.deleteModel('Doomed');
    return connection.model('Doomed', new mongoose.Schema({}), 'trail').collection.deleteMany({});
  },
};

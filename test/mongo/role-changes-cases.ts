/** Every way to write a user with mongoose, and what the trail must tell of it. It knows no server. */
import { type Told, type Untyped, USERS, idOf } from './role-changes-world.js';

/** What a case works with: the model, with or without the plugin, its mongoose, and ids by name. */
export interface Stage {
  readonly User: Untyped;
  readonly mongoose: Untyped;
  readonly ann: Untyped;
  readonly bob: Untyped;
  readonly cyd: Untyped;
}

export type Case = readonly [name: string, act: (stage: Stage) => unknown, told: readonly Told[]];

export function stageOf(mongoose: Untyped, User: Untyped): Stage {
  const [ann, bob, cyd] = USERS.map((user) => idOf(mongoose, user));
  return { User, mongoose, ann, bob, cyd };
}

const UP: Told = ['ann', 'user', 'admin'];

async function changed(stage: Stage, change: (document: Untyped) => unknown): Promise<Untyped> {
  const document = await stage.User.findById(stage.ann);
  await change(document);
  return document;
}

const BY_DOCUMENT: readonly Case[] = [
  ['save', (s) => changed(s, (d) => ((d.role = 'admin'), d.save())), [UP]],
  ['save by the alias', (s) => changed(s, (d) => ((d.rank = 'admin'), d.save())), [UP]],
  ['save without middleware', (s) => changed(s, (d) => ((d.role = 'admin'), d.save({ middleware: false }))), [UP]],
  [
    'save twice',
    (s) =>
      changed(s, async (d) => {
        d.role = 'a';
        await d.save();
        d.role = 'b';
        await d.save();
      }),
    [
      ['ann', 'user', 'a'],
      ['ann', 'a', 'b'],
    ],
  ],
  ['save after set and set back', (s) => changed(s, (d) => ((d.role = 'admin'), (d.role = 'user'), d.save())), []],
  ['save of something else', (s) => changed(s, (d) => ((d.title = 'Dr'), d.save())), []],
  ['save of nothing', (s) => changed(s, (d) => d.save()), []],
  ['save of a removed role', (s) => changed(s, (d) => ((d.role = undefined), d.save())), [['ann', 'user', null]]],
  [
    'save of a pushed role',
    (s) => changed(s, (d) => (d.roles.push('owner'), d.save())),
    [['ann', 'reader,writer', 'owner,reader,writer']],
  ],
  ['save of roles in another order', (s) => changed(s, (d) => ((d.roles = ['writer', 'reader']), d.save())), []],
  ['save of a repeated role', (s) => changed(s, (d) => (d.roles.push('reader'), d.save())), []],
  ['save of an invalid role', (s) => changed(s, (d) => ((d.role = 'bad'), d.save())), []],
  [
    'save that meets a duplicate key',
    (s) => changed(s, (d) => ((d.role = 'admin'), (d.email = 'bob@x'), d.save())),
    [],
  ],
  [
    'save of a document without its role',
    async (s) => {
      const d = await s.User.findById(s.ann).select('name');
      d.role = 'admin';
      await d.save();
      return d;
    },
    [UP],
  ],
  ['save of a new user', (s) => new s.User({ name: 'dan', email: 'dan@x', role: 'admin' }).save(), []],
  ['create', (s) => s.User.create({ name: 'dan', email: 'dan@x', role: 'admin' }), []],
  ['insertMany', (s) => s.User.insertMany([{ name: 'dan', email: 'dan@x', role: 'admin' }]), []],
  ['document.updateOne', (s) => changed(s, (d) => d.updateOne({ role: 'admin' })), [UP]],
  [
    'document.replaceOne',
    (s) => changed(s, (d) => d.replaceOne({ name: 'ann', email: 'ann@x', role: 'admin', roles: ['reader', 'writer'] })),
    [UP],
  ],
  ['document.deleteOne', (s) => changed(s, (d) => d.deleteOne()), []],
  [
    'bulkSave',
    async (s) => {
      const all = await s.User.find().sort('name');
      all[0].role = 'admin';
      all[1].title = 'Dr';
      all[2].role = 'user';
      return s.User.bulkSave(all);
    },
    [UP, ['cyd', 'admin', 'user']],
  ],
  [
    'bulkSave of a new one too',
    async (s) => {
      const d = await s.User.findById(s.ann);
      d.role = 'admin';
      return s.User.bulkSave([d, new s.User({ name: 'dan', email: 'dan@x', role: 'x' })]);
    },
    [UP],
  ],
];

const BY_UPDATE: readonly Case[] = [
  ['updateOne', (s) => s.User.updateOne({ _id: s.ann }, { role: 'admin' }), [UP]],
  ['updateOne with $set', (s) => s.User.updateOne({ _id: s.ann }, { $set: { role: 'admin', title: 'x' } }), [UP]],
  [
    'updateOne without middleware',
    (s) => s.User.updateOne({ _id: s.ann }, { role: 'admin' }, { middleware: false }),
    [UP],
  ],
  [
    'updateOne without pre hooks',
    (s) => s.User.updateOne({ _id: s.ann }, { role: 'admin' }, { middleware: { pre: false } }),
    [UP],
  ],
  [
    'updateOne by the alias',
    (s) => s.User.updateOne({ _id: s.ann }, { rank: 'admin' }, { translateAliases: true }),
    [UP],
  ],
  ['updateOne to the same role', (s) => s.User.updateOne({ _id: s.ann }, { role: 'user' }), []],
  [
    'updateOne that matches nobody',
    (s) => s.User.updateOne({ _id: new s.mongoose.Types.ObjectId() }, { role: 'admin' }),
    [],
  ],
  [
    'updateOne with the role in its filter',
    (s) => s.User.updateOne({ name: 'ann', role: 'user' }, { role: 'admin' }),
    [UP],
  ],
  [
    'updateOne with another role in its filter',
    (s) => s.User.updateOne({ _id: s.ann, role: 'nobody' }, { role: 'admin' }),
    [],
  ],
  ['updateOne by a filter that several match', (s) => s.User.updateOne({ role: 'user' }, { role: 'admin' }), [UP]],
  ['updateOne by $in of one id', (s) => s.User.updateOne({ _id: { $in: [s.ann] } }, { role: 'admin' }), [UP]],
  ['updateOne without a filter', (s) => s.User.updateOne({}, { role: 'admin' }), [UP]],
  ['updateOne with $unset', (s) => s.User.updateOne({ _id: s.ann }, { $unset: { role: 1 } }), [['ann', 'user', null]]],
  [
    'updateOne with $rename away',
    (s) => s.User.updateOne({ _id: s.ann }, { $rename: { role: 'former' } }),
    [['ann', 'user', null]],
  ],
  [
    'updateOne with $rename to it',
    async (s) => {
      await s.User.updateOne({ _id: s.ann }, { former: 'boss' });
      return s.User.updateOne({ _id: s.ann }, { $rename: { former: 'role' } });
    },
    [['ann', 'user', 'boss']],
  ],
  [
    'updateOne with $setOnInsert that matches',
    (s) => s.User.updateOne({ _id: s.ann }, { $setOnInsert: { role: 'admin' } }, { upsert: true }),
    [],
  ],
  [
    'updateOne with $push',
    (s) => s.User.updateOne({ _id: s.bob }, { $push: { roles: 'owner' } }),
    [['bob', 'reader', 'owner,reader']],
  ],
  [
    'updateOne with $pull',
    (s) => s.User.updateOne({ _id: s.ann }, { $pull: { roles: 'writer' } }),
    [['ann', 'reader,writer', 'reader']],
  ],
  [
    'updateOne with $pull of all',
    (s) => s.User.updateOne({ _id: s.bob }, { $pull: { roles: 'reader' } }),
    [['bob', 'reader', null]],
  ],
  ['updateOne with $pull of none', (s) => s.User.updateOne({ _id: s.bob }, { $pull: { roles: 'owner' } }), []],
  [
    'updateOne with $addToSet',
    (s) => s.User.updateOne({ _id: s.cyd }, { $addToSet: { roles: 'owner' } }),
    [['cyd', null, 'owner']],
  ],
  [
    'updateOne with $addToSet of what is there',
    (s) => s.User.updateOne({ _id: s.bob }, { $addToSet: { roles: 'reader' } }),
    [],
  ],
  [
    'updateOne with $pop',
    (s) => s.User.updateOne({ _id: s.ann }, { $pop: { roles: 1 } }),
    [['ann', 'reader,writer', 'reader']],
  ],
  [
    'updateOne with the position',
    (s) => s.User.updateOne({ _id: s.ann, roles: 'writer' }, { $set: { 'roles.$': 'owner' } }),
    [['ann', 'reader,writer', 'owner,reader']],
  ],
  [
    'updateOne with an index',
    (s) => s.User.updateOne({ _id: s.ann }, { $set: { 'roles.0': 'owner' } }),
    [['ann', 'reader,writer', 'owner,writer']],
  ],
  [
    'updateOne with array filters',
    (s) =>
      s.User.updateOne({ _id: s.ann }, { $set: { 'roles.$[one]': 'owner' } }, { arrayFilters: [{ one: 'reader' }] }),
    [['ann', 'reader,writer', 'owner,writer']],
  ],
  [
    'updateOne by a pipeline',
    (s) =>
      s.User.updateOne({ _id: s.ann }, [{ $set: { role: { $concat: ['super-', '$role'] } } }], {
        updatePipeline: true,
      }),
    [['ann', 'user', 'super-user']],
  ],
  [
    'updateOne by a pipeline of something else',
    (s) => s.User.updateOne({ _id: s.ann }, [{ $set: { title: 'Dr' } }], { updatePipeline: true }),
    [],
  ],
  [
    'updateOne of a field that the schema does not have',
    (s) => s.User.updateOne({ _id: s.ann }, { $set: { rôle: 'x', role: 'admin' } }, { strict: false }),
    [UP],
  ],
  [
    'updateOne with an invalid role and validators',
    (s) => s.User.updateOne({ _id: s.ann }, { role: 'bad' }, { runValidators: true }),
    [],
  ],
  [
    'updateOne that meets a duplicate key',
    (s) => s.User.updateOne({ _id: s.ann }, { role: 'admin', email: 'bob@x' }),
    [],
  ],
  ['updateOne of a value that cannot be cast', (s) => s.User.updateOne({ _id: s.ann }, { role: { not: 'text' } }), []],
  [
    'updateOne with a collation',
    (s) => s.User.updateOne({ name: 'ANN' }, { role: 'admin' }, { collation: { locale: 'en', strength: 2 } }),
    [UP],
  ],
  [
    'updateOne with a hint',
    (s) => s.User.updateOne({ email: 'ann@x' }, { role: 'admin' }, { hint: { email: 1 } }),
    [UP],
  ],
  [
    'updateOne without timestamps',
    (s) => s.User.updateOne({ _id: s.ann }, { role: 'admin' }, { timestamps: false }),
    [UP],
  ],
  ['updateOne of something else', (s) => s.User.updateOne({ _id: s.ann }, { title: 'Dr' }), []],
  ['upsert that inserts', (s) => s.User.updateOne({ email: 'dan@x' }, { role: 'admin' }, { upsert: true }), []],
  ['upsert that updates', (s) => s.User.updateOne({ email: 'ann@x' }, { role: 'admin' }, { upsert: true }), [UP]],
  ['upsert where several match', (s) => s.User.updateOne({ role: 'user' }, { role: 'admin' }, { upsert: true }), [UP]],
  [
    'replaceOne',
    (s) =>
      s.User.replaceOne({ _id: s.ann }, { name: 'ann', email: 'ann@x', role: 'admin', roles: ['reader', 'writer'] }),
    [UP],
  ],
  [
    'replaceOne without a role',
    (s) => s.User.replaceOne({ _id: s.bob }, { name: 'bob', email: 'bob@x', roles: ['reader'] }),
    [['bob', 'user', null]],
  ],
  [
    'replaceOne by the same',
    (s) => s.User.replaceOne({ _id: s.bob }, { name: 'bob', email: 'bob@x', role: 'user', roles: ['reader'] }),
    [],
  ],
  [
    'replaceOne that inserts',
    (s) => s.User.replaceOne({ email: 'dan@x' }, { email: 'dan@x', role: 'x' }, { upsert: true }),
    [],
  ],
  ['updateMany', (s) => s.User.updateMany({}, { role: 'admin' }), [UP, ['bob', 'user', 'admin']]],
  [
    'updateMany with the role in its filter',
    (s) => s.User.updateMany({ role: 'user' }, { role: 'x' }),
    [
      ['ann', 'user', 'x'],
      ['bob', 'user', 'x'],
    ],
  ],
  [
    'updateMany by a pipeline',
    (s) => s.User.updateMany({}, [{ $set: { role: '$name' } }], { updatePipeline: true }),
    [
      ['ann', 'user', 'ann'],
      ['bob', 'user', 'bob'],
      ['cyd', 'admin', 'cyd'],
    ],
  ],
  ['updateMany that matches nobody', (s) => s.User.updateMany({ name: 'zoe' }, { role: 'admin' }), []],
  ['updateMany that inserts', (s) => s.User.updateMany({ email: 'dan@x' }, { role: 'admin' }, { upsert: true }), []],
  [
    'updateMany that fails half-way',
    (s) =>
      s.User.updateMany(
        {},
        [{ $set: { role: 'x', email: { $cond: [{ $eq: ['$name', 'bob'] }, 'cyd@x', '$email'] } } }],
        { updatePipeline: true },
      ),
    [['ann', 'user', 'x']],
  ],
  ['Model.collection.updateOne', (s) => s.User.collection.updateOne({ _id: s.ann }, { $set: { role: 'admin' } }), [UP]],
];

const BY_FIND: readonly Case[] = [
  ['findOneAndUpdate', (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin' }), [UP]],
  [
    'findOneAndUpdate, after',
    (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin' }, { returnDocument: 'after' }),
    [UP],
  ],
  [
    'findOneAndUpdate, lean',
    (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin' }, { returnDocument: 'after' }).lean(),
    [UP],
  ],
  [
    'findOneAndUpdate, raw',
    (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin' }, { includeResultMetadata: true }),
    [UP],
  ],
  [
    'findOneAndUpdate, raw, after',
    (s) =>
      s.User.findOneAndUpdate(
        { name: 'ann' },
        { role: 'admin' },
        { includeResultMetadata: true, returnDocument: 'after' },
      ),
    [UP],
  ],
  [
    'findOneAndUpdate without the role',
    (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin' }).select('name'),
    [UP],
  ],
  [
    'findOneAndUpdate, after, without the role',
    (s) =>
      s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin' }, { returnDocument: 'after' }).select('-role -_id'),
    [UP],
  ],
  [
    'findOneAndUpdate with a sort',
    (s) => s.User.findOneAndUpdate({}, { role: 'x' }, { sort: { name: -1 } }),
    [['cyd', 'admin', 'x']],
  ],
  ['findOneAndUpdate where several match', (s) => s.User.findOneAndUpdate({ role: 'user' }, { role: 'admin' }), [UP]],
  ['findOneAndUpdate that matches nobody', (s) => s.User.findOneAndUpdate({ name: 'zoe' }, { role: 'admin' }), []],
  ['findOneAndUpdate to the same role', (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'user' }), []],
  ['findOneAndUpdate of something else', (s) => s.User.findOneAndUpdate({ name: 'ann' }, { title: 'Dr' }), []],
  [
    'findOneAndUpdate that inserts',
    (s) => s.User.findOneAndUpdate({ email: 'dan@x' }, { role: 'x' }, { upsert: true }),
    [],
  ],
  [
    'findOneAndUpdate that inserts, after',
    (s) => s.User.findOneAndUpdate({ email: 'dan@x' }, { role: 'x' }, { upsert: true, returnDocument: 'after' }),
    [],
  ],
  [
    'findOneAndUpdate that inserts, raw, after',
    (s) =>
      s.User.findOneAndUpdate(
        { email: 'dan@x' },
        { role: 'x' },
        { upsert: true, returnDocument: 'after', includeResultMetadata: true },
      ),
    [],
  ],
  [
    'findOneAndUpdate by a pipeline',
    (s) => s.User.findOneAndUpdate({ name: 'ann' }, [{ $set: { role: 'admin' } }], { updatePipeline: true }),
    [UP],
  ],
  [
    'findOneAndUpdate that meets a duplicate key',
    (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin', email: 'bob@x' }),
    [],
  ],
  [
    'findOneAndUpdate without middleware',
    (s) => s.User.findOneAndUpdate({ name: 'ann' }, { role: 'admin' }, { middleware: false }),
    [UP],
  ],
  ['findByIdAndUpdate', (s) => s.User.findByIdAndUpdate(s.ann, { role: 'admin' }, { returnDocument: 'after' }), [UP]],
  [
    'findByIdAndUpdate that matches nobody, after',
    (s) => s.User.findByIdAndUpdate(new s.mongoose.Types.ObjectId(), { role: 'admin' }, { returnDocument: 'after' }),
    [],
  ],
  [
    'findOneAndReplace',
    (s) =>
      s.User.findOneAndReplace(
        { name: 'ann' },
        { name: 'ann', email: 'ann@x', role: 'admin', roles: ['reader', 'writer'] },
      ),
    [UP],
  ],
  [
    'findOneAndReplace, after, lean',
    (s) =>
      s.User.findOneAndReplace({ name: 'bob' }, { name: 'bob', email: 'bob@x' }, { returnDocument: 'after' }).lean(),
    [['bob', 'reader,user', null]],
  ],
  ['findOneAndDelete', (s) => s.User.findOneAndDelete({ name: 'ann' }), []],
  ['findByIdAndDelete', (s) => s.User.findByIdAndDelete(s.ann), []],
];

const one = (filter: object, update: object, more: object = {}): object => ({ updateOne: { filter, update, ...more } });

const BY_BULK: readonly Case[] = [
  ['bulkWrite of updateOne', (s) => s.User.bulkWrite([one({ name: 'ann' }, { role: 'admin' })]), [UP]],
  [
    'bulkWrite of updateOne by id',
    (s) => s.User.bulkWrite([one({ _id: s.ann }, { role: 'admin' }), one({ _id: s.bob }, { role: 'admin' })]),
    [UP, ['bob', 'user', 'admin']],
  ],
  [
    'bulkWrite without middleware',
    (s) => s.User.bulkWrite([one({ name: 'ann' }, { role: 'admin' })], { middleware: false }),
    [UP],
  ],
  [
    'bulkWrite of updateMany',
    (s) => s.User.bulkWrite([{ updateMany: { filter: { role: 'user' }, update: { role: 'x' } } }]),
    [
      ['ann', 'user', 'x'],
      ['bob', 'user', 'x'],
    ],
  ],
  [
    'bulkWrite of replaceOne',
    (s) =>
      s.User.bulkWrite([
        {
          replaceOne: {
            filter: { name: 'ann' },
            replacement: { name: 'ann', email: 'ann@x', role: 'admin', roles: ['reader', 'writer'] },
          },
        },
      ]),
    [UP],
  ],
  [
    'bulkWrite of insertOne and deletes',
    (s) =>
      s.User.bulkWrite([
        { insertOne: { document: { name: 'dan', email: 'dan@x', role: 'x' } } },
        { deleteOne: { filter: { name: 'ann' } } },
        { deleteMany: { filter: { name: 'bob' } } },
      ]),
    [],
  ],
  [
    'bulkWrite of all kinds',
    (s) =>
      s.User.bulkWrite([
        one({ name: 'ann' }, { role: 'admin' }),
        { insertOne: { document: { name: 'dan', email: 'dan@x', role: 'x' } } },
        { updateMany: { filter: { name: 'bob' }, update: { $push: { roles: 'y' } } } },
        { deleteOne: { filter: { name: 'cyd' } } },
      ]),
    [UP, ['bob', 'reader', 'reader,y']],
  ],
  [
    'bulkWrite whose later operation finds what an earlier one changed',
    (s) =>
      s.User.bulkWrite([
        one({ name: 'ann' }, { title: 'Dr' }),
        { updateMany: { filter: { title: 'Dr' }, update: { role: 'admin' } } },
      ]),
    [UP],
  ],
  [
    'bulkWrite that sets and sets back',
    (s) => s.User.bulkWrite([one({ _id: s.ann }, { role: 'x' }), one({ _id: s.ann }, { role: 'user' })]),
    [],
  ],
  [
    'bulkWrite that inserts and then changes the new one',
    (s) =>
      s.User.bulkWrite([
        { insertOne: { document: { name: 'dan', email: 'dan@x', role: 'x' } } },
        one({ name: 'dan' }, { role: 'y' }),
      ]),
    [],
  ],
  [
    'bulkWrite with an upsert that inserts',
    (s) => s.User.bulkWrite([one({ email: 'dan@x' }, { role: 'x' }, { upsert: true })]),
    [],
  ],
  ['bulkWrite by a pipeline', (s) => s.User.bulkWrite([one({ name: 'ann' }, [{ $set: { role: 'admin' } }])]), [UP]],
  [
    'bulkWrite with array filters',
    (s) =>
      s.User.bulkWrite([
        one({ name: 'ann' }, { $set: { 'roles.$[one]': 'owner' } }, { arrayFilters: [{ one: 'reader' }] }),
      ]),
    [['ann', 'reader,writer', 'owner,writer']],
  ],
  [
    'bulkWrite with a collation',
    (s) => s.User.bulkWrite([one({ name: 'ANN' }, { role: 'admin' }, { collation: { locale: 'en', strength: 2 } })]),
    [UP],
  ],
  ['bulkWrite of something else', (s) => s.User.bulkWrite([one({ name: 'ann' }, { title: 'Dr' })]), []],
  [
    'ordered bulkWrite that fails in the middle',
    (s) =>
      s.User.bulkWrite([
        one({ name: 'ann' }, { role: 'x' }),
        one({ name: 'bob' }, { role: 'x', email: 'cyd@x' }),
        one({ name: 'cyd' }, { role: 'x' }),
      ]),
    [['ann', 'user', 'x']],
  ],
  [
    'unordered bulkWrite that fails in the middle',
    (s) =>
      s.User.bulkWrite(
        [
          one({ name: 'ann' }, { role: 'x' }),
          one({ name: 'bob' }, { role: 'x', email: 'cyd@x' }),
          one({ name: 'cyd' }, { role: 'x' }),
        ],
        { ordered: false },
      ),
    [
      ['ann', 'user', 'x'],
      ['cyd', 'admin', 'x'],
    ],
  ],
  ['bulkWrite of nothing', (s) => s.User.bulkWrite([]), []],
];

/** What a builder answers says how the driver keeps it; what counts is how much it changed. */
async function executed(builder: Untyped, options?: object): Promise<unknown> {
  const { matchedCount, modifiedCount, upsertedCount, insertedCount, deletedCount } = await builder.execute(options);
  return [matchedCount, modifiedCount, upsertedCount, insertedCount, deletedCount];
}

const BY_BUILDER: readonly Case[] = [
  [
    'an ordered one with every operation',
    (s) => {
      const builder = s.User.collection.initializeOrderedBulkOp();
      builder.insert({ name: 'dan', email: 'dan@x', role: 'user' });
      builder.find({ name: 'ann' }).updateOne({ $set: { role: 'admin' } });
      builder.find({ role: 'user' }).update([{ $set: { roles: ['x'] } }]);
      builder.find({ name: 'cyd' }).replaceOne({ name: 'cyd', email: 'cyd@x' });
      builder
        .find({ name: 'eve' })
        .upsert()
        .updateOne({ $set: { email: 'eve@x', role: 'user' } });
      builder.find({ name: 'dan' }).deleteOne();
      return executed(builder);
    },
    [UP, ['bob', 'reader', 'x'], ['cyd', 'admin', null]],
  ],
  [
    'an unordered one',
    (s) => {
      const builder = s.User.collection.initializeUnorderedBulkOp();
      builder.find({ name: 'CYD' }).delete();
      builder
        .find({ name: 'ANN' })
        .collation({ locale: 'en', strength: 2 })
        .updateOne({ $set: { role: 'admin' } });
      builder.raw({ updateMany: { filter: { name: 'bob' }, update: { $unset: { role: 1 } } } });
      return executed(builder, { writeConcern: { w: 1 } });
    },
    [UP, ['bob', 'user', null]],
  ],
  [
    'one that empties a document',
    (s) => executed(s.User.collection.initializeOrderedBulkOp().find({ _id: s.ann }).replaceOne({})),
    [['ann', 'reader,user,writer', null]],
  ],
  [
    'one that fails in the middle',
    (s) => {
      const builder = s.User.collection.initializeOrderedBulkOp();
      builder.find({ _id: s.ann }).updateOne({ $set: { role: 'admin' } });
      builder.find({ _id: s.bob }).updateOne({ $set: { role: 'admin', email: 'ann@x' } });
      return executed(builder);
    },
    [UP],
  ],
  [
    'one that touches no role',
    (s) =>
      executed(
        s.User.collection
          .initializeOrderedBulkOp()
          .find({})
          .update({ $set: { title: 'Dr' } }),
      ),
    [],
  ],
  ['one with nothing in it', (s) => executed(s.User.collection.initializeOrderedBulkOp()), []],
  [
    'one that is executed twice',
    async (s) => {
      const builder = s.User.collection.initializeUnorderedBulkOp();
      builder.find({ _id: s.ann }).updateOne({ $set: { role: 'admin' } });
      await builder.execute();
      return executed(builder);
    },
    [UP],
  ],
  [
    'one in a transaction that is aborted and one that is committed',
    (s) =>
      s.User.db.transaction(async (session: Untyped) => {
        const builder = s.User.collection.initializeOrderedBulkOp({ session });
        builder.find({ _id: s.ann }).updateOne({ $set: { role: 'lost' } });
        await builder.execute();
        await session.abortTransaction();
        session.startTransaction();
        const another = s.User.collection.initializeOrderedBulkOp();
        another.find({ _id: s.ann }).updateOne({ $set: { role: 'admin' } });
        await another.execute({ session });
      }),
    [UP],
  ],
];

export const CASES: readonly (readonly [of: string, cases: readonly Case[]])[] = [
  ['documents', BY_DOCUMENT],
  ['updates', BY_UPDATE],
  ['find and modify', BY_FIND],
  ['bulk writes', BY_BULK],
  ['bulk operation builders', BY_BUILDER],
];

/** `roleChanges()` on schemas, models and connections of every kind, its options, and what happens when roles cannot be read. */
import { expect } from 'chai';
import type { MongoMemoryReplSet } from 'mongodb-memory-server';
import { memoryProvider, OptionsError, type RoleChangeOptions, strongroom } from '../../src/index.js';
import { startReplicaSet } from '../mongod.js';
import { stageOf } from './role-changes-cases.js';
import { createWorld, type Told, type Untyped, VERSIONS, type World, type WorldOptions } from './role-changes-world.js';

const UP: Told = ['ann', 'user', 'admin'];

describe('roleChanges() options', () => {
  const room = strongroom({ environment: 'test', secrets: { provider: memoryProvider() }, audit: false });
  const wrong: [name: string, options: unknown, message: RegExp][] = [
    ['an unknown option', { path: ['role'] }, /roleChanges: option "path" is unknown; did you mean "paths"\?/],
    ['paths that are no array', { paths: 'role' }, /roleChanges\.paths must be an array, got a string/],
    ['no paths at all', { paths: [] }, /roleChanges\.paths must name at least one path/],
    ['a path that is no text', { paths: ['role', 1] }, /roleChanges\.paths\[1\] must be a dotted path/],
    ['an empty path', { paths: [''] }, /roleChanges\.paths\[0\] must be a dotted path/],
    ['an empty step', { paths: ['a..b'] }, /roleChanges\.paths\[0\]/],
    ['an operator', { paths: ['$set'] }, /roleChanges\.paths\[0\]/],
    ['a position', { paths: ['roles.0'] }, /roleChanges\.paths\[0\]/],
    ['the id', { paths: ['_id'] }, /roleChanges\.paths\[0\]/],
    ['a path twice', { paths: ['role', 'name', 'role'] }, /roleChanges\.paths\[2\] is there already/],
    ['an empty target', { target: '' }, /roleChanges\.target must be a string that is not empty/],
    ['an action with a space', { action: 'role change' }, /roleChanges\.action must be/],
    ['options that are no object', 'role', /roleChanges must be an object/],
  ];
  for (const [name, options, message] of wrong) {
    it(`refuse ${name}`, () => {
      expect(() => room.roleChanges(options as RoleChangeOptions)).to.throw(OptionsError, message);
    });
  }

  it('take what is left out as undefined', () => {
    expect(room.roleChanges({ paths: undefined, target: undefined, action: undefined })).to.be.a('function');
  });

  it('refuse a schema that is none', () => {
    expect(() => room.roleChanges()({} as never)).to.throw(
      OptionsError,
      /roleChanges: schema must be a mongoose schema/,
    );
  });
});

describe('roleChanges() on models', function suite() {
  this.timeout(60_000);
  let server: MongoMemoryReplSet;
  let databases = 0;
  const worlds: World[] = [];
  before(async () => {
    server = await startReplicaSet();
  });
  after(() => server.stop());
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });

  async function open(base: Untyped, options: Omit<WorldOptions, 'uri'> = {}): Promise<World> {
    databases += 1;
    const world = await createWorld(base, { ...options, uri: server.getUri(`schemas_${databases}`) });
    worlds.push(world);
    await world.reset();
    return world;
  }

  for (const [version, base] of VERSIONS) {
    describe(`of ${version}`, () => {
      it('names each path that changed where several are given', async () => {
        const world = await open(base, { roles: { paths: ['role', 'roles', 'profile', 'profile.role'] } });
        const { User, ann } = stageOf(base, world.User);
        await User.updateOne({ _id: ann }, { $set: { role: 'admin', profile: { role: 'p2' } }, $push: { roles: 'x' } });
        await User.updateOne({ _id: ann }, { $set: { 'profile.role': 'p3' } });
        expect(await world.told()).to.deep.equal([
          ['ann', 'user', 'admin', 'role'],
          ['ann', 'reader,writer', 'reader,writer,x', 'roles'],
          ['ann', '{"role":"p1"}', '{"role":"p2"}', 'profile'],
          ['ann', 'p1', 'p2', 'profile.role'],
          ['ann', '{"role":"p2"}', '{"role":"p3"}', 'profile'],
          ['ann', 'p2', 'p3', 'profile.role'],
        ]);
      });

      it('names no path where one is given, and watches no other', async () => {
        const world = await open(base, { roles: { paths: ['profile.role'] } });
        const { User, ann } = stageOf(base, world.User);
        await User.updateOne({ _id: ann }, { role: 'admin', profile: { role: 'p2' } });
        await User.updateOne({ _id: ann }, { role: 'boss' });
        await User.updateOne({ _id: ann }, { $unset: { profile: 1 } });
        expect(await world.told()).to.deep.equal([
          ['ann', 'p1', 'p2'],
          ['ann', 'p2', null],
        ]);
      });

      it('tells one event of a user whose role and roles change together, and none when a role only moves', async () => {
        const world = await open(base);
        const { User, ann, bob } = stageOf(base, world.User);
        await User.updateOne({ _id: ann }, { role: 'admin', roles: ['x'] });
        await User.collection.updateOne({ _id: bob }, { $set: { roles: [] } });
        await User.collection.updateOne({ _id: bob }, { $rename: { role: 'roles' } });
        expect(await world.told()).to.deep.equal([
          ['ann', 'reader,user,writer', 'admin,x'],
          ['bob', 'reader', null],
        ]);
      });

      it('tells an exchange between role and roles, though together they are the same', async () => {
        const world = await open(base);
        const { User, ann, bob, cyd } = stageOf(base, world.User);
        await User.updateOne({ _id: ann }, { role: 'reader', roles: ['user', 'writer'] });
        // All that it was is there still, and more of it counts.
        await User.updateOne({ _id: bob }, { role: 'reader', roles: ['user', 'reader'] });
        await User.updateOne({ _id: cyd }, { role: 'user', roles: ['admin'] });
        await User.updateOne({ _id: cyd }, { $set: { role: 'admin' }, $unset: { roles: 1 } });
        expect(await world.told()).to.deep.equal([
          ['ann', 'reader,user,writer', 'reader,user,writer'],
          ['bob', 'reader,user', 'reader,user'],
          ['cyd', 'admin', 'admin,user'],
          ['cyd', 'admin,user', 'admin'],
        ]);
      });

      it('reads roles inside arrays of subdocuments', async () => {
        const world = await open(base, { roles: { paths: ['teams.role'] } });
        const { User, cyd } = stageOf(base, world.User);
        await User.updateOne({ _id: cyd }, { $push: { teams: { name: 't2', role: 'owner' } } });
        await User.updateOne({ _id: cyd, 'teams.name': 't2' }, { $set: { 'teams.$.role': 'guest' } });
        await User.updateOne({ _id: cyd }, { $set: { 'teams.$[].role': 'guest' } });
        const document = await User.findById(cyd);
        document.teams[0].role = 'owner';
        await document.save();
        await User.updateOne({ _id: cyd }, { $set: { 'teams.0.name': 't3' } });
        expect(await world.told()).to.deep.equal([
          ['cyd', 'member', 'member,owner'],
          ['cyd', 'member,owner', 'guest,member'],
          ['cyd', 'guest,member', 'guest'],
          ['cyd', 'guest', 'guest,owner'],
        ]);
      });

      it('tells ids, numbers and objects as text', async () => {
        const world = await open(base, {
          prepare: (schema) => schema.add({ role: base.Schema.Types.Mixed }),
        });
        const { User, ann } = stageOf(base, world.User);
        const id = new base.Types.ObjectId('65a1b2c3d4e5f607182930ff');
        for (const role of [id, 7, true, { name: 'x', level: 1 }])
          await User.updateOne({ _id: ann }, { $set: { role } });
        expect((await world.told()).map(([, , now]) => now)).to.deep.equal([
          '65a1b2c3d4e5f607182930ff',
          '7',
          'true',
          '{"level":1,"name":"x"}',
        ]);
      });

      it('tells large numbers, decimals, dates and bytes as text without quotes, as roles and as ids', async () => {
        const world = await open(base);
        const schema = new base.Schema({ _id: base.Schema.Types.Mixed, role: base.Schema.Types.Mixed });
        schema.plugin(world.room.roleChanges());
        const Odd = world.connection.model('Odd', schema, 'odd');
        const values: [value: unknown, text: string][] = [
          [9007199254740993n, '9007199254740993'],
          [base.Types.Decimal128.fromString('1.50'), '1.50'],
          [new Date(0), '1970-01-01T00:00:00.000Z'],
          [Buffer.from('abc'), 'YWJj'],
        ];
        await Odd.collection.insertMany(values.map(([_id]) => ({ _id, role: 'x' })));
        for (const [value] of values) await Odd.updateOne({ _id: value }, { $set: { role: value } });
        expect(await world.told()).to.deep.equal(values.map(([, text]) => [text, 'x', text]));
      });

      it('tells an empty text apart from no role', async () => {
        const world = await open(base);
        const { User, ann } = stageOf(base, world.User);
        await User.updateOne({ _id: ann }, { role: '' });
        await User.updateOne({ _id: ann }, { $unset: { role: 1 } });
        await User.updateOne({ _id: ann }, { roles: [''] });
        await User.updateOne({ _id: ann }, { roles: [] });
        expect(await world.told()).to.deep.equal([
          ['ann', 'user', ''],
          ['ann', '', null],
          ['ann', 'reader,writer', ''],
          ['ann', '', null],
        ]);
      });

      it('sees a role that the schema does not have, without strictness', async () => {
        const world = await open(base, {
          roles: { paths: ['access'] },
          prepare: (schema) => schema.set('strict', false),
        });
        const { User, ann } = stageOf(base, world.User);
        await User.updateOne({ _id: ann }, { access: 'all' });
        const document = await User.findById(ann);
        document.set('access', 'none');
        await document.save();
        expect(await world.told()).to.deep.equal([
          ['ann', null, 'all'],
          ['ann', 'all', 'none'],
        ]);
      });

      it('sees discriminators of the model, and a model whose discriminator alone has the plugin', async () => {
        const world = await open(base);
        const Staff = world.User.discriminator('Staff', new base.Schema({ desk: String }));
        const staff = await Staff.create({ name: 'dan', email: 'dan@x', role: 'user' });
        staff.role = 'a';
        await staff.save();
        await Staff.updateOne({ name: 'dan' }, { role: 'b' });
        await world.User.updateOne({ name: 'dan' }, { role: 'c' });
        const schema = new base.Schema({ role: String });
        schema.plugin(world.room.roleChanges());
        const Thing = world.connection.model('Thing', new base.Schema({ name: String }), 'things');
        const Special = Thing.discriminator('Special', schema);
        const special = await Special.create({ role: 'x' });
        await Special.updateOne({}, { role: 'y' });
        expect((await world.told()).map(([, ...change]) => change)).to.deep.equal([
          ['user', 'a'],
          ['a', 'b'],
          ['b', 'c'],
          ['x', 'y'],
        ]);
        expect(special.role).to.equal('x');
      });

      it('follows a model to another database, to another connection, and when it is compiled again', async () => {
        const world = await open(base);
        const { schema } = world.User;
        const Other = world.connection.useDb('schemas_other').model('User', schema, 'users');
        const { _id } = await Other.create({ name: 'dan', role: 'a' });
        await Other.updateOne({ _id }, { role: 'b' });
        world.connection.deleteModel('User');
        const Again = world.connection.model('User', schema, 'users');
        await Again.updateOne({ name: 'ann' }, { role: 'admin' });
        const second = await base
          .createConnection(world.connection.getClient().s.url, { dbName: 'schemas_other' })
          .asPromise();
        Again.useConnection(second);
        await Again.updateOne({ _id }, { role: 'c' });
        await second.dropDatabase();
        await second.close();
        const told = await world.told();
        expect(told.map(([, ...change]) => change)).to.deep.equal([
          ['a', 'b'],
          ['user', 'admin'],
          ['b', 'c'],
        ]);
      });

      it('tells once where the plugin stands twice, and sees another model on the collection', async () => {
        const world = await open(base, { prepare: (schema) => schema.plugin((s: Untyped) => s.set('id', false)) });
        const schema = new base.Schema({ name: String, role: String });
        schema.plugin(world.room.roleChanges());
        schema.plugin(world.room.roleChanges());
        schema.plugin(world.room.roleChanges({ paths: ['role'] }));
        const Twice = world.connection.model('Twice', schema, 'users');
        const Unaware = world.connection.model('Unaware', new base.Schema({ name: String, role: String }), 'users');
        await Twice.updateOne({ name: 'ann' }, { role: 'admin' });
        await Unaware.updateOne({ name: 'bob' }, { role: 'x' });
        expect(await world.told()).to.deep.equal([UP, ['bob', 'user', 'x']]);
      });

      it('tells each of two rooms', async () => {
        const world = await open(base);
        const uri = server.getUri(`schemas_${databases}`);
        const room = strongroom({
          environment: 'test',
          secrets: { provider: memoryProvider() },
          audit: { uri, collection: 'second' },
        });
        const schema = new base.Schema({ name: String, role: String });
        schema.plugin(room.roleChanges());
        const Second = world.connection.model('Second', schema, 'users');
        await Second.updateOne({ name: 'ann' }, { role: 'admin' });
        await world.connection.transaction((session: Untyped) =>
          Second.updateOne({ name: 'bob' }, { role: 'x' }, { session }),
        );
        await room.audit.flush();
        const { events } = await room.audit.find();
        await room.close();
        expect(events.map(({ meta }) => meta['newRole'])).to.deep.equal(['x', 'admin']);
        expect(await world.told()).to.deep.equal([UP, ['bob', 'user', 'x']]);
      });

      it('tells another action and target where they are given', async () => {
        const world = await open(base, { roles: { target: 'member', action: 'user.update' } });
        await world.User.updateOne({ name: 'ann' }, { role: 'admin' });
        const events = await world.events();
        expect(events.map(({ action, target, source }) => [action, target, source])).to.deep.equal([
          ['user.update', 'member', 'mongoose'],
        ]);
      });

      it('takes ids of any kind', async () => {
        const world = await open(base);
        const schema = new base.Schema({ _id: base.Schema.Types.Mixed, role: String });
        schema.plugin(world.room.roleChanges());
        const Any = world.connection.model('Any', schema, 'any');
        const ids = ['u1', 7, '7', new base.Types.UUID('3b241101-e2bb-4255-8caf-4136c566a962'), { tenant: 't', n: 1 }];
        for (const _id of ids) await Any.collection.insertOne({ _id, role: 'a' });
        for (const _id of ids) await Any.updateOne({ _id }, { role: 'b' });
        await Any.updateMany({}, { role: 'c' });
        const collation = { locale: 'en', strength: 2 };
        await Any.updateOne({ _id: 'U1' }, { role: 'd' }, { collation });
        await Any.updateOne({ _id: 'U1' }, { role: 'c' }, { collation });
        const texts = ['u1', '7', '7', '3b241101-e2bb-4255-8caf-4136c566a962', '{"n":1,"tenant":"t"}'];
        const told = await world.told();
        expect(told.slice(0, 5)).to.deep.equal(texts.map((text) => [text, 'a', 'b']));
        expect(told.slice(5, 10).map(([who]) => who)).to.have.members(texts);
        expect(told.slice(10)).to.deep.equal([
          ['u1', 'c', 'd'],
          ['u1', 'd', 'c'],
        ]);
      });

      it('lets a write that waits for the connection wait alone', async () => {
        const world = await open(base);
        const connection = base.createConnection();
        const schema = new base.Schema({ role: String }, { bufferTimeoutMS: 50 });
        schema.plugin(world.room.roleChanges());
        const Never = connection.model('Never', schema);
        const waiting: string[] = [];
        connection.on('buffer', ({ method }: Untyped) => waiting.push(method));
        const error: Untyped = await Never.updateOne({}, { role: 'x' }).catch((reason: unknown) => reason);
        expect(error.message).to.match(/updateOne\(\)` buffering timed out/);
        expect(waiting.filter((method) => method !== 'createIndex')).to.deep.equal(['updateOne']);
        await connection.close();
      });

      it('sees a write that waits for the connection', async () => {
        const world = await open(base);
        const connection = base.createConnection();
        const schema = new base.Schema({ name: String, role: String });
        schema.plugin(world.room.roleChanges());
        const Early = connection.model('Early', schema, 'users');
        const { runAs } = world.room.audit;
        const write = runAs({ id: 'job' }, () => Early.updateOne({ name: 'ann' }, { role: 'admin' }).exec());
        const bulk = Early.bulkWrite([{ updateOne: { filter: { name: 'bob' }, update: { role: 'x' } } }]);
        const wrong = Early.updateOne({ name: 'ann' }, { $push: { role: 'x' } }).exec();
        const message = wrong.catch((error: Error) => error.message);
        await connection.openUri(server.getUri(`schemas_${databases}`));
        expect(await write).to.include({ matchedCount: 1, modifiedCount: 1 });
        expect(await bulk).to.include({ matchedCount: 1, modifiedCount: 1 });
        expect(await message).to.match(/must be an array/);
        const events = await world.events();
        expect(events.map(({ actorId, meta }) => [actorId, meta['newRole']])).to.have.deep.members([
          ['job', 'admin'],
          [null, 'x'],
        ]);
        await connection.close();
      });

      it('sees what an update says only when it is sent', async () => {
        const world = await open(base);
        const { collection } = world.User;
        const set = (role: string): object => ({ toBSON: () => ({ role }) });
        await collection.updateOne({ name: 'ann' }, { $set: new Map([['role', 'a']]) });
        await collection.findOneAndUpdate({ name: 'ann' }, { $set: set('b') });
        await collection.updateMany({ name: 'ann' }, [{ $set: set('c') }]);
        await collection.bulkWrite([{ updateOne: { filter: { name: 'ann' }, update: { $set: set('d') } } }]);
        expect(await world.told()).to.deep.equal([
          ['ann', 'user', 'a'],
          ['ann', 'a', 'b'],
          ['ann', 'b', 'c'],
          ['ann', 'c', 'd'],
        ]);
      });

      it('sends nothing more with a write that touches no role', async () => {
        const world = await open(base);
        const { User, ann } = stageOf(base, world.User);
        const document = await User.findById(ann);
        world.sent.length = 0;
        document.title = 'Dr';
        await document.save();
        await User.updateOne({ _id: ann }, { $set: { title: 'a' }, $inc: { logins: 1 } });
        await User.updateOne({ _id: ann }, { $set: { title: 'a' }, $setOnInsert: { role: 'x' } }, { upsert: true });
        await User.updateMany({}, { title: 'b' });
        await User.findOneAndUpdate({ _id: ann }, { 'profile.role': 'c' });
        const pipeline = [{ $set: { title: 'e', profile: { role: '$name' } } }, { $unset: ['former', 'logins'] }];
        await User.updateOne({}, pipeline, { updatePipeline: true });
        await User.collection.updateMany({}, [{ $addFields: { title: 'f' } }, { $unset: 'former' }]);
        await User.bulkWrite([
          { updateOne: { filter: { _id: ann }, update: [{ $set: { title: 'g' } }] } },
          { updateOne: { filter: { _id: ann }, update: { title: 'd' } } },
          { deleteOne: { filter: { name: 'cyd' } } },
        ]);
        const names = world.sent.map(({ commandName }) => commandName);
        expect(names.filter((name) => name === 'find')).to.deep.equal([]);
        expect(names.length).to.equal(9);
      });

      it('reads once before and once after where a role is touched, and only before where nothing changed', async () => {
        const world = await open(base);
        const { User, ann } = stageOf(base, world.User);
        const sentBy = async (act: () => PromiseLike<unknown>): Promise<string[]> => {
          world.sent.length = 0;
          await act();
          return world.sent.map(({ commandName }) => commandName);
        };
        expect(await sentBy(() => User.updateOne({ _id: ann }, { role: 'x' }))).to.deep.equal([
          'find',
          'update',
          'find',
        ]);
        expect(await sentBy(() => User.updateOne({ name: 'ann' }, { role: 'y' }))).to.deep.equal([
          'find',
          'update',
          'find',
        ]);
        expect(await sentBy(() => User.updateOne({ name: 'zoe' }, { role: 'z' }))).to.deep.equal(['find', 'update']);
        const plain = { timestamps: false };
        expect(await sentBy(() => User.updateOne({ _id: ann }, { role: 'y' }, plain))).to.deep.equal([
          'find',
          'update',
        ]);
        const after = { returnDocument: 'after' };
        expect(await sentBy(() => User.findByIdAndUpdate(ann, { role: 'z' }, after))).to.deep.equal([
          'find',
          'findAndModify',
        ]);
      });

      it('lets the write go on when roles cannot be read, and leaves a gap in the trail', async () => {
        const world = await open(base);
        const { User, ann, bob } = stageOf(base, world.User);
        const lost: unknown[] = [];
        world.room.hooks.on('audit:lost', (loss) => void lost.push(loss));
        const { collection } = User;
        collection.find = () => {
          throw new Error('no reading today');
        };
        expect(await User.updateOne({ _id: ann }, { role: 'admin' })).to.include({ modifiedCount: 1 });
        expect(await User.updateOne({ _id: ann }, { role: 'admin' }, { timestamps: false })).to.include({
          modifiedCount: 0,
        });
        expect(await User.findOneAndUpdate({ name: 'bob' }, { role: 'x' })).to.include({ name: 'bob' });
        expect(await User.updateMany({ name: 'bob' }, { role: 'y' })).to.include({ modifiedCount: 1 });
        delete collection.find;
        expect(await User.updateOne({ _id: bob }, { role: 'z' })).to.include({ modifiedCount: 1 });
        expect(await world.told()).to.deep.equal([
          ['a gap', null, null],
          ['a gap', null, null],
          ['a gap', null, null],
          ['bob', 'y', 'z'],
        ]);
        const [gap] = await world.events();
        expect(gap).to.deep.include({
          action: 'audit.gap',
          reason: 'roles_unread',
          meta: { lost: 1, reason: 'roles_unread' },
        });
        expect(lost).to.deep.include({ count: 1, reason: 'roles_unread' });
        expect(world.room.audit.stats().lost).to.equal(3);
      });

      it('counts what a builder changed that does not show what it will send', async () => {
        const world = await open(base);
        const { User, ann } = stageOf(base, world.User);
        const builder = User.collection.initializeOrderedBulkOp();
        Object.defineProperty(builder, 'batches', { value: undefined });
        builder.find({ _id: ann }).updateOne({ $set: { role: 'admin' } });
        expect(await builder.execute()).to.include({ modifiedCount: 1 });
        expect(await world.told()).to.deep.equal([['a gap', null, null]]);
      });

      it('holds no write up while the trail cannot be stored', async () => {
        const world = await open(base);
        const nowhere = base.createConnection('mongodb://127.0.0.1:1/none', { serverSelectionTimeoutMS: 100 });
        nowhere.asPromise().catch(() => undefined);
        const room = strongroom({
          environment: 'test',
          secrets: { provider: memoryProvider() },
          audit: { connection: nowhere },
        });
        const schema = new base.Schema({ name: String, role: String });
        schema.plugin(room.roleChanges());
        const Model = world.connection.model('Down', schema, 'users');
        expect(await Model.updateMany({}, { role: 'x' })).to.include({ modifiedCount: 3 });
        expect(await Model.updateOne({ name: 'ann' }, { role: 'y' })).to.include({ modifiedCount: 1 });
        expect(room.audit.stats().pending).to.equal(4);
        await room.close({ timeout: 1 });
        await nowhere.close();
      });

      it('watches nothing without a trail', async () => {
        const world = await open(base);
        const room = strongroom({ environment: 'test', secrets: { provider: memoryProvider() }, audit: false });
        const schema = new base.Schema({ name: String, role: String });
        schema.plugin(room.roleChanges());
        const Model = world.connection.model('Off', schema, 'off');
        const { _id } = await Model.create({ role: 'x' });
        world.sent.length = 0;
        await Model.updateOne({ _id }, { role: 'y' });
        expect(world.sent.map(({ commandName }) => commandName)).to.deep.equal(['update']);
        await room.close();
      });
    });
  }
});

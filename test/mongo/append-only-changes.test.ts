/** Every change through mongoose is refused before it reaches the server, by either layer where both can. It must not know how. */
import type { MongoMemoryServer } from 'mongodb-memory-server';
import { startMongod } from '../mongod.js';
import * as cases from './append-only-cases.js';
import { CONNECTION, CONNECTION_VARIANTS } from './append-only-connection-cases.js';
import { createWorld, expectRefused, type Layer, VERSIONS, type World } from './append-only-world.js';

type Table = Readonly<Record<string, cases.Case>>;

const TABLES: Readonly<Record<string, Table>> = {
  'Model.': cases.MODEL,
  'through the model, ': cases.MODEL_VARIANTS,
  'document.': cases.DOCUMENT,
  'through a document, ': cases.DOCUMENT_VARIANTS,
  'query.': cases.QUERY,
  'through a query, ': cases.QUERY_VARIANTS,
  'Model.collection.': cases.NATIVE,
  'through the native collection, ': cases.NATIVE_VARIANTS,
  'connection.': CONNECTION,
  'through the connection, ': CONNECTION_VARIANTS,
};

/** Hidden indexes are a command on the raw database: only the model's own statics stand before it. */
const BEYOND_GATES = ['syncIndexes', 'cleanIndexes'];
/** What mongoose runs hooks for. */
const HOOKED: Table = {
  ...pick(cases.MODEL, [...BEYOND_GATES, 'dropSearchIndex', 'updateSearchIndex']),
  ...pick(cases.MODEL_VARIANTS, ['an index with a lifetime', 'a capped collection', 'a time-series collection']),
  ...pick(cases.DOCUMENT_VARIANTS, []),
  'document.save': cases.DOCUMENT['save'] as cases.Case,
  'document.deleteOne': cases.DOCUMENT['deleteOne'] as cases.Case,
};
/** The last argument of these is an options object. */
const WITH_OPTIONS = ['updateOne', 'updateMany', 'replaceOne', 'deleteOne', 'deleteMany', 'findOneAndDelete'];
const SWITCHES = [{ middleware: false }, { middleware: { pre: false } }];

function pick(table: Table, except: readonly string[]): Table {
  return Object.fromEntries(Object.entries(table).filter(([name]) => !except.includes(name)));
}

describe('mongo/append-only: changes', () => {
  let server: MongoMemoryServer;
  before(async () => {
    server = await startMongod();
  });
  after(() => server.stop());

  for (const [version, mongoose] of VERSIONS) {
    const describeLayer = (layer: Layer, title: string, tables: Readonly<Record<string, Table>>): void => {
      describe(`${version}, ${title}`, () => {
        let world: World;
        before(async () => {
          world = await createWorld(mongoose, server, layer);
        });
        after(() => world.close());
        for (const [group, table] of Object.entries(tables)) {
          for (const [name, call] of Object.entries(table)) {
            it(`refuses ${group}${name}`, async () => {
              await expectRefused(world, call);
            });
          }
        }
      });
    };
    const switched = WITH_OPTIONS.flatMap((name) =>
      SWITCHES.map((options): [string, cases.Case] => {
        const update = name.startsWith('update') || name.startsWith('replace') ? [{ name: 'changed' }] : [];
        return [`${name} with ${JSON.stringify(options)}`, ({ Trail }) => Trail[name]({ _id: 1 }, ...update, options)];
      }),
    );
    const all = { ...TABLES, 'Model.(switches) ': Object.fromEntries(switched) };
    describeLayer('plugin', 'the plugin', all);
    describeLayer('hooks', 'the hooks of the schema alone', {
      '': HOOKED,
      'Model.': Object.fromEntries(switched),
    });
    describeLayer('gates', 'the gates of the connection alone', {
      ...all,
      'Model.': pick(cases.MODEL, BEYOND_GATES),
      'connection.': pick(CONNECTION, BEYOND_GATES),
    });
  }
});

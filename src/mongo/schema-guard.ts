/** What append-only means for a mongoose schema: the hooks that refuse changes, and the options that it must not have. It must not know collections or connections. */
import type { Schema } from 'mongoose';
import { pipelineRefusal, settlePipeline } from './aggregate-guard.js';
import { readInsert } from './collection-guard.js';
import type { Guard } from './refusal.js';
import { refusedCollectionOption, refusedIndexOption } from './refused-options.js';

/** Makes the refusal, and tells it. */
export type Refuse = (operation: string, collection: string) => Error;

const QUERIES = [
  ...(['updateOne', 'updateMany', 'replaceOne', 'deleteOne', 'deleteMany'] as const),
  ...(['findOneAndUpdate', 'findOneAndReplace', 'findOneAndDelete'] as const),
];

/** mongoose 9 drops every hook without this mark under `{ middleware: false }`, and every hook with it where a schema method has the hook's name. */
const BUILT_IN = Symbol.for('mongoose:built-in-middleware');

interface Named {
  readonly name: string;
}
interface QueryContext {
  readonly model: { readonly collection: Named };
}
interface DocumentContext {
  readonly $isNew: boolean;
  readonly $__: { readonly saving?: unknown };
  readonly collection: Named;
}
interface AggregateContext {
  model(): { readonly collection: Named };
  pipeline(): unknown;
}
interface ModelContext {
  readonly collection: Named;
}
type Hook<Context> = (this: Context, ...args: unknown[]) => unknown;

/** Registers hooks that refuse every change which mongoose runs hooks for. Document updates and deletes run as queries of their model. */
export function hookSchema(schema: Schema, refuse: Refuse): void {
  for (const operation of QUERIES) addHook(schema, operation, () => refuseQuery(operation, refuse));
  addHook(schema, 'save', () => refuseSave(refuse));
  addHook(schema, 'aggregate', () => refuseWriting(refuse));
  addHook(schema, 'bulkWrite', () => refuseBulk(refuse));
}

function refuseQuery(operation: string, refuse: Refuse): Hook<QueryContext> {
  return function refuseAll() {
    throw refuse(operation, this.model.collection.name);
  };
}

function refuseSave(refuse: Refuse): Hook<DocumentContext> {
  return function refuseChange() {
    // bulkSave runs save hooks too, one per document: it is refused once, as the bulkWrite that it is.
    if (!this.$__.saving || this.$isNew) return;
    throw refuse('save', this.collection.name);
  };
}

function refuseWriting(refuse: Refuse): Hook<AggregateContext> {
  return function refuseIntoItself() {
    const { name } = this.model().collection;
    const refusal = pipelineRefusal(settlePipeline(this.pipeline()), guardOf(name, refuse));
    if (refusal) throw refusal;
  };
}

/** mongoose 8 passes `next` first, and passes arguments only to a hook that declares some. */
function refuseBulk(refuse: Refuse): Hook<ModelContext> {
  return async function refuseChanges(first: unknown, second: unknown) {
    const operations = typeof first === 'function' ? second : first;
    if (!Array.isArray(operations) || operations.every((one) => readInsert(one) !== undefined)) return;
    throw refuse('bulkWrite', this.collection.name);
  };
}

/** Throws when the schema has an index, or the collection an option, that deletes documents or refuses inserts. */
export function assertDefinition(schema: Schema, refuse: (operation: string) => Error): void {
  const options = schema.options as Readonly<Record<string, unknown>>;
  const option = refusedCollectionOption(options) ?? refusedCollectionOption(options['collectionOptions']);
  if (option !== undefined) throw refuse(`schema option ${option}`);
  for (const [, indexOptions] of schema.indexes()) {
    const name = refusedIndexOption(indexOptions);
    if (name !== undefined) throw refuse(`index option ${name}`);
  }
}

function addHook<Context>(schema: Schema, operation: string, create: () => Hook<Context>): void {
  const add = schema.pre.bind(schema) as unknown as (...args: unknown[]) => void;
  const flags = (QUERIES as readonly string[]).includes(operation) ? [{ query: true, document: false }] : [];
  add(operation, ...flags, create());
  add(operation, ...flags, Object.assign(create(), { [BUILT_IN]: true }));
}

/** Knows one collection only: databases are told apart by the guard of the connection. */
function guardOf(name: string, refuse: Refuse): Guard {
  const isOwn = (collection: string, database?: string): boolean => collection === name && database === undefined;
  return {
    refusal: (operation, collection, database) =>
      isOwn(collection, database) ? refuse(operation, collection) : undefined,
    databaseRefusal: () => undefined,
  };
}

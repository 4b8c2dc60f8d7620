/** `appendOnly(schema)`: ties the refusals of the schema to those of the connections where it is compiled. It must not know the trail. */
import type { Schema } from 'mongoose';
import { assertOptions } from '../errors.js';
import { isFunction, objectOf, optional } from '../settings.js';
import { guardConnection } from './connection-guard.js';
import { type AnyModel, assertSchema, followModels } from './models.js';
import { type OnViolation, refuse } from './refusal.js';
import { assertDefinition, hookSchema } from './schema-guard.js';

/** Options of {@link appendOnly}. */
export interface AppendOnlyOptions {
  /**
   * Called once for each refusal, with the operation (`updateOne`, `aggregate with $out`) and the collection's name.
   * What it throws is swallowed; it cannot let the operation through.
   * @defaultValue nothing is called
   */
  onViolation?: ((violation: { operation: string; collection: string }) => void) | undefined;
}

const checkOptions = objectOf<AppendOnlyOptions>({ onViolation: optional(isFunction) });

/**
 * Makes a mongoose schema append-only: what is inserted can be read and nothing else. A mongoose plugin, for mongoose 8.9 to 9.
 *
 * Refused, before anything is sent, with a rejected {@link AppendOnlyError} that names the operation and the collection:
 * every update, replacement and deletion of models, documents, queries and `bulkWrite`, also with `{ middleware: false }`;
 * the same through `Model.collection`, through other models on the collection and through `connection.bulkWrite`;
 * `$out`, `$merge` and `rename` into it from the same connection; dropping it, its database or its indexes, hiding and syncing
 * indexes; indexes that delete or refuse documents (TTL, unique). Calls that chain at once (`initializeOrderedBulkOp`) throw.
 * Inserts in every form, reads and declared plain indexes work as ever, and other collections are untouched.
 *
 * The connections on which the schema is compiled are guarded with their `useDb` relatives: tests that clean up use a
 * connection of their own.
 *
 * It **cannot** stop the raw driver (`connection.getClient()`, `connection.db`, `Model.collection.collection`), the shell,
 * another connection without this schema, or another process. Only a database user who may find and insert, and no more, binds those.
 *
 * @example
 * ```ts
 * const schema = new Schema({ at: Date, what: String });
 * appendOnly(schema, { onViolation: ({ operation, collection }) => console.warn(operation, collection) });
 * ```
 * @throws {@link OptionsError} OPTIONS_INVALID for an unknown or wrong option, or a schema that is none.
 * @throws {@link AppendOnlyError} APPEND_ONLY_VIOLATION, here or when a model is compiled, for the schema options `capped`,
 * `timeseries`, `expires`, `expireAfterSeconds` and `viewOn` and for indexes with `unique` or `expires`.
 */
export function appendOnly(schema: Schema, options: AppendOnlyOptions = {}): void {
  assertOptions(checkOptions(options, 'appendOnly'));
  assertSchema(schema, 'appendOnly');
  const { onViolation } = options;
  const refuseOn = (operation: string, collection: string): Error =>
    refuse(operation, collection, onViolation === undefined ? [] : [onViolation]);
  assertDefinition(schema, (operation) => refuseOn(operation, schema.get('collection') ?? 'not named yet'));
  hookSchema(schema, refuseOn);
  followModels(schema, (model) => guardModel(model, refuseOn, onViolation));
  refuseIndexes(schema, refuseOn);
}

type Refuse = (operation: string, collection: string) => Error;
type Static = (this: AnyModel, ...args: unknown[]) => unknown;

/** Guards first: a model whose definition is refused may still be reached through its connection. */
function guardModel(model: AnyModel, refuseOn: Refuse, onViolation: OnViolation | undefined): void {
  const { name } = model.collection;
  guardConnection(model.db, name, onViolation);
  assertDefinition(model.schema, (operation) => refuseOn(operation, name));
}

/** They go round the collection: hiding an index is a command on the raw database. */
function refuseIndexes(schema: Schema, refuseOn: Refuse): void {
  const statics = schema.statics as unknown as Record<string, Static | undefined>;
  for (const name of ['syncIndexes', 'cleanIndexes']) {
    statics[name] = function refuseIndexChanges() {
      return Promise.reject(refuseOn(name, this.collection.name));
    };
  }
}

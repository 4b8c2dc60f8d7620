/** The gates on a mongoose connection and its `useDb` relatives, for the collections that were named append-only. It must not know the trail. */
import type { Aggregate, Collection, Connection } from 'mongoose';
import { isRecord } from '../settings.js';
import { onTheWire, pipelineRefusal, guardCursor, settlePipeline } from './aggregate-guard.js';
import { guardCollection } from './collection-guard.js';
import { type Call, type Decide, gate, rejectOr } from './gate.js';
import { type Guard, type OnViolation, refuse } from './refusal.js';
import { refusedCursor } from './refused-cursor.js';
import { refusedCollectionOption } from './refused-options.js';

/** One append-only collection, named on one connection. */
interface Ward {
  readonly connection: Connection;
  readonly collection: string;
  readonly onViolation: OnViolation | undefined;
}

/** The wards that a connection shares with its `useDb` relatives. */
const families = new WeakMap<Connection, Ward[]>();

/**
 * Guards a collection on a connection and on every connection that shares its client through `useDb`, now or later:
 * its own methods under whatever model, `dropCollection`, `dropDatabase`, `createCollection` with options that delete,
 * and `bulkWrite`, `aggregate` and other collections' `$out`, `$merge` and `rename` where they touch it.
 * Everything else on the connection is as before. Idempotent; each listener hears of a refusal once.
 *
 * It cannot stop the raw driver (`connection.getClient()`, `connection.db`, `Model.collection.collection`), the shell,
 * another connection or another process, nor code that sets out to undo it: that takes a database user who may only find and insert.
 */
export function guardConnection(connection: Connection, collectionName: string, onViolation?: OnViolation): void {
  const relatives = relativesOf(connection);
  const wards = relatives.map((relative) => families.get(relative)).find((known) => known !== undefined) ?? [];
  const ward = { connection, collection: collectionName, onViolation };
  if (!wards.some((known) => isSame(known, ward))) wards.push(ward);
  for (const relative of relatives) join(relative, wards);
}

function isSame(a: Ward, b: Ward): boolean {
  return a.connection === b.connection && a.collection === b.collection && a.onViolation === b.onViolation;
}

interface Links {
  readonly otherDbs?: readonly Connection[];
  readonly relatedDbs?: Readonly<Record<string, Connection>>;
  readonly _parent?: Connection;
}

/** The connection and all that share its client; a child made with `noListener` is found from its own side, by its parent. */
function relativesOf(connection: Connection): Connection[] {
  const found = new Set([connection]);
  for (const relative of found) {
    const { otherDbs, relatedDbs, _parent } = relative as unknown as Links;
    const near = [...(otherDbs ?? []), ...Object.values(relatedDbs ?? {}), ...(_parent ? [_parent] : [])];
    for (const one of near) found.add(one);
  }
  return [...found];
}

function join(connection: Connection, wards: Ward[]): void {
  const guard = guardOf(connection, wards);
  const guardNative = (native: Collection): void =>
    guardCollection(
      native,
      guard,
      wards.some((ward) => ward.collection === native.name),
    );
  for (const native of Object.values(connection.collections)) guardNative(native);
  if (families.has(connection)) return;
  families.set(connection, wards);
  const decisions: Readonly<Record<string, Decide>> = {
    ...commandsOf(connection, guard),
    collection: (call, args) => {
      const native = call(...args) as Collection;
      guardNative(native);
      return native;
    },
    useDb: (call, args) => {
      const relative = call(...args) as Connection;
      join(relative, wards);
      return relative;
    },
  };
  for (const [name, decide] of Object.entries(decisions)) gate(connection, name, { hold: 'loose', decide });
}

function guardOf(connection: Connection, wards: readonly Ward[]): Guard {
  const refuseOneOf = (operation: string, touched: readonly Ward[]) => {
    const collection = touched[0]?.collection;
    if (collection === undefined) return undefined;
    return refuse(
      operation,
      collection,
      touched.flatMap((ward) => ward.onViolation ?? []),
    );
  };
  return {
    refusal: (operation, collection, database) =>
      refuseOneOf(
        operation,
        wards.filter((ward) => ward.collection === collection && isIn(ward, connection, database)),
      ),
    databaseRefusal: (operation) =>
      refuseOneOf(
        operation,
        wards.filter((ward) => isIn(ward, connection, undefined)),
      ),
  };
}

/** A connection that was never open has no name yet: then it may be the same database, and is taken for it. */
function isIn(ward: Ward, connection: Connection, database: string | undefined): boolean {
  const own: string | undefined = ward.connection.name;
  const asked: string | undefined = database ?? connection.name;
  return own === undefined || asked === undefined || own === asked;
}

function commandsOf(connection: Connection, guard: Guard): Readonly<Record<string, Decide>> {
  return {
    dropCollection: (call, [name, ...rest]) => {
      const seen = onTheWire(name);
      return rejectOr(guard.refusal('dropCollection', String(seen)), () => call(seen, ...rest));
    },
    dropDatabase: (call, args) => rejectOr(guard.databaseRefusal('dropDatabase'), () => call(...args)),
    createCollection: (call, [name, options, ...rest]) => {
      const settled = isRecord(options) ? { ...options } : options;
      const option = refusedCollectionOption(settled);
      const seen = onTheWire(name);
      const refusal = option ? guard.refusal(`createCollection with ${option}`, String(seen)) : undefined;
      return rejectOr(refusal, () => call(seen, settled, ...rest));
    },
    bulkWrite: (call, [operations, ...rest]) => {
      const settled = settleOperations(operations);
      return rejectOr(bulkRefusal(settled, connection, guard), () => call(settled, ...rest));
    },
    aggregate: (call, args) => guardAggregate(call(...args) as Aggregate<unknown[]>, connection, guard),
  };
}

/** Copies what can be walked, so that what is checked is what is sent; mongoose refuses the rest. */
function settleOperations(operations: unknown): unknown {
  if (typeof (operations as Partial<Iterable<unknown>> | undefined)?.[Symbol.iterator] !== 'function')
    return operations;
  return Array.from(operations as Iterable<unknown>, (one) => (isRecord(one) ? { ...one } : one));
}

function bulkRefusal(operations: unknown, connection: Connection, guard: Guard): Error | undefined {
  for (const operation of Array.isArray(operations) ? (operations as unknown[]) : []) {
    if (!isRecord(operation) || operation['name'] === 'insertOne') continue;
    const [database, ...collection] = namespaceOf(operation['model'], connection).split('.');
    const known = database === 'undefined' ? undefined : database;
    const refusal = guard.refusal('bulkWrite', collection.join('.'), known);
    if (refusal) return refusal;
  }
  return undefined;
}

/** `database.collection` as mongoose will send it; empty when there is no such model, which mongoose refuses. */
function namespaceOf(model: unknown, connection: Connection): string {
  const found = (typeof model === 'string' ? connection.models[model] : model) as { namespace?: () => unknown } | null;
  return typeof found?.namespace === 'function' ? String(found.namespace()) : '';
}

/** An aggregation of the connection itself goes straight to the driver, and its pipeline grows after it was made. */
function guardAggregate(aggregate: Aggregate<unknown[]>, connection: Connection, guard: Guard): unknown {
  const settled = (): { pipeline: unknown; refusal: Error | undefined } => {
    const pipeline = settlePipeline(aggregate.pipeline());
    return { pipeline, refusal: pipelineRefusal(pipeline, guard) ?? defaultRefusal(pipeline, connection, guard) };
  };
  // A view of the aggregation with the pipeline as it was checked: what is appended later does not reach the driver.
  const fixed = (call: string, pipeline: unknown, args: readonly unknown[]): unknown => {
    const view = Object.create(aggregate, { _pipeline: { value: pipeline } }) as object;
    return (Object.getPrototypeOf(aggregate) as Record<string, Call>)[call]?.apply(view, [...args]);
  };
  gate(aggregate, 'exec', {
    hold: 'loose',
    decide: (_call, args) => {
      const { pipeline, refusal } = settled();
      return rejectOr(refusal, () => fixed('exec', pipeline, args));
    },
  });
  gate(aggregate, 'cursor', {
    hold: 'loose',
    decide: (_call, args) => {
      const { pipeline, refusal } = settled();
      if (refusal) return refusedCursor(refusal);
      const cursor = fixed('cursor', pipeline, args);
      guardCursor((cursor as { cursor?: unknown }).cursor, guard);
      return cursor;
    },
  });
  return aggregate;
}

/** mongoose runs `connection.aggregate().exec()` on the client's default database, not on the connection's own. */
function defaultRefusal(pipeline: unknown, connection: Connection, guard: Guard): Error | undefined {
  const client = connection.getClient() as ReturnType<Connection['getClient']> | undefined;
  const database = client?.db().databaseName;
  if (database === undefined) return undefined;
  return pipelineRefusal(pipeline, {
    ...guard,
    refusal: (operation, collection, named) => guard.refusal(operation, collection, named ?? database),
  });
}

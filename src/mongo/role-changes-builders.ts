/** Bulk operation builders of the driver, which mongoose hands out as they are: each is read as a `bulkWrite` when it is executed. */
import type { Collection } from 'mongoose';
import { isRecord } from '../settings.js';
import { type Call, overlook } from './gate.js';
import type { Ground } from './role-changes-ground.js';
import { bulkTouches, writeBulk } from './role-changes-many.js';
import type { Touches } from './role-changes-touch.js';

const STARTERS = ['initializeOrderedBulkOp', 'initializeUnorderedBulkOp'];

/** Looks on at the builders of a collection. */
export function overlookBuilders(native: Collection, ground: Ground, touches: Touches): void {
  for (const name of STARTERS) {
    overlook(native, name, (call, args) => {
      const builder = call(...args);
      // What mongoose keeps until it is connected comes through here again.
      if (isBuilder(builder)) overlookBuilder({ builder, options: args[0] }, ground, touches);
      return builder;
    });
  }
}

/** As far as it is known here. */
interface Builder {
  /** What it will send, in that order. */
  readonly batches?: unknown;
  readonly execute: Call;
}

interface Started {
  readonly builder: Builder;
  /** What it was started with; `execute` may say otherwise. */
  readonly options: unknown;
}

function overlookBuilder({ builder, options }: Started, ground: Ground, touches: Touches): void {
  overlook(builder, 'execute', (execute, args) => {
    const call: Call = () => execute(...args);
    const operations = operationsOf(builder.batches);
    if (operations === undefined) return ground.runUnseen(ground.take({ method: 'bulkWrite', call, args: [] }));
    if (!bulkTouches(operations, touches)) return call();
    const both = { ...(isRecord(options) && options), ...(isRecord(args[0]) && args[0]) };
    return writeBulk(ground.take({ method: 'bulkWrite', call, args: [operations, both] }), ground, touches);
  });
}

function isBuilder(value: unknown): value is Builder {
  return isRecord(value) && typeof value['execute'] === 'function';
}

/** The operations of all batches in the words of `bulkWrite`; undefined when they cannot be read. */
function operationsOf(batches: unknown): object[] | undefined {
  if (!Array.isArray(batches)) return undefined;
  const operations: object[] = [];
  for (const { batchType, operations: statements } of batches as readonly Readonly<Record<string, unknown>>[]) {
    const read = READERS[String(batchType)];
    if (read === undefined || !Array.isArray(statements)) return undefined;
    operations.push(...statements.map(read));
  }
  return operations;
}

/** By the driver's numbers of batches: inserts, updates, deletions. */
const READERS: Readonly<Record<string, (statement: unknown) => object>> = {
  1: (document) => ({ insertOne: { document } }),
  2: changeOf,
  3: (statement) => ({ deleteMany: statement }),
};

/** An update in the words of the server's `update` command. */
function changeOf(statement: unknown): object {
  const { q: filter, u: update, ...rest } = statement as Readonly<Record<string, unknown>>;
  const change = { ...rest, filter, update, replacement: update };
  return isReplacement(update) ? { replaceOne: change } : { updateMany: change };
}

function isReplacement(update: unknown): boolean {
  return isRecord(update) && !Object.keys(update).some((key) => key.startsWith('$'));
}

/** The gate before mongoose's native collection: what reads and what inserts passes, all else is refused. It must not know which collections are guarded. */
import type { Collection } from 'mongoose';
import { isRecord } from '../settings.js';
import { guardCursor, pipelineRefusal, settlePipeline } from './aggregate-guard.js';
import { type Decide, gate, rejectOr } from './gate.js';
import { refusedCursor } from './refused-cursor.js';
import { refusedIndexOption } from './refused-options.js';
import type { Guard } from './refusal.js';

/** Methods that change nothing stored. A method that a later driver brings is refused until it stands here. */
const READS: ReadonlySet<string> = new Set([
  ...[
    'find',
    'findOne',
    'count',
    'countDocuments',
    'estimatedDocumentCount',
    'distinct',
    'watch',
    'options',
    'isCapped',
  ],
  ...['indexes', 'indexExists', 'indexInformation', 'getIndexes', 'listIndexes', 'listSearchIndexes'],
]);
/** Methods that add documents, or indexes that only help to read. */
const ADDS: ReadonlySet<string> = new Set([
  ...['insert', 'insertOne', 'insertMany', 'createSearchIndex', 'createSearchIndexes'],
]);
/** mongoose's own queueing; what it runs later passes the gate then. */
const PLUMBING: ReadonlySet<string> = new Set(['onOpen', 'onClose', 'addQueue', 'removeQueue', 'doQueue']);
/** Methods that return something to chain on at once: a rejected promise would be nobody's to catch. */
const SYNCHRONOUS: ReadonlySet<string> = new Set(['initializeOrderedBulkOp', 'initializeUnorderedBulkOp']);

const guarded = new WeakMap<Collection, 'others' | 'all'>();

/**
 * Guards one native collection. Every collection of a guarded connection is kept from writing into an append-only one
 * (`$out`, `$merge`, `rename`); one that `bears` such a name is gated as a whole, and asks at each call whether it is meant.
 * Idempotent. The driver's own collection stays as it is: its `insertMany` calls its `initializeOrderedBulkOp`.
 */
export function guardCollection(native: Collection, guard: Guard, bears: boolean): void {
  const before = guarded.get(native);
  if (before === 'all' || (before === 'others' && !bears)) return;
  guarded.set(native, bears ? 'all' : 'others');
  const checks = checksOf(native, guard);
  const hold = bears ? 'fixed' : 'loose';
  for (const name of bears ? methodsOf(native) : ['aggregate', 'rename']) {
    if (!passes(name)) gate(native, name, { hold, decide: checks[name] ?? refuseAll(native, guard, name) });
  }
}

function passes(name: string): boolean {
  return READS.has(name) || ADDS.has(name) || PLUMBING.has(name) || name.startsWith('_') || name.startsWith('$');
}

/** The names of all methods of its classes. */
function methodsOf(native: object): string[] {
  const names = new Set<string>();
  for (
    let at = Object.getPrototypeOf(native) as object | null;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function' && name !== 'constructor') names.add(name);
    }
  }
  return [...names];
}

function refuseAll(native: Collection, guard: Guard, name: string): Decide {
  return (call, args) => {
    const refusal = guard.refusal(name, native.name);
    if (refusal && SYNCHRONOUS.has(name)) throw refusal;
    return rejectOr(refusal, () => call(...args));
  };
}

function checksOf(native: Collection, guard: Guard): Readonly<Record<string, Decide>> {
  return {
    aggregate: (call, [pipeline, ...rest]) => {
      const settled = settlePipeline(pipeline);
      const refusal = pipelineRefusal(settled, guard);
      return refusal ? refusedCursor(refusal) : guardCursor(call(settled, ...rest), guard);
    },
    bulkWrite: (call, [operations, ...rest]) => {
      const inserts = Array.isArray(operations) ? operations.map(readInsert) : [];
      const refusal = inserts.includes(undefined) ? guard.refusal('bulkWrite', native.name) : undefined;
      // Passed on as read: what was checked is what is sent. When it is not all inserts, the collection is not guarded.
      const pass = Array.isArray(operations) && !inserts.includes(undefined) ? inserts : operations;
      return rejectOr(refusal, () => call(pass, ...rest));
    },
    createIndex: (call, [keys, options, ...rest]) => {
      const settled = isRecord(options) ? { ...options } : options;
      return rejectOr(indexRefusal(native, guard, settled), () => call(keys, settled, ...rest));
    },
    createIndexes: (call, [specifications, ...rest]) => {
      const settled = Array.isArray(specifications)
        ? specifications.map((one: object) => ({ ...one }))
        : specifications;
      const all: unknown[] = Array.isArray(settled) ? settled : [];
      const bad = all.find((one) => refusedIndexOption(one) !== undefined);
      return rejectOr(indexRefusal(native, guard, bad), () => call(settled, ...rest));
    },
    rename: (call, [name, ...rest]) => {
      const refusal = guard.refusal('rename', native.name) ?? guard.refusal('rename', String(name));
      return rejectOr(refusal, () => call(name, ...rest));
    },
  };
}

function indexRefusal(native: Collection, guard: Guard, options: unknown): Error | undefined {
  const option = refusedIndexOption(options);
  return option === undefined ? undefined : guard.refusal(`createIndex with ${option}`, native.name);
}

/**
 * An insert, read once, or `undefined`. Only an object whose only own key is `insertOne` is one: mongoose tests for truth
 * and the driver with `in`, so `{ insertOne: null, deleteMany: {...} }` means different things to them.
 */
export function readInsert(operation: unknown): { insertOne: object } | undefined {
  if (!isRecord(operation)) return undefined;
  const keys = Reflect.ownKeys(operation);
  const insertOne = keys.length === 1 && keys[0] === 'insertOne' ? operation['insertOne'] : undefined;
  return isRecord(insertOne) ? { insertOne } : undefined;
}

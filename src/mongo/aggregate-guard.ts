/** Which collections a pipeline writes to, and cursors that ask again when they send. It must not know whose collections they are. */
import { isRecord } from '../settings.js';
import { gate, rejectOr } from './gate.js';
import type { Guard } from './refusal.js';

const WRITING = ['$out', '$merge'] as const;

/**
 * A copy of the pipeline whose writing stages can no longer change between the check and the wire: getters are read and
 * `toBSON` is called here, once. The server refuses a writing stage that is nested or not last, so the top level is enough.
 * Anything but an array is returned as it is: the driver refuses it.
 */
export function settlePipeline(pipeline: unknown): unknown {
  return Array.isArray(pipeline) ? pipeline.map(settleStage) : pipeline;
}

/** The refusal, told, when a stage of a settled pipeline writes into an append-only collection. */
export function pipelineRefusal(pipeline: unknown, guard: Guard): Error | undefined {
  for (const stage of Array.isArray(pipeline) ? pipeline : []) {
    for (const name of WRITING) {
      const target = isRecord(stage) ? targetOf(stage[name]) : undefined;
      const refusal = target && guard.refusal(`aggregate with ${name}`, target.collection, target.database);
      if (refusal) return refusal;
    }
  }
  return undefined;
}

/**
 * Makes a driver's aggregation cursor ask when it sends: its own `out()`, `merge()` and `addStage()` change the pipeline
 * after the call that made it. Returns the cursor; anything else is returned untouched.
 */
export function guardCursor(cursor: unknown, guard: Guard): unknown {
  if (!isCursor(cursor)) return cursor;
  for (const name of ['_initialize', 'explain']) {
    gate(cursor, name, {
      hold: 'fixed',
      decide: (call, args) => {
        cursor.pipeline = settlePipeline(cursor.pipeline);
        return rejectOr(pipelineRefusal(cursor.pipeline, guard), () => call(...args));
      },
    });
  }
  gate(cursor, 'clone', { hold: 'fixed', decide: (call, args) => guardCursor(call(...args), guard) });
  return cursor;
}

function isCursor(value: unknown): value is Record<string, unknown> & { pipeline: unknown } {
  return isRecord(value) && Array.isArray(value['pipeline']) && typeof value['_initialize'] === 'function';
}

function settleStage(stage: unknown): unknown {
  const seen = onTheWire(stage);
  if (!isRecord(seen) || !WRITING.some((name) => name in seen)) return seen;
  return settle(seen, 2);
}

/** Copies plain members down to the target's name: stage, `$merge`, `into`. */
function settle(value: unknown, depth: number): unknown {
  const seen = onTheWire(value);
  if (!isRecord(seen)) return seen;
  const members = Object.entries(seen).map(([key, member]) => [key, depth > 0 ? settle(member, depth - 1) : member]);
  return Object.fromEntries(members) as unknown;
}

/** What BSON serialises in place of a value. */
export function onTheWire(value: unknown): unknown {
  return isRecord(value) && typeof value['toBSON'] === 'function' ? (value['toBSON'] as () => unknown)() : value;
}

interface Target {
  readonly collection: string;
  readonly database?: string;
}

/** `'name'`, `{ coll, db }` of `$out`, `{ into: 'name' }` and `{ into: { coll, db } }` of `$merge`. */
function targetOf(value: unknown): Target | undefined {
  if (typeof value === 'string') return { collection: value };
  if (!isRecord(value)) return undefined;
  if (value['into'] !== undefined) return targetOf(value['into']);
  if (typeof value['coll'] !== 'string') return undefined;
  return typeof value['db'] === 'string'
    ? { collection: value['coll'], database: value['db'] }
    : { collection: value['coll'] };
}

/** `roleChanges()`: watches the collections of a schema's models for changed roles, and tells them. It must not know the trail. */
import type { Collection, Schema } from 'mongoose';
import { isActionName } from '../audit/vocabulary.js';
import type { Standpoint, WitnessStand } from '../audit/witness.js';
import { assertOptions } from '../errors.js';
import { arrayOf, type Check, isText, matches, objectOf, optional } from '../settings.js';
import { overlook } from './gate.js';
import { assertSchema, followModels } from './models.js';
import { overlookBuilders } from './role-changes-builders.js';
import { Ground, type Write } from './role-changes-ground.js';
import { LIFE_CALLS } from './role-changes-lives.js';
import { bulkTouches, writeBulk, writeMany } from './role-changes-many.js';
import { writeOne } from './role-changes-one.js';
import type { RoleWatch } from './role-changes-sets.js';
import { createTouches } from './role-changes-touch.js';

/** Options of `room.roleChanges()`. */
export interface RoleChangeOptions {
  /**
   * Dotted paths of the stored documents that hold roles: a text, or an array of texts. With several, each path that changed gives an event
   * of its own, which `meta.path` names. @defaultValue `['role', 'roles']`, and one event that names no path
   */
  paths?: readonly string[] | undefined;
  /** Type of the resource, at most 64 characters. @defaultValue `'user'` */
  target?: string | undefined;
  /** What is recorded. A route rule with the same action is silent where this sees the change. @defaultValue `'user.role_change'` */
  action?: string | undefined;
}

/** The role changes of one room. */
export interface RoleChanges {
  /** Makes a mongoose plugin. @throws {@link OptionsError} OPTIONS_INVALID */
  plugin(options?: RoleChangeOptions): (schema: Schema) => void;
  /** Whether a plugin was made that tells this action. */
  isSeen(action: string): boolean;
  /** Resolves when what was seen so far was handed to the recorder, at the latest after this time. */
  settle(timeoutMs: number): Promise<void>;
  /** As `settle`; what is not handed over by then counts as lost. */
  close(timeoutMs: number): Promise<void>;
}

const DEFAULT_PATHS = ['role', 'roles'];

/** The name of a field at each step: no operator, no position in an array, nothing empty. */
const isPath: Check = matches(
  (value) => typeof value === 'string' && /^(?!_id$)[^.$\0][^.\0]*(\.(?!\d+(\.|$))[^.$\0][^.\0]*)*$/.test(value),
  "a dotted path of the stored document, such as 'role' or 'account.roles', and not _id",
);

const isPaths: Check = (value, path) => {
  const problem = arrayOf(isPath)(value, path);
  if (problem !== undefined) return problem;
  const paths = value as readonly string[];
  if (paths.length === 0) return `${path} must name at least one path`;
  const twice = paths.findIndex((one, index) => paths.indexOf(one) < index);
  return twice === -1 ? undefined : `${path}[${twice}] is there already`;
};

const checkOptions = objectOf<RoleChangeOptions>({
  paths: optional(isPaths),
  target: optional(isText),
  action: optional(isActionName),
});

/** Creates the role changes of one room; not `enabled`, options are checked and nothing is watched. */
export function createRoleChanges(witness: WitnessStand, enabled: boolean): RoleChanges {
  const watched = new WeakMap<Collection, RoleWatch[]>();
  const actions = new Set<string>();

  /** A schema may be given the plugin twice, and a model may be compiled again: a path is watched once for one action. */
  function watchOnce(native: Collection, wanted: RoleWatch): void {
    const there = watched.get(native) ?? [];
    const known = there.filter(({ action, target }) => action === wanted.action && target === wanted.target);
    const paths = wanted.paths.filter((path) => !known.some((watch) => watch.paths.includes(path)));
    if (paths.length === 0 || !enabled) return;
    const watch = { ...wanted, paths };
    watched.set(native, [...there, watch]);
    overlookCollection(native, new Ground(native, watch, witness));
  }

  return {
    isSeen: (action) => actions.has(action),
    settle: (timeoutMs) => witness.settle(timeoutMs),
    close: (timeoutMs) => witness.close(timeoutMs),
    plugin(options = {}) {
      assertOptions(checkOptions(options, 'roleChanges'));
      const { paths = DEFAULT_PATHS, target = 'user', action = 'user.role_change' } = options;
      const watch = { paths: [...paths], isNamed: paths !== DEFAULT_PATHS && paths.length > 1, target, action };
      actions.add(action);
      return function roleChangesPlugin(schema) {
        assertSchema(schema, 'roleChanges');
        followModels(schema, (model) => watchOnce(model.collection, watch));
      };
    },
  };
}

/**
 * Looks on at the calls with which mongoose hands its writes to the driver: aliases, timestamps, defaults and strictness are applied by then,
 * whatever hooks ran, and `{ middleware: false }` makes no difference.
 */
function overlookCollection(native: Collection, ground: Ground): void {
  const touches = createTouches(ground.watch.paths);
  const any: Kind['touches'] = () => true;
  const kinds: Readonly<Record<string, Kind>> = {
    updateOne: { touches: ([, update]) => touches(update), run: (write) => writeOne(write, ground) },
    findOneAndUpdate: { touches: ([, update]) => touches(update), run: (write) => writeOne(write, ground) },
    replaceOne: { touches: any, run: (write) => writeOne(write, ground) },
    findOneAndReplace: { touches: any, run: (write) => writeOne(write, ground) },
    updateMany: { touches: ([, update]) => touches(update), run: (write) => writeMany(write, ground) },
    bulkWrite: {
      touches: ([operations]) => bulkTouches(operations, touches),
      run: (write) => writeBulk(write, ground, touches),
    },
  };
  for (const [name, kind] of Object.entries(kinds)) overlookMethod({ native, name, kind }, ground);
  for (const name of LIFE_CALLS) {
    overlook(native, name, (call, args) => {
      ground.lives.note(name, args);
      return call(...args);
    });
  }
  overlookBuilders(native, ground, touches);
}

function overlookMethod(
  { native, name, kind }: { native: Collection; name: string; kind: Kind },
  ground: Ground,
): void {
  const early = new WeakMap<object, Standpoint>();
  overlook(native, name, (call, args) => {
    if (!kind.touches(args)) return call(...args);
    const [first] = args;
    // mongoose keeps what comes before it is connected, and calls again when it is.
    if (isBuffering(native)) {
      if (isObject(first)) early.set(first, ground.stand());
      return call(...args);
    }
    const callback = callbackIn(args);
    if (callback === undefined) return kind.run(ground.take({ method: name, call, args }));
    // mongoose 8 calls again with a callback, and in nobody's name.
    const standpoint = isObject(first) ? early.get(first) : undefined;
    const write = ground.take({ method: name, call, args: args.slice(0, -1), standpoint });
    return kind.run(write).then(
      (result) => callback(null, result),
      (error: unknown) => callback(error),
    );
  });
}

function callbackIn(args: readonly unknown[]): ((error: unknown, result?: unknown) => void) | undefined {
  const last = args.at(-1);
  return typeof last === 'function'
    ? (error, result) => void Reflect.apply(last, undefined, [error, result])
    : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** One method of the driver. */
interface Kind {
  /** Whether the call may change a watched path: if not, it goes through as it is, without another round trip. */
  readonly touches: (args: readonly unknown[]) => boolean;
  readonly run: (write: Write) => Promise<unknown>;
}

function isBuffering(native: Collection): boolean {
  return (native as unknown as { buffer?: unknown }).buffer === true;
}

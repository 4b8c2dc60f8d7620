/** Every model that a schema is compiled into, and every collection that such a model moves to. It must not know what for. */
import type { Connection, Schema } from 'mongoose';
import { OptionsError } from '../errors.js';
import { kindOf } from '../settings.js';

/** A model of whatever documents. */
export type AnyModel = Connection['models'][string];

type Static = (this: AnyModel, ...args: unknown[]) => unknown;

/** Throws OPTIONS_INVALID unless the value is a mongoose schema; `path` names who was given it. */
export function assertSchema(schema: unknown, path: string): asserts schema is Schema {
  // Not instanceof: the app's mongoose may be another copy than any that could be imported here.
  if ((schema as { instanceOfSchema?: unknown } | null | undefined)?.instanceOfSchema === true) return;
  throw new OptionsError(`${path}: schema must be a mongoose schema, got ${kindOf(schema)}`);
}

/**
 * Calls `follow` for each model of the schema, when it is compiled and again when it moves to another connection. It may be called more
 * than once for the same collection. What it throws keeps the model from being compiled.
 *
 * Statics go where listeners do not: into clones for another copy of mongoose and into discriminators. `init` runs when a model is compiled;
 * the other two leave it with a fresh collection.
 */
export function followModels(schema: Schema, follow: (model: AnyModel) => void): void {
  schema.on('init', follow);
  const statics = schema.statics as unknown as Record<string, Static | undefined>;
  const inherited = (name: string): Static => {
    const own = statics[name];
    return function callInherited(...args) {
      const method = own ?? (this.base.Model as unknown as Record<string, Static | undefined>)[name];
      if (method === undefined) throw new TypeError(`this version of mongoose has no Model.${name}`);
      return method.apply(this, args);
    };
  };
  const init = inherited('init');
  statics['init'] = function init_(...args) {
    follow(this);
    return init.apply(this, args);
  };
  for (const name of ['useConnection', '$__updateConnection']) {
    const move = inherited(name);
    statics[name] = function moveFollowed(...args) {
      const moved = move.apply(this, args);
      follow(this);
      return moved;
    };
  }
}

/** Which actions are strict, and whether their names are known. It knows no request and no recorder. */
import { assertOptions } from '../errors.js';
import { arrayOf, type Check, kindOf, unknownName } from '../settings.js';
import { isActionName, REGISTERED_ACTIONS } from './vocabulary.js';

/** All actions, none, or those that are named. */
export type StrictOption = boolean | readonly string[];

/** Whether the response to a request waits until its event of this action is durable. */
export type IsStrict = (action: string) => boolean;

const checkNames = arrayOf(isActionName);

/** Passes true, false, and a list of names of actions; whether these are known is asked where the rules are known. */
export const isStrictOption: Check = (value, path) => {
  if (typeof value === 'boolean') return undefined;
  if (Array.isArray(value)) return checkNames(value, path);
  return `${path} must be true, false or an array of names of actions, got ${kindOf(value)}`;
};

/** Reads the option; null: no action is strict. */
export function createIsStrict(option: StrictOption | undefined): IsStrict | null {
  if (option === true) return () => true;
  if (option === undefined || option === false || option.length === 0) return null;
  const actions = new Set(option);
  return (action) => actions.has(action);
}

/**
 * A mistyped name would protect nothing, and nobody would notice.
 * @throws {@link OptionsError} OPTIONS_INVALID with the nearest name, for one that is neither registered nor among the app's own.
 */
export function assertStrictNames(option: StrictOption | undefined, own: readonly string[]): void {
  if (option === undefined || typeof option === 'boolean') return;
  const known = [...new Set([...REGISTERED_ACTIONS, ...own])];
  const index = option.findIndex((name) => !known.includes(name));
  if (index === -1) return;
  const name = unknownName(option[index] ?? '', known);
  assertOptions(`audit.strict[${index}]: action ${name}; names of your own belong into audit.actions too`);
}

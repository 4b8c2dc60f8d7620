/** Asks the `when` of a rule, which belongs to the app: it may throw, or answer with what is no answer. It knows no trail. */
import { className } from '../audit/recording.js';
import { warnOnce } from '../errors.js';
import { kindOf } from '../settings.js';
import { attempt } from './attempt.js';
import type { HttpContext } from './context.js';
import type { CaptureRule } from './rules.js';

/** A `when` that gave no answer. */
export interface WhenFailure {
  /** What it threw; else an error that says what it answered with. */
  readonly error: unknown;
}

/** Whether a rule agrees to a request, or why nobody knows. Never throws; a promise is no answer, and its rejection is heard. */
export function askWhen({ when }: CaptureRule, { req, res }: Pick<HttpContext, 'req' | 'res'>): boolean | WhenFailure {
  if (when === undefined) return true;
  try {
    const answer: unknown = when(req, res);
    if (typeof answer === 'boolean') return answer;
    const isPromise = answer !== undefined && attempt(() => answer) === undefined;
    return { error: new TypeError(`when must answer true or false, got ${isPromise ? 'a promise' : kindOf(answer)}`) };
  } catch (error) {
    // It threw, or gave what lets nobody look at it.
    return { error };
  }
}

/** Warns of it, once for each rule and kind of error. */
export function warnOfWhen({ method, path, action }: CaptureRule, { error }: WhenFailure, isAgreed: boolean): void {
  const methods = typeof method === 'string' ? method : method.join(', ');
  const taken = isAgreed ? 'an act of this action is recorded all the same' : 'that counts as false';
  warnOnce(
    'WHEN_FAILED',
    `the when of the rule ${methods} ${String(path)} (${action}) gave no answer, ${className(error)}: ${taken}; see hook:failed`,
  );
}

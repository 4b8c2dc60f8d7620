/** Hears what the strategies of a passport instance say, and tells the request. It changes no answer, and does not import passport. */
import { type Check, kindOf } from '../settings.js';
import { attempt, readMember } from './attempt.js';
import { tellPassportWord } from './observed.js';
import { keepsSession, type StrategyWord } from './passport-request.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** What passport 0.6 and 0.7 look strategies up with, at each request: so it does not matter when the app's routes were made. */
interface Passport {
  _strategy(name: unknown): unknown;
  authenticate: Method;
}

/** Passes an instance of passport. */
export const isPassport: Check = (value, path) =>
  typeof readMember(value, '_strategy') === 'function' && typeof readMember(value, 'authenticate') === 'function'
    ? undefined
    : `${path} must be the app's passport instance (import passport from 'passport'), got ${kindOf(value)}`;

/** One for all rooms and both builds: an instance is listened to once, and it holds no room. */
const HEARD = Symbol.for('express-strongroom.passport');

/** Listens to an instance; again changes nothing. */
export function listenToStrategies(instance: object): void {
  if (Object.hasOwn(instance, HEARD)) return;
  const passport = instance as Passport;
  const { _strategy: find, authenticate } = passport;
  define(instance, HEARD, true);
  define(instance, '_strategy', function _strategy(this: unknown, name: unknown): unknown {
    return listened(find.call(passport, name), passport);
  });
  // Strategies that are given as objects are not looked up.
  define(instance, 'authenticate', function listenedAuthenticate(this: unknown, ...args: unknown[]): unknown {
    const [strategy, ...rest] = args;
    const layers = Array.isArray(strategy)
      ? strategy.map((one) => listened(one, passport))
      : listened(strategy, passport);
    return Reflect.apply(authenticate, this, [layers, ...rest]);
  });
}

function define(instance: object, key: PropertyKey, value: unknown): void {
  Object.defineProperty(instance, key, { value, configurable: true, writable: true });
}

/** A strategy that is heard. The session strategy restores a login and makes none. */
function listened(strategy: unknown, passport: object): unknown {
  const authenticate = readMember(strategy, 'authenticate');
  if (typeof authenticate !== 'function' || readMember(strategy, 'name') === 'session') return strategy;
  return Object.create(strategy as object, {
    authenticate: {
      configurable: true,
      writable: true,
      value(this: object, req: object, options: unknown): unknown {
        // `authorize` links an account and logs nobody in.
        const isLogin = !readMember(options, 'assignProperty');
        const isKept = keepsSession(options);
        const self = isLogin ? interposed(this, (say) => tellPassportWord(req, say(passport, isKept))) : this;
        return Reflect.apply(authenticate, self, [req, options]);
      },
    },
  });
}

type Say = (passport: object, isKept: boolean) => StrategyWord;

/** What each action says, from its arguments. `pass` says nothing. */
const ACTIONS: Readonly<Record<string, (args: readonly unknown[]) => Say>> = {
  success:
    ([user]) =>
    (passport) => ({ passport, said: 'proved', user }),
  fail:
    ([challenge, status]) =>
    (passport, isKept) => ({ passport, said: 'refused', status: statusOf(challenge) ?? statusOf(status), isKept }),
  redirect: () => (passport) => ({ passport, said: 'sent-away' }),
  error:
    ([error]) =>
    (passport, isKept) => ({ passport, said: 'strategy-broke', error, isKept }),
};

/** The strategy of one request, with its actions heard. An object of its own: one that the app gave as an object serves all requests at once. */
function interposed(strategy: object, hear: (say: Say) => void): object {
  const own = Object.create(strategy) as Record<string, unknown>;
  for (const [name, say] of Object.entries(ACTIONS)) {
    const action = readMember(strategy, name);
    if (typeof action !== 'function') continue;
    own[name] = function heard(...args: unknown[]): unknown {
      attempt(() => hear(say(args)));
      return Reflect.apply(action, strategy, args) as unknown;
    };
  }
  return own;
}

function statusOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

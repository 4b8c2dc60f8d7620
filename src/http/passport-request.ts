/** Listens to `req.logIn` and `req.logOut` of passport, whoever calls them: what it hears it tells. It knows no room and no rule. */
import { attempt, readMember } from './attempt.js';

/** One thing that passport did or said in a request. */
export type PassportWord =
  /** `req.logIn` is done. Without a session it proves a user for this request only. */
  | { readonly said: 'logged-in'; readonly user: unknown; readonly isKept: boolean }
  /** `req.logIn` gave an error: the session could not be written. */
  | { readonly said: 'login-broke'; readonly error: unknown; readonly isKept: boolean }
  /** `req.logOut` is done; the user is the one who was there before. */
  | { readonly said: 'logged-out'; readonly user: unknown }
  /** `req.logOut` gave an error: whoever has the session still has it. */
  | { readonly said: 'logout-broke'; readonly user: unknown; readonly error: unknown }
  | StrategyWord;

/** What a strategy of a passport instance said. `isKept`: the login would go into the session. */
export type StrategyWord = { readonly passport: object } & (
  | { readonly said: 'proved'; readonly user: unknown }
  | { readonly said: 'refused'; readonly status: number | undefined; readonly isKept: boolean }
  /** To an identity provider: nothing is decided yet. */
  | { readonly said: 'sent-away' }
  | { readonly said: 'strategy-broke'; readonly error: unknown; readonly isKept: boolean }
);

/** Hears what passport did. MUST NOT throw. */
export type TellPassportWord = (req: object, word: PassportWord) => void;

/** What passport puts on a request. */
interface PassportRequest {
  readonly _userProperty?: string;
  readonly _sessionManager?: unknown;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Listen = (original: Method, tell: TellPassportWord) => Method;

/** Creates what puts listeners before the login methods that a request has by now; asked again, it changes nothing. */
export function createPassportListener(tell: TellPassportWord): (req: object) => void {
  // Shared by all requests: passport puts the same functions on each. A listener stands for itself, since passport assigns what it finds.
  const listeners = new WeakMap<Method, Method>();

  function replace(req: object, name: string, listen: Listen): void {
    const original = readMember(req, name) as Method | undefined;
    if (typeof original !== 'function') return;
    const listener = listeners.get(original) ?? listen(original, tell);
    listeners.set(original, listener);
    listeners.set(listener, listener);
    attempt(() => {
      (req as Record<string, unknown>)[name] = listener;
    });
  }

  return function listenToPassport(req) {
    for (const name of ['login', 'logIn']) replace(req, name, listenToLogIn);
    for (const name of ['logout', 'logOut']) replace(req, name, listenToLogOut);
  };
}

function listenToLogIn(original: Method, tell: TellPassportWord): Method {
  return function logIn(this: unknown, ...args: unknown[]): unknown {
    const req = this as PassportRequest;
    const [user, options] = args;
    const isKept = keepsSession(options) && req._sessionManager !== undefined;
    return follow({ original, self: this, args, callbackAt: typeof options === 'function' ? 1 : 2 }, (error) => {
      tell(req, isAbsent(error) ? { said: 'logged-in', user, isKept } : { said: 'login-broke', error, isKept });
    });
  };
}

function listenToLogOut(original: Method, tell: TellPassportWord): Method {
  return function logOut(this: unknown, ...args: unknown[]): unknown {
    const req = this as PassportRequest;
    // Now: passport takes the user away before it is done.
    const user = readMember(req, req._userProperty ?? 'user');
    return follow({ original, self: this, args, callbackAt: typeof args[0] === 'function' ? 0 : 1 }, (error) => {
      tell(req, isAbsent(error) ? { said: 'logged-out', user } : { said: 'logout-broke', user, error });
    });
  };
}

/** Whether options of a login ask for a session, as they do unless they say no. */
export function keepsSession(options: unknown): boolean {
  const session = typeof options === 'function' ? undefined : readMember(options, 'session');
  return session === undefined || Boolean(session);
}

interface Call {
  readonly original: Method;
  readonly self: unknown;
  readonly args: unknown[];
  readonly callbackAt: number;
}

/** Calls through; `ended` is told once, before the app is. */
function follow({ original, self, args, callbackAt }: Call, ended: (error: unknown) => void): unknown {
  let isTold = false;
  const end = (error: unknown): void => {
    if (!isTold) ended(error);
    isTold = true;
  };
  const callback = args[callbackAt];
  if (typeof callback === 'function') {
    args[callbackAt] = function done(this: unknown, ...given: unknown[]): unknown {
      end(given[0]);
      return Reflect.apply(callback, this, given) as unknown;
    };
  }
  try {
    const result = Reflect.apply(original, self, args);
    if (typeof callback !== 'function') end(undefined);
    return result;
  } catch (error) {
    end(error ?? new Error('thrown'));
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  // As passport tests it.
  return !error;
}

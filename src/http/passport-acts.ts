/** What passport's words in one request come to: logins and logouts, each once. It knows no request. */
import { className } from '../audit/recording.js';
import type { Actor } from '../event.js';
import { judge, reasonOf, type Verdict } from './outcome.js';
import type { PassportWord } from './passport-request.js';
import type { Closing, WitnessedAct } from './witnessed.js';

interface Statement {
  readonly word: PassportWord;
  readonly actor: Actor | null;
}

type Said<Name extends PassportWord['said']> = Extract<PassportWord, { readonly said: Name }>;

/** What passport said in one request so far. */
export class PassportWitness {
  readonly #statements: Statement[] = [];

  /** Takes a word, and whom it is about as far as that is known now: objects change later. */
  hear(word: PassportWord, actor: Actor | null): void {
    // Apps call `logOut` to be sure; where nobody was, nobody went.
    if (!isOfLogin(word) && actor === null && !word.user) return;
    this.#statements.push({ word, actor });
  }

  /** The acts, when the request is over, in their order. */
  acts(closing: Closing): WitnessedAct[] {
    const kept = this.#statements.flatMap((statement) => this.#keptAct(statement, closing));
    if (kept.some(({ action }) => action === 'auth.login')) return kept;
    // A chain of strategies is one act: the last word of it counts.
    const last = this.#statements.findLast(({ word }) => isOfLogin(word));
    return last === undefined ? kept : [...kept, ...unkeptLogin(last, closing)];
  }

  /** What passport did to a session, or could not. */
  #keptAct({ word, actor }: Statement, closing: Closing): WitnessedAct[] {
    if (word.said === 'logged-in' && word.isKept) return [login(done(closing), actor)];
    if (word.said === 'logged-out') return [logout(done(closing), actor)];
    // The error of an earlier try is history.
    const isRetried = this.#statements.some(({ word: other }) => other.said === 'logged-out');
    if (word.said !== 'logout-broke' || isRetried) return [];
    return [{ ...logout({ status: 'error', reason: 'internal' }, actor), meta: errorMeta(word) }];
  }
}

/** What a word alone may be recorded as; null: only a rule makes an act of it. */
export function actionOf(word: PassportWord): 'auth.login' | 'auth.logout' | null {
  if (word.said === 'proved' || word.said === 'sent-away') return null;
  return isOfLogin(word) ? 'auth.login' : 'auth.logout';
}

function isOfLogin(word: PassportWord): word is Exclude<PassportWord, Said<'logged-out' | 'logout-broke'>> {
  return word.said !== 'logged-out' && word.said !== 'logout-broke';
}

/** A login that reached no session: proven by token, left to a callback of the app, refused, or broken. */
function unkeptLogin({ word, actor }: Statement, closing: Closing): WitnessedAct[] {
  switch (word.said) {
    case 'sent-away':
      return [login(null, null)];
    case 'proved':
    case 'logged-in':
      // A token is proven at each request of an API; and the app may still refuse whom the strategy knew.
      return closing.isLogin && isAccepted(closing) ? [login(done(closing), actor)] : [];
    case 'refused':
      return word.isKept || closing.isLogin ? [login(refusal(word), null)] : [];
    case 'login-broke':
    case 'strategy-broke':
      return word.isKept || closing.isLogin ? [{ ...login(breakage(closing), null), meta: errorMeta(word) }] : [];
    case 'logged-out':
    case 'logout-broke':
      return [];
  }
}

function isAccepted({ statusCode }: Closing): boolean {
  return statusCode !== null && statusCode < 400;
}

function login(verdict: Verdict | null, actor: Actor | null): WitnessedAct {
  return { source: 'passport', action: 'auth.login', verdict, actor };
}

function logout(verdict: Verdict, actor: Actor | null): WitnessedAct {
  return { source: 'passport', action: 'auth.logout', verdict, actor };
}

function done({ statusCode }: Closing): Verdict {
  const isRedirected = statusCode !== null && statusCode >= 300 && statusCode < 400;
  return { status: 'success', reason: isRedirected ? 'redirected' : null };
}

/** By the status that the strategy asks for, whatever the app makes of it. */
function refusal({ status }: Said<'refused'>): Verdict {
  const isRefusal = status !== undefined && status >= 400 && status < 500;
  return { status: 'failure', reason: reasonOf(isRefusal ? status : 401, 'auth.login') };
}

function breakage({ ending, statusCode }: Closing): Verdict {
  // Strategies give errors for what the client did, too: its status tells.
  if (statusCode !== null && statusCode >= 400) {
    return judge({ ending, statusCode, action: 'auth.login', hasAuthenticationChanged: false });
  }
  return { status: 'error', reason: 'internal' };
}

function errorMeta({ error }: { readonly error: unknown }): { error: string } {
  return { error: className(error) };
}

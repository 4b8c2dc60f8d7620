/** An act that something better placed than the route saw: passport, or another integration. Types only. */
import type { Actor } from '../event.js';
import type { Ending, Verdict } from './outcome.js';

/** One act as it was seen. */
export interface WitnessedAct {
  /** What saw it. */
  readonly source: 'passport' | 'integration';
  /** What was done. */
  readonly action: string;
  /** How it ended; null: it only began here, so there is nothing to record, and the route knows no better. */
  readonly verdict: Verdict | null;
  /** Who did it; null: as the request says. */
  readonly actor: Actor | null;
  /** More to say of it. */
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** How a request ended, as far as it decides about an act. */
export interface Closing {
  /** Whether a rule says that this request is a login. */
  readonly isLogin: boolean;
  /** How the response ended. */
  readonly ending: Ending;
  /** Status of a finished response; null: it was not. */
  readonly statusCode: number | null;
}

/** Tells what was seen, when the request is over. MUST NOT throw. */
export type ReadActs = (closing: Closing) => readonly WitnessedAct[];

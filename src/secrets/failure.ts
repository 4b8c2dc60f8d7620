/** What may be said about a provider that failed: which kind of failure, its class name and code. Never its message, fields or cause. */
import type { ErrorName } from '../errors.js';
import { kindOf } from '../settings.js';
import type { Reply } from './call.js';

/** Why a provider gave no answer, fit to be shown. */
export interface Failure {
  /** The error code for it. */
  readonly code: Extract<ErrorName, 'SECRET_PROVIDER_FAILED' | 'SECRET_TIMEOUT' | 'SECRET_DENIED'>;
  /** The provider and its trouble in a few words, without anything that the provider wrote in prose. */
  readonly detail: string;
}

/** A class name or an error code, and no sentence, token or connection string. */
const CLASS_NAME = /^[A-Za-z_$][\w$]{0,63}$/;
const CODE = /^[A-Z][A-Z0-9_]{1,39}$/;

/** Classifies a call that brought no usable answer. */
export function failureOf(provider: string, reply: Reply): Failure {
  if (reply.kind === 'threw') return failureOfThrown(provider, reply.error);
  if (reply.kind === 'late') return { code: 'SECRET_TIMEOUT', detail: `${provider}: no answer in time` };
  const answer = reply.kind === 'answered' ? kindOf(reply.value) : 'nothing';
  return { code: 'SECRET_PROVIDER_FAILED', detail: `${provider}: answered with ${answer} instead of a string` };
}

/** The failure of a chain in which nobody had the secret: a refusal counts most, time only when it was the only cause. */
export function worstOf(failures: readonly Failure[]): Failure {
  const detail = [...new Set(failures.map((failure) => failure.detail))].join('; ');
  const codes = new Set(failures.map((failure) => failure.code));
  if (codes.has('SECRET_DENIED')) return { code: 'SECRET_DENIED', detail };
  const onlyLate = codes.has('SECRET_TIMEOUT') && codes.size === 1;
  return { code: onlyLate ? 'SECRET_TIMEOUT' : 'SECRET_PROVIDER_FAILED', detail };
}

function failureOfThrown(provider: string, error: unknown): Failure {
  const code = read(() => (error as { code?: unknown }).code);
  const kind = read(() => (Object.getPrototypeOf(error) as object).constructor.name);
  const words = [
    typeof kind === 'string' && CLASS_NAME.test(kind) ? kind : 'it threw',
    (typeof code === 'string' && CODE.test(code)) || Number.isSafeInteger(code) ? `code ${String(code)}` : '',
  ];
  return {
    code: code === 'DENIED' ? 'SECRET_DENIED' : 'SECRET_PROVIDER_FAILED',
    detail: `${provider}: ${words.filter((word) => word !== '').join(', ')}`,
  };
}

/** What was thrown may be null, or a Proxy that throws again. */
function read(member: () => unknown): unknown {
  try {
    return member();
  } catch {
    return undefined;
  }
}

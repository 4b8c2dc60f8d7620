/** Every error that the package throws, with its stable code, HTTP status and remedy. It knows nothing of what failed. */

/** What is fixed for a code. */
export interface CodeEntry {
  /** HTTP status that an error middleware should answer with. */
  readonly status: number;
  /** One sentence: what to do about it. */
  readonly help: string;
}

/** Every code without its prefix `ERR_STRONGROOM_`. */
export type ErrorName =
  | 'OPTIONS_INVALID'
  | 'SECRET_NOT_FOUND'
  | 'SECRET_PROVIDER_FAILED'
  | 'SECRET_TIMEOUT'
  | 'SECRET_DENIED'
  | 'SECRET_INSECURE_IN_PRODUCTION'
  | 'SECRET_PROVIDER_UNKNOWN'
  | 'SECRET_READ_ONLY'
  | 'APPEND_ONLY_VIOLATION'
  | 'AUDIT_WRITE_FAILED'
  | 'AUDIT_UNAVAILABLE'
  | 'AUDIT_REFUSED'
  | 'AUDIT_UNENFORCED'
  | 'AUDIT_KEY_MISSING'
  | 'QUERY_INVALID'
  | 'QUERY_TIMEOUT'
  | 'CLOSED'
  | 'LEDGER_ALARM';

/** The codes with their status and remedy. */
export const ERROR_CODES: Readonly<Record<ErrorName, CodeEntry>> = {
  OPTIONS_INVALID: {
    status: 500,
    help: 'Correct the option or argument that the message names; the README lists them all.',
  },
  SECRET_NOT_FOUND: { status: 500, help: 'Define the secret where the provider looks, or pass a default.' },
  SECRET_PROVIDER_FAILED: {
    status: 503,
    help: 'Check that the provider can be reached and that its credentials are valid.',
  },
  SECRET_TIMEOUT: { status: 503, help: 'The provider did not answer in time: check it, or raise secrets.timeout.' },
  SECRET_DENIED: {
    status: 503,
    help: 'The provider refuses this secret to this process: grant the right, or stop asking.',
  },
  SECRET_INSECURE_IN_PRODUCTION: {
    status: 500,
    help: 'Use a provider that is safe for production: env, file, or a secret store.',
  },
  SECRET_PROVIDER_UNKNOWN: { status: 500, help: 'Use a known provider name, or pass a provider object.' },
  SECRET_READ_ONLY: {
    status: 500,
    help: 'This provider cannot write: change the secret at its source, then call invalidate().',
  },
  APPEND_ONLY_VIOLATION: {
    status: 500,
    help: 'Audit events are never changed or removed: record a further event that corrects it.',
  },
  AUDIT_WRITE_FAILED: {
    status: 500,
    help: 'The event could not be stored as it was; see the reason in the message and audit:failed.',
  },
  AUDIT_UNAVAILABLE: {
    status: 503,
    help: 'MongoDB does not take events right now: check it. What was queued is stored when it returns.',
  },
  AUDIT_REFUSED: { status: 500, help: 'A filter of this app refused the event: see the audit:draft filters.' },
  AUDIT_UNENFORCED: {
    status: 500,
    help: 'Connect as the user that `strongroom provision` makes, or set audit.dangerouslyAllowUnenforced.',
  },
  AUDIT_KEY_MISSING: {
    status: 500,
    help: 'Make a key with `strongroom keygen`, keep it as a secret, or set audit.evidence to false on purpose.',
  },
  QUERY_INVALID: { status: 400, help: 'Correct the query member that the message names.' },
  QUERY_TIMEOUT: {
    status: 503,
    help: 'Narrow the query by time or by an indexed member (actorId, action, target, targetId, status).',
  },
  CLOSED: { status: 503, help: 'close() was called before: create a new instance, or close later.' },
  LEDGER_ALARM: {
    status: 500,
    help: 'Someone may have changed the trail behind the package: run `strongroom verify` and keep a copy of the database.',
  },
};

/**
 * Base of every error that the package throws. `code` is stable and part of semver; the text is not.
 * No secret's value ever stands in the message, a field or a cause.
 */
export class StrongroomError extends Error {
  /** Stable code, e.g. `ERR_STRONGROOM_SECRET_NOT_FOUND`. */
  readonly code: `ERR_STRONGROOM_${string}`;
  /** HTTP status for error middleware: Express' own handler and most others use it. */
  readonly status: number;
  /** Error middleware must not show the message to a client. */
  readonly expose = false as const;
  /** One sentence: what to do about it. */
  readonly help: string;

  constructor(name: ErrorName, message: string) {
    super(message);
    this.code = `ERR_STRONGROOM_${name}`;
    this.status = ERROR_CODES[name].status;
    this.help = ERROR_CODES[name].help;
  }

  static {
    this.prototype.name = 'StrongroomError';
  }
}

/** An option or an argument is not of its allowed form. Code OPTIONS_INVALID. */
export class OptionsError extends StrongroomError {
  constructor(message: string) {
    super('OPTIONS_INVALID', message);
  }

  static {
    this.prototype.name = 'OptionsError';
  }
}

/** A secret could not be given or written. Codes SECRET_*. */
export class SecretError extends StrongroomError {
  constructor(name: Extract<ErrorName, `SECRET_${string}`>, message: string) {
    super(name, message);
  }

  static {
    this.prototype.name = 'SecretError';
  }
}

/** A change to append-only data was refused before it reached the server. Code APPEND_ONLY_VIOLATION. */
export class AppendOnlyError extends StrongroomError {
  /** The refused operation, e.g. `updateOne`. */
  readonly operation: string;
  /** The collection that it was meant for. */
  readonly collection: string;

  constructor(operation: string, collection: string) {
    super('APPEND_ONLY_VIOLATION', `${operation} is refused: the collection "${collection}" is append-only`);
    this.operation = operation;
    this.collection = collection;
  }

  static {
    this.prototype.name = 'AppendOnlyError';
  }
}

/** An event was not recorded, or not in time. Codes AUDIT_WRITE_FAILED, AUDIT_UNAVAILABLE, AUDIT_REFUSED; AUDIT_UNENFORCED: it could be changed afterwards. */
export class AuditWriteError extends StrongroomError {
  constructor(name: Extract<ErrorName, `AUDIT_${string}`>, message: string) {
    super(name, message);
  }

  static {
    this.prototype.name = 'AuditWriteError';
  }
}

/** A query was malformed (QUERY_INVALID, status 400) or took too long (QUERY_TIMEOUT, status 503). */
export class QueryError extends StrongroomError {
  constructor(name: Extract<ErrorName, `QUERY_${string}`>, message: string) {
    super(name, message);
  }

  static {
    this.prototype.name = 'QueryError';
  }
}

/** The instance, or the trail, is not in a state for this call. Codes CLOSED, LEDGER_ALARM. */
export class StateError extends StrongroomError {
  constructor(name: Extract<ErrorName, 'CLOSED' | 'LEDGER_ALARM'>, message: string) {
    super(name, message);
  }

  static {
    this.prototype.name = 'StateError';
  }
}

/** Throws OPTIONS_INVALID when a check of `settings.ts` found a problem. */
export function assertOptions(problem: string | undefined): void {
  if (problem !== undefined) throw new OptionsError(problem);
}

/** Tells the process once per code and text: `process.emitWarning` with type StrongroomWarning. */
export function warnOnce(code: string, message: string): void {
  const key = `${code}\n${message}`;
  if (warned.has(key)) return;
  if (warned.size < MAX_WARNINGS) warned.add(key);
  tell(() => process.emitWarning(message, { type: 'StrongroomWarning', code: `STRONGROOM_${code}` }));
}

/** Writes one JSON line on standard error. Never throws. */
export function tellOnStderr(line: Readonly<Record<string, unknown>>): void {
  tell(() => process.stderr.write(`${JSON.stringify({ level: 'error', package: 'express-strongroom', ...line })}\n`));
}

/** Loggers patch these functions: what one throws or rejects with may cost the line, and not the request that it is about. */
function tell(write: () => unknown): void {
  try {
    const answer = write();
    if (answer instanceof Promise) answer.catch(() => undefined);
  } catch {
    // There is nowhere left to say it.
  }
}

/** Bounds the memory of what was warned about; beyond it a text may come twice. */
const MAX_WARNINGS = 1000;
const warned = new Set<string>();

/** What is said of an error that ends a command. A driver's own message can quote the URI with its password: only its class and code are told. */
import { StrongroomError } from '../errors.js';
import { codeOf, describeError, SERVER_CODES } from '../mongo/server-error.js';

/** A failure as `--json` shows it. */
export interface Failure {
  /** Stable code. */
  readonly code: string;
  /** One sentence. */
  readonly message: string;
}

/** A command was refused for the state of what it found. Its message is shown as it is. */
export class RefusalError extends Error {}

/** Reads an error. */
export function readFailure(error: unknown): Failure {
  if (error instanceof StrongroomError) return { code: error.code, message: error.message };
  if (error instanceof RefusalError) return { code: 'REFUSED', message: error.message };
  const file = describeFileError(error);
  if (file !== undefined) return { code: 'FILE', message: file };
  return { code: 'FAILED', message: describeDriverError(error) };
}

/** Node's errors about files name what was tried and the path, which is the user's own. */
function describeFileError(error: unknown): string | undefined {
  const { syscall, path, code } = error as NodeJS.ErrnoException;
  if (typeof syscall !== 'string' || typeof path !== 'string') return undefined;
  return `${path}: ${REASONS[code ?? ''] ?? String(code)} (${syscall})`;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'access is denied',
  EPERM: 'that is not permitted',
  EISDIR: 'that is a folder',
  ENOTDIR: 'that is no folder',
  EEXIST: 'it is there already',
  ENOSPC: 'the disk is full',
};

function describeDriverError(error: unknown): string {
  const { name } = error as { name?: unknown };
  const what = describeError(error);
  if (codeOf(error) === SERVER_CODES.authenticationFailed) return `MongoDB refuses the credentials: ${what}`;
  if (codeOf(error) === SERVER_CODES.unauthorized) return `this user may not do that: ${what}`;
  if (name === 'MongooseServerSelectionError' || name === 'MongoServerSelectionError') {
    return `MongoDB cannot be reached: ${what}`;
  }
  if (name === 'MongoParseError' || name === 'MongoInvalidArgumentError' || name === 'MongoAPIError') {
    return `the URI is malformed: ${what}`;
  }
  return `it failed: ${what}`;
}

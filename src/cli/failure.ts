/** What is said of an error that ends a command. A driver's own message can quote the URI with its password: only its class and code are told. */
import { StrongroomError } from '../errors.js';
import { codeOf, describeError, SERVER_CODES } from '../mongo/server-error.js';
import { printable } from './output.js';

/** A failure as `--json` shows it. */
export interface Failure {
  /** Stable code. */
  readonly code: string;
  /** One sentence. */
  readonly message: string;
}

/** A command was refused for the state of what it found. Its message is shown as it is. */
export class RefusalError extends Error {}

/** A file or folder that a flag names cannot be used. */
export class NamedFileError extends Error {
  constructor(flag: string, path: string, cause: NodeJS.ErrnoException) {
    super(`${flag} ${printable(path)}: ${describeReason(cause)}`);
  }
}

/** Reads an error. */
export function readFailure(error: unknown): Failure {
  if (error instanceof StrongroomError) return { code: error.code, message: error.message };
  if (error instanceof RefusalError) return { code: 'REFUSED', message: error.message };
  if (error instanceof NamedFileError) return { code: 'FILE', message: error.message };
  if (isFileError(error)) return { code: 'FILE', message: describeFileError(error) };
  return { code: 'FAILED', message: describeDriverError(error) };
}

/** Whether it is an error of Node about a file: by its reason, or by its path. A socket's has neither. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  const { syscall, path, code } = error as NodeJS.ErrnoException;
  return typeof syscall === 'string' && (typeof path === 'string' || Object.hasOwn(REASONS, code ?? ''));
}

/** The path is the user's own. */
function describeFileError(error: NodeJS.ErrnoException): string {
  const reason = describeReason(error);
  return error.path === undefined ? reason : `${printable(error.path)}: ${reason}`;
}

function describeReason({ code, syscall }: NodeJS.ErrnoException): string {
  return `${REASONS[code ?? ''] ?? String(code)} (${syscall})`;
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
  const what = describeError(error);
  if (codeOf(error) === SERVER_CODES.authenticationFailed) return `MongoDB refuses the credentials: ${what}`;
  if (codeOf(error) === SERVER_CODES.unauthorized) return `this user may not do that: ${what}`;
  const { name, code, syscall, message, cause } = error as Record<string, unknown>;
  if (UNREACHABLE.includes(name)) return `MongoDB cannot be reached: ${what}`;
  // The driver has no class of its own for a port that cannot be.
  const isNoUrl = cause instanceof Error && 'code' in cause && cause.code === 'ERR_INVALID_URL';
  if (isNoUrl) return `the URI is malformed, its host or port cannot be one: ${what}`;
  if (MALFORMED.includes(name)) return `the URI is malformed: ${what}`;
  if (typeof syscall === 'string' && syscall.startsWith('query')) {
    return `the host of the mongodb+srv:// URI does not resolve: ${String(code)} (${syscall})`;
  }
  // Our own words about our own time limit.
  if (typeof message === 'string' && /^MongoDB did not answer within \d+ ms$/.test(message)) return message;
  return `it failed: ${what}`;
}

const UNREACHABLE: readonly unknown[] = ['MongooseServerSelectionError', 'MongoServerSelectionError'];
const MALFORMED: readonly unknown[] = ['MongoParseError', 'MongoInvalidArgumentError', 'MongoAPIError'];

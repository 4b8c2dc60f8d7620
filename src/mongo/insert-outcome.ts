/** Reads the server's answer to a batch: stored, unknown, refused, poison or duplicate. Pure; errors are told apart by code, not by class. */
import type { InsertOutcome } from '../audit/store.js';
import { codeOf, describeError, SERVER_CODES } from './server-error.js';

/** The reply of an `insert` command, as far as it matters. */
export interface InsertReply {
  readonly n?: number;
  readonly writeErrors?: readonly { readonly index: number; readonly code: number; readonly errmsg?: string }[];
  readonly writeConcernError?: { readonly code?: number; readonly errmsg?: string };
}

/** Configuration: rights, log-in, a read-only or missing database. Keep everything, tell, wait for a person. */
const REFUSED = new Set([13, 18, 8000]);

/** The document itself: validation, size, depth, a bad value or key. Sending it again cannot help. */
const POISON = new Set([2, 9, 14, 15, 17, 22, 52, 53, 121, 10334, 16, 17280, 17419]);

/**
 * Reads a reply that arrived. A write concern that was not met makes everything unknown: what looks stored, and also what looks like a
 * duplicate, may be rolled back after a failover.
 */
export function readInsertReply(reply: InsertReply, sent: number): InsertOutcome {
  if (reply.writeConcernError !== undefined) {
    return unknown(`the write concern was not met (code ${reply.writeConcernError.code ?? 'none'})`);
  }
  const failed = reply.writeErrors?.[0];
  if (failed !== undefined) return readWriteError(failed);
  // A driver that skips a document, such as null, says nothing but a smaller number.
  return reply.n === sent ? { kind: 'stored' } : unknown(`the server counted ${reply.n} of ${sent} events`);
}

/** Reads what the driver threw: without a server's code nothing is known of the batch. */
export function readInsertError(error: unknown): InsertOutcome {
  const { name } = error as { name?: unknown };
  const code = codeOf(error);
  // Thrown while the batch was being turned into BSON: nothing was sent.
  if (name === 'BSONError' || name === 'BSONVersionError' || error instanceof RangeError) {
    return { kind: 'poison', index: null, error: new Error(`it cannot be turned into BSON (${String(name)})`) };
  }
  if (name === 'MongoWriteConcernError' || code === undefined) return unknown(describeError(error));
  if (REFUSED.has(code)) return { kind: 'refused', error: new Error(describeError(error)) };
  if (POISON.has(code)) return { kind: 'poison', index: null, error: new Error(describeError(error)) };
  return unknown(describeError(error));
}

function readWriteError({ index, code }: { index: number; code: number }): InsertOutcome {
  if (code === SERVER_CODES.duplicateKey) return { kind: 'duplicate', index };
  const text = `the server refused it (code ${code})`;
  if (REFUSED.has(code)) return { kind: 'refused', error: new Error(text) };
  return POISON.has(code) ? { kind: 'poison', index, error: new Error(text) } : unknown(text);
}

function unknown(message: string): InsertOutcome {
  return { kind: 'unknown', error: new Error(message) };
}

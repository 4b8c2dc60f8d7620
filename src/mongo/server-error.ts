/** What a driver's or server's error may be called: its class and code. Its own message can quote a document or the URI and goes no further. */

/** Codes that this package acts on. @see https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml */
export const SERVER_CODES = {
  badValue: 2,
  unauthorized: 13,
  authenticationFailed: 18,
  namespaceNotFound: 26,
  indexNotFound: 27,
  namespaceExists: 48,
  maxTimeExpired: 50,
  duplicateKey: 11_000,
  roleExists: 51_002,
  userExists: 51_003,
} as const;

/** The numeric code that a server gave; undefined when there is none. */
export function codeOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

/** Class and code, e.g. `MongoServerError (code 13)`. */
export function describeError(error: unknown): string {
  const { name } = error as { name?: unknown };
  const kind = typeof name === 'string' ? name : 'an error';
  const code = codeOf(error);
  return code === undefined ? kind : `${kind} (code ${code})`;
}

/** The answer, or undefined where the server declined, for whatever reason of its own. Rejects when there was no answer. */
export async function unlessDeclined<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

/** The answer, or undefined where the server says, by this code, that what was to be made is there: someone made it meanwhile. */
export async function unlessThere<Answer>(asked: Promise<Answer>, code: number): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (codeOf(error) === code) return undefined;
    throw error;
  }
}

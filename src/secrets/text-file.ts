/** Reads a small text file exactly, through symbolic links. It knows no secrets; what it throws has a `code` and no content. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** The largest file that is read: 1 MiB. */
const MAX_FILE_BYTES = 1024 * 1024;

/** Why a file is refused; the text never quotes what it holds. */
export class FileRefusedError extends Error {
  /** `NAME_REFUSED`, `NOT_A_FILE`, `NOT_A_DIRECTORY`, `TOO_LARGE`, `NOT_UTF8` or `UNQUOTED_PEM`. */
  readonly code: string;

  constructor(code: string) {
    super(`refused: ${code}`);
    this.code = code;
  }
}

/** The text of a file, byte order mark and line ends included. Rejects with a `code`: those of node:fs, and NOT_A_FILE, TOO_LARGE, NOT_UTF8. */
export async function readTextFile(path: string): Promise<string> {
  // Without O_NONBLOCK, opening a named pipe would wait for its writer in a thread of the pool, for ever.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new FileRefusedError('NOT_A_FILE');
    return decode(await readAll(handle));
  } finally {
    await handle.close();
  }
}

/** Counts what it reads: the size that `stat` gives is 0 for generated files, and old for one that grows. */
async function readAll(handle: FileHandle): Promise<Uint8Array> {
  const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled);
    if (bytesRead === 0) return bytes.subarray(0, filled);
    filled += bytesRead;
  }
  throw new FileRefusedError('TOO_LARGE');
}

/** Strict: a replacement character in a password would be a wrong password. */
function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FileRefusedError('NOT_UTF8');
  }
}

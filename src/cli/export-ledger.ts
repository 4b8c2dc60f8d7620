/** The documents in `ledger.ndjson`, as verification reads them: in order once, and the leaves of any of them. It judges nothing. */
import type { FileHandle } from 'node:fs/promises';
import { decodeBase64 } from '../evidence/base64.js';
import { type LedgerDocument, readLedgerLine, writeLedgerLine } from '../evidence/ledger-document.js';
import type { FoundEntry } from '../evidence/source.js';
import { readFoundEntry } from '../mongo/evidence-source.js';
import { readLines } from './line-reader.js';

/** Lines between which there is not much are read at once. */
const SPAN_BYTES = 8 * 1024 * 1024;
const NUMBER = /^\{"_id":(\d{1,16}),/;
/** The time of an entry: JSON within JSON, and the first member of each. */
const ENTRY_TIME = /"entry":"\{\\"at\\":\\"([^"\\]{24})\\"/;
/** `_id`, `entry` and `from` stand within the first bytes of a line. */
const HEAD_BYTES = 128;

/** Where a line stands in the file. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

/** A ledger in a file, by the places of its lines. */
export class ExportedLedger {
  readonly #file: FileHandle;
  readonly #name: string;
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  readonly #numbers: number[] = [];
  #newestAt: Date | undefined;

  private constructor(file: FileHandle, name: string) {
    this.#file = file;
    this.#name = name;
  }

  /** Looks where the lines are. @throws OPTIONS_INVALID when the file is not whole */
  static async open(file: FileHandle, name: string): Promise<ExportedLedger> {
    const ledger = new ExportedLedger(file, name);
    for await (const { bytes, starts, ends, offset } of readLines(file, name)) {
      for (const [index, start] of starts.entries()) {
        const end = ends[index] as number;
        ledger.#note(
          { offset: offset + start, length: end - start },
          bytes.toString('latin1', start, Math.min(end, start + HEAD_BYTES)),
        );
      }
    }
    return ledger;
  }

  /** How many lines it has. */
  get size(): number {
    return this.#offsets.length;
  }

  /** When the newest entry was appended, as it says; undefined when there is none. */
  get newestAt(): Date | undefined {
    return this.#newestAt;
  }

  /** All documents, in the order of the file. */
  async *documents(): AsyncGenerator<FoundEntry[], void, undefined> {
    for await (const { bytes, starts, ends, before } of readLines(this.#file, this.#name)) {
      yield starts.map((start, index) => readEntryLine(bytes.toString('utf8', start, ends[index]), before + index + 1));
    }
  }

  /** The leaves of some documents. */
  async leaves(numbers: readonly number[]): Promise<unknown[]> {
    const places = numbers.map((n) => this.#find(n));
    const known = places.filter((place) => place !== undefined);
    const start = Math.min(...known.map(({ offset }) => offset));
    const end = Math.max(...known.map(({ offset, length }) => offset + length));
    const isNear = known.length > 0 && end - start <= SPAN_BYTES;
    const span = isNear ? await this.#read({ offset: start, length: end - start }) : undefined;
    const leaves: unknown[] = [];
    for (const place of places) {
      if (place === undefined) leaves.push(undefined);
      else {
        const from = place.offset - start;
        const line = span?.subarray(from, from + place.length) ?? (await this.#read(place));
        leaves.push(readEntryLine(line.toString(), 0).document.leaves);
      }
    }
    return leaves;
  }

  #note({ offset, length }: Place, head: string): void {
    this.#offsets.push(offset);
    this.#lengths.push(length);
    this.#numbers.push(Number(NUMBER.exec(head)?.[1] ?? -1));
    const at = new Date(ENTRY_TIME.exec(head)?.[1] ?? Number.NaN);
    if (!Number.isNaN(at.getTime())) this.#newestAt = at;
  }

  #find(n: number): Place | undefined {
    const index = this.#numbers[n] === n ? n : this.#numbers.lastIndexOf(n);
    if (index === -1) return undefined;
    return { offset: this.#offsets[index] as number, length: this.#lengths[index] as number };
  }

  async #read({ offset, length }: Place): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    for (let read = 0; read < length;) {
      const { bytesRead } = await this.#file.read(bytes, read, length - read, offset + read);
      if (bytesRead === 0) throw new Error(`${this.#name} became shorter while it was read`);
      read += bytesRead;
    }
    return bytes;
  }
}

function readEntryLine(line: string, number: number): FoundEntry {
  const document = readLedgerLine(line);
  const { bson } = (document ?? {}) as { bson?: unknown };
  const stored = typeof bson === 'string' ? decodeBase64(bson) : undefined;
  if (stored !== undefined) return readFoundEntry(stored);
  if (document === undefined) return { document: { _id: `line ${number}` }, fault: 'the line is no JSON object' };
  return isWritten(document as LedgerDocument, line)
    ? { document }
    : { document, fault: 'its line is not in its one form' };
}

function isWritten(document: LedgerDocument, line: string): boolean {
  try {
    return writeLedgerLine(document) === line;
  } catch {
    return false;
  }
}

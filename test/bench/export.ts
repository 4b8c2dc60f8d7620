/** Writes an exported folder of any size without a database: one stream, sealed every 4,096 events. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { type EntryDraft, eventId, placeEntry, writeEntry } from '../../dist/esm/evidence/entry.js';
import { type KeyPair, readSigningKey } from '../../dist/esm/evidence/keys.js';
import { copiesOf, writeLedgerLine } from '../../dist/esm/evidence/ledger-document.js';
import { canonicalLine } from '../../dist/esm/evidence/line.js';
import { signCheckpoint } from '../../dist/esm/evidence/note.js';
import { CompactRange, leafHash, rootOf } from '../../dist/esm/evidence/tree.js';
import { draft } from './trail.js';

const STREAM = '01J00000000000000000000000';
const BEGIN = Date.parse('2026-01-01T00:00:00.000Z');
const SEAL_EVENTS = 4096;

/** Writes `events.ndjson` and `ledger.ndjson`. */
export async function writeExport(folder: string, { count, key }: { count: number; key: KeyPair }): Promise<void> {
  const events = createWriteStream(join(folder, 'events.ndjson'));
  const ledger = new LedgerFile(createWriteStream(join(folder, 'ledger.ndjson')), key);
  await ledger.append({ kind: 'open', by: STREAM, stream: STREAM, host: 'bench', app: null }, BEGIN);
  for (let from = 0; from < count; from += SEAL_EVENTS) {
    const lines = Array.from({ length: Math.min(SEAL_EVENTS, count - from) }, (_, index) => lineOf(from + index));
    await write(events, `${lines.join('\n')}\n`);
    const leaves = Buffer.concat(lines.map((line) => leafHash(line)));
    const root = rootOf(leaves).toString('base64');
    const seal = { kind: 'seal', by: STREAM, stream: STREAM, from, count: lines.length, root } as const;
    await ledger.append(seal, BEGIN + from + lines.length, leaves);
  }
  await Promise.all([end(events), end(ledger.file)]);
}

function lineOf(index: number): string {
  const { meta = {}, ...said } = draft(index);
  return canonicalLine({
    _id: eventId(STREAM, index),
    v: 1,
    at: new Date(BEGIN + index),
    app: null,
    tenantId: null,
    onBehalfOf: null,
    status: 'success',
    reason: null,
    source: 'api',
    http: null,
    salt: 'AAAAAAAAAAAAAAAAAAAAAA',
    ...said,
    meta,
  });
}

class LedgerFile {
  readonly file: WriteStream;
  readonly #key: KeyPair;
  readonly #range = new CompactRange();

  constructor(file: WriteStream, key: KeyPair) {
    this.file = file;
    this.#key = key;
  }

  async append(said: EntryDraft, atMs: number, leaves?: Buffer): Promise<void> {
    const n = this.#range.size;
    const entry = placeEntry(said, n, new Date(atMs));
    const text = writeEntry(entry);
    this.#range.append(leafHash(text));
    const [origin = ''] = this.#key.vkey.split('+');
    const signer = readSigningKey(this.#key.signingKey, 'key');
    const note = await signCheckpoint({ origin, size: n + 1, root: this.#range.root() }, signer);
    const peaks = Buffer.concat(this.#range.peaks);
    await write(this.file, `${writeLedgerLine({ _id: n, ...copiesOf(entry), entry: text, note, peaks, leaves })}\n`);
  }
}

async function write(file: WriteStream, text: string): Promise<void> {
  if (!file.write(text)) await once(file, 'drain');
}

async function end(file: WriteStream): Promise<void> {
  file.end();
  await once(file, 'close');
}

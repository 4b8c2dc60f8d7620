/** Honest trails, made in memory from the primitives of src/evidence and written as an export folder. It knows no verifier, no sealer and no database. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EntryDraft, eventId, placeEntry, writeEntry } from '../../src/evidence/entry.js';
import { generateKey, readSigningKey, type Signer } from '../../src/evidence/keys.js';
import { copiesOf, type LedgerDocument, writeLedgerLine } from '../../src/evidence/ledger-document.js';
import { canonicalLine } from '../../src/evidence/line.js';
import { type Checkpoint, signCheckpoint } from '../../src/evidence/note.js';
import { writeProof } from '../../src/evidence/proof.js';
import type { EvidenceSource } from '../../src/evidence/source.js';
import { CompactRange, inclusionPath, leafHash, rootOf } from '../../src/evidence/tree.js';
import { makeEvent } from '../audit/events.js';

/** Name of the logs that are made here. */
export const ORIGIN = 'audit.example/honest';
const BEGIN = Date.parse('2026-02-03T04:05:06.007Z');
const SEAL_MS = 1000;

/** Streams by the letter that tests call them by; each ULID says 2026-02-03. */
export function streamNamed(letter: string): string {
  return `01KGH0K9PA${letter.repeat(16)}`;
}

/** A trail that grows: events by their `_id`, and the ledger over them. */
export class HonestTrail {
  readonly events: Map<string, string> = new Map();
  readonly documents: LedgerDocument[] = [];
  readonly vkey: string;
  readonly #signer: Signer;
  readonly #ledger: CompactRange = new CompactRange();
  readonly #recorded: Map<string, number> = new Map();
  readonly #sealed: Map<string, number> = new Map();
  #now: number = BEGIN;

  constructor() {
    const { signingKey, vkey } = generateKey(ORIGIN);
    this.#signer = readSigningKey(signingKey, 'key');
    this.vkey = vkey;
  }

  /** Records events of a stream; nothing covers them yet. */
  record(letter: string, count: number): void {
    const stream = streamNamed(letter);
    const from = this.#recorded.get(stream) ?? 0;
    for (let sequence = from; sequence < from + count; sequence += 1) {
      const meta = { sequence, text: `é\u2028"${letter}"`, part: sequence / 7 };
      const event = makeEvent({ _id: eventId(stream, sequence), at: new Date(this.#now + (sequence % 500)), meta });
      this.events.set(event._id, canonicalLine({ ...event }));
    }
    this.#recorded.set(stream, from + count);
  }

  open(letter: string): Promise<void> {
    const stream = streamNamed(letter);
    return this.append({ kind: 'open', by: stream, stream, host: 'höst', app: null });
  }

  /** Covers what is recorded and not yet covered; `by` is who does it, when it is not the stream itself. */
  cover(kind: 'seal' | 'close' | 'recover' | 'adopt', letter: string, by: string = letter): Promise<void> {
    const stream = streamNamed(letter);
    const from = this.#sealed.get(stream) ?? 0;
    const count = (this.#recorded.get(stream) ?? 0) - from;
    this.#sealed.set(stream, from + count);
    const lines = Array.from({ length: count }, (_, index) => this.events.get(eventId(stream, from + index)) as string);
    const leaves = Buffer.concat(lines.map((line) => leafHash(line)));
    const root = rootOf(leaves).toString('base64');
    return this.append({ kind, by: streamNamed(by), stream, from, count, root }, leaves);
  }

  /** Records and seals. */
  async seal(letter: string, count: number): Promise<void> {
    this.record(letter, count);
    await this.cover('seal', letter);
  }

  /** Lets events of segments up to this place in the ledger go. */
  async prune(by: string, through: number): Promise<void> {
    await this.append({ kind: 'prune', by: streamNamed(by), through });
    for (const { stream, from, leaves } of this.documents.slice(0, through + 1))
      for (let index = 0; index < (leaves?.length ?? 0) / 32; index += 1)
        this.events.delete(eventId(stream as string, (from as number) + index));
  }

  /** The proof of an event, by the newest checkpoint. */
  prove(id: string): string {
    const [stream, digits] = id.split('.');
    const sequence = Number(digits);
    const covers = ({ from, leaves }: LedgerDocument): boolean =>
      from !== null && sequence >= from && sequence < from + (leaves?.length ?? 0) / 32;
    const found = this.documents.find((document) => document.stream === stream && covers(document)) as LedgerDocument;
    const index = sequence - (found.from as number);
    const entries = Buffer.concat(this.documents.map(({ entry }) => leafHash(entry)));
    return writeProof({
      index,
      path: inclusionPath(found.leaves as Buffer, index),
      seal: found.entry,
      entry: found._id,
      entryPath: inclusionPath(entries, found._id),
      note: (this.documents.at(-1) as LedgerDocument).note,
    });
  }

  /** A note of any checkpoint, signed as the trail's are. */
  sign(checkpoint: Checkpoint): Promise<string> {
    return signCheckpoint(checkpoint, this.#signer);
  }

  /** Lines of `events.ndjson`, in their order. */
  lines(): string[] {
    return [...this.events].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, line]) => line);
  }

  /** Appends any entry, signed. */
  async append(draft: EntryDraft, leaves: Buffer = Buffer.alloc(0)): Promise<void> {
    this.#now += SEAL_MS;
    const entry = placeEntry(draft, this.documents.length, new Date(this.#now));
    const text = writeEntry(entry);
    this.#ledger.append(leafHash(text));
    const { size } = this.#ledger;
    const note = await this.sign({ origin: ORIGIN, size, root: this.#ledger.root() });
    const peaks = Buffer.concat(this.#ledger.peaks);
    const covered = leaves.length === 0 ? {} : { leaves };
    this.documents.push({ _id: entry.n, ...copiesOf(entry), entry: text, note, peaks, ...covered });
  }
}

/** Some hundred entries of every kind, segments from 0 to 5,000 events, a part of them pruned. */
export async function makeHonestTrail(): Promise<HonestTrail> {
  const trail = new HonestTrail();
  trail.record('D', 77);
  for (const letter of ['A', 'B', 'C']) await trail.open(letter);
  await trail.cover('adopt', 'D', 'A');
  for (const count of [1, 0, 2, 3, 5000, 4, 5, 0, 7, 8, 9, 1023, 1024, 1025]) {
    await trail.seal('A', count);
    await trail.seal('B', count % 11);
  }
  trail.record('C', 100);
  await trail.cover('recover', 'C', 'B');
  trail.record('C', 3);
  await trail.cover('recover', 'C', 'A');
  for (let count = 0; count < 130; count += 1) {
    await trail.seal('A', count % 9);
    await trail.seal('B', count % 3);
  }
  await trail.prune('A', 9);
  for (const letter of ['A', 'B']) {
    trail.record(letter, 6);
    await trail.cover('close', letter);
  }
  return trail;
}

/** The same as a source of verification. */
export function sourceOf(lines: readonly string[], documents: readonly LedgerDocument[]): EvidenceSource {
  const idOf = (line: string): string => (JSON.parse(line) as { _id: string })._id;
  return {
    async *ledger(from = 0) {
      yield documents.filter(({ _id }) => _id >= from).map((document) => ({ document }));
    },
    leaves: (numbers) => Promise.resolve(numbers.map((n) => documents.find(({ _id }) => _id === n)?.leaves)),
    async *events() {
      yield lines.map((line) => ({ id: idOf(line), preimage: `\0${line}` }));
    },
    extent: () => Promise.resolve({ entries: documents.length, events: lines.length }),
  };
}

/** Writes `events.ndjson`, `ledger.ndjson` and `keys.txt`. */
export async function writeFolder(
  folder: string,
  { lines, documents, vkey }: { lines: readonly string[]; documents: readonly LedgerDocument[]; vkey: string },
): Promise<void> {
  const endLines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'events.ndjson'), endLines(lines));
  await writeFile(join(folder, 'ledger.ndjson'), endLines(documents.map((document) => writeLedgerLine(document))));
  await writeFile(join(folder, 'keys.txt'), `${vkey}\n`);
}

/** Builds trails with their ledger in memory, as any number of writers would leave them, and stores them. It knows no command. */
import { Binary, type Db } from 'mongodb';
import { type EntryDraft, eventId, placeEntry, writeEntry } from '../../src/evidence/entry.js';
import type { KeyPair, Signer } from '../../src/evidence/keys.js';
import { generateKey, readSigningKey } from '../../src/evidence/keys.js';
import { copiesOf, type LedgerDocument } from '../../src/evidence/ledger-document.js';
import { canonicalLine } from '../../src/evidence/line.js';
import { signCheckpoint } from '../../src/evidence/note.js';
import { CompactRange, inclusionPath, leafHash, pathOfNewest, rootOf } from '../../src/evidence/tree.js';
import { writeProof } from '../../src/evidence/proof.js';
import type { AuditEvent } from '../../src/event.js';
import { makeEvent } from '../audit/events.js';

/** A stream for tests; the first ten letters are its time. */
export const STREAM = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

/** A trail that grows. */
export class SealedTrail {
  readonly key: KeyPair = generateKey('audit.test/trail');
  readonly events: AuditEvent[] = [];
  readonly ledger: LedgerDocument[] = [];
  readonly #signer: Signer = readSigningKey(this.key.signingKey, 'key');
  readonly #tree = new CompactRange();

  /** Events that nothing covers yet, the first an hour after `day` begins and one a second after it. */
  record(count: number, { stream = STREAM, day = '2026-01-01' }: { stream?: string; day?: string } = {}): AuditEvent[] {
    const from = this.events.filter(({ _id }) => _id.startsWith(stream)).length;
    const added = Array.from({ length: count }, (_, index) => ({
      ...makeEvent({ _id: eventId(stream, from + index) }),
      at: new Date(Date.parse(`${day}T01:00:00.000Z`) + index * 1000),
    }));
    this.events.push(...added);
    return added;
  }

  /** Appends any entry. */
  async append(draft: EntryDraft, at: Date, leaves?: Buffer): Promise<LedgerDocument> {
    const n = this.#tree.size;
    const entry = placeEntry(draft, n, at);
    const text = writeEntry(entry);
    this.#tree.append(leafHash(text));
    const checkpoint = { origin: 'audit.test/trail', size: n + 1, root: this.#tree.root() };
    const note = await signCheckpoint(checkpoint, this.#signer);
    const peaks = Buffer.concat(this.#tree.peaks);
    const document = { _id: n, ...copiesOf(entry), entry: text, note, peaks, ...(leaves && { leaves }) };
    this.ledger.push(document);
    return document;
  }

  /** Opens a stream. */
  open(stream: string = STREAM, day = '2026-01-01'): Promise<LedgerDocument> {
    const at = new Date(`${day}T00:59:00.000Z`);
    return this.append({ kind: 'open', by: stream, stream, host: 'here', app: null }, at);
  }

  /** Seals events of one stream. */
  seal(events: readonly AuditEvent[], kind: 'seal' | 'close' = 'seal'): Promise<LedgerDocument> {
    const [stream = '', digits = ''] = (events[0]?._id ?? '').split('.');
    const leaves = Buffer.concat(events.map((event) => leafHash(canonicalLine({ ...event }))));
    const root = rootOf(leaves).toString('base64');
    const draft = { kind, by: stream, stream, from: Number(digits), count: events.length, root } as const;
    return this.append(draft, events.at(-1)?.at ?? new Date(), leaves);
  }

  /** The proof of an event in the newest seal. */
  prove(index: number): string {
    const newest = this.ledger.at(-1) as LedgerDocument;
    const before = new CompactRange();
    for (const { entry } of this.ledger.slice(0, -1)) before.append(leafHash(entry));
    const leaves = newest.leaves ?? Buffer.alloc(0);
    const path = inclusionPath(leaves, index);
    const { entry: seal, note, _id: entry } = newest;
    return writeProof({ index, path, seal, entry, entryPath: pathOfNewest(before), note });
  }

  /** Stores what is not stored yet; other documents stay. */
  async store(db: Db, collection = 'audit_events'): Promise<void> {
    if (this.events.length > 0) await db.collection(collection).insertMany(this.events as never[]);
    const documents = this.ledger.map(({ peaks, leaves, ...rest }) => ({
      ...rest,
      peaks: new Binary(peaks),
      ...(leaves && { leaves: new Binary(leaves) }),
    }));
    if (documents.length > 0) await db.collection(`${collection}_ledger`).insertMany(documents as never[]);
  }
}

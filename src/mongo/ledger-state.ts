/** How a ledger stands, for the command line: its head, what lies in the way of the next entry, how far sealing is behind. It trusts no key and changes nothing: `verify` does the proving. */
import type { Connection } from 'mongoose';
import { readEntry, readEventId } from '../evidence/entry.js';
import type { FoundLedgerDocument } from '../evidence/ledger-document.js';
import { readNote } from '../evidence/note.js';
import { CompactRange, leafHash, splitHashes } from '../evidence/tree.js';
import { ledgerOf } from './excess.js';

type Db = NonNullable<Connection['db']>;

/** A stream that has no `close`, and how far it is sealed. */
interface OpenStream {
  /** Its ULID. */
  readonly stream: string;
  /** When its last entry was appended, ISO-8601. */
  readonly sealedAt: string;
  /** Its events that no seal covers yet, by their numbers. */
  readonly unsealed: number;
  /** When the newest of them happened; null without any. */
  readonly newestUnsealedAt: string | null;
}

/** What a look at the ledger shows. */
export interface LedgerState {
  /** Entries, up to the newest that fits the one before it. */
  readonly size: number;
  /** When the newest entry was appended, ISO-8601; null in an empty ledger. */
  readonly newestAt: string | null;
  /** Where documents are that are no entries: the next number is taken, and sealing stands still. At most 100. */
  readonly junk: readonly string[];
  /** Streams without a `close`, newest first; at most 100. */
  readonly openStreams: readonly OpenStream[];
  /** How many there are. */
  readonly openStreamCount: number;
  /** The newest event's stream, when the ledger does not know it: it was written with evidence off, or this very moment. */
  readonly unknownStream: string | null;
}

/** The most that is listed of anything. */
const MAX_LISTED = 100;
const READ = { promoteBuffers: true, readPreference: 'primary', readConcern: { level: 'majority' } } as const;
const MAX_TIME = { ...READ, maxTimeMS: 30_000 } as const;

/** Looks. Rejects when the server cannot be reached or this connection may not read. */
export async function readLedgerState(db: Db, collection: string): Promise<LedgerState> {
  const { head, junk } = await findHead(db, ledgerOf(collection));
  const streams = await listOpenStreams(db, ledgerOf(collection));
  const listed = streams.slice(0, MAX_LISTED);
  const openStreams = await Promise.all(listed.map((stream) => readStream(db, collection, stream)));
  return {
    size: head?.size ?? 0,
    newestAt: head?.at ?? null,
    junk,
    openStreams,
    openStreamCount: streams.length,
    unknownStream: await findUnknownStream(db, collection),
  };
}

interface Head {
  readonly size: number;
  readonly at: string;
}

/** From the newest document down: those that do not fit the one before them are in the way. */
async function findHead(db: Db, name: string): Promise<{ head: Head | undefined; junk: string[] }> {
  const ledger = db.collection<{ _id: unknown }>(name);
  const junk: string[] = [];
  let below: FoundLedgerDocument | undefined;
  for await (const found of ledger.find({}, READ).sort({ _id: -1 }).batchSize(10)) {
    const document: FoundLedgerDocument = found;
    if (below !== undefined) {
      if (continues(below, document)) return { head: headOf(below), junk };
      junk.push(placeOf(below));
      if (junk.length === MAX_LISTED) return { head: undefined, junk };
    }
    below = document;
  }
  if (below === undefined) return { head: undefined, junk };
  const isFirst = continues(below, undefined);
  return { head: isFirst ? headOf(below) : undefined, junk: isFirst ? junk : [...junk, placeOf(below)] };
}

function placeOf({ _id }: FoundLedgerDocument): string {
  return typeof _id === 'number' ? `ledger#${_id}` : `ledger: an _id that is no number (${typeof _id})`;
}

function headOf({ _id, entry }: FoundLedgerDocument): Head {
  return { size: (_id as number) + 1, at: readEntry(entry as string)?.at ?? '' };
}

/** Whether a document is the next entry: its text, its tree and its note agree with the tree before it. Who signed is not asked. */
function continues(document: FoundLedgerDocument, before: FoundLedgerDocument | undefined): boolean {
  const { _id: n, entry, note } = document;
  const tree = before === undefined ? new CompactRange() : treeOf(before);
  if (tree === undefined || tree.size !== n || typeof entry !== 'string' || typeof note !== 'string') return false;
  if (readEntry(entry)?.n !== n) return false;
  tree.append(leafHash(entry));
  const checkpoint = readNote(note)?.checkpoint;
  const isSigned = checkpoint?.size === tree.size && checkpoint.root.equals(tree.root());
  return isSigned && Buffer.isBuffer(document.peaks) && document.peaks.equals(Buffer.concat(tree.peaks));
}

function treeOf({ _id, peaks }: FoundLedgerDocument): CompactRange | undefined {
  const hashes = Buffer.isBuffer(peaks) ? splitHashes(peaks) : undefined;
  if (hashes === undefined || !Number.isSafeInteger(_id) || (_id as number) < 0) return undefined;
  try {
    return new CompactRange((_id as number) + 1, hashes);
  } catch {
    return undefined;
  }
}

async function listOpenStreams(db: Db, name: string): Promise<string[]> {
  const pipeline = [
    { $match: { kind: { $in: ['open', 'close'] }, stream: { $type: 'string' } } },
    { $group: { _id: '$stream', kinds: { $addToSet: '$kind' } } },
    { $match: { kinds: { $ne: 'close' } } },
    { $sort: { _id: -1 } },
  ];
  const found = db.collection(name).aggregate<{ _id: string }>(pipeline, MAX_TIME);
  return (await found.toArray()).map(({ _id }) => _id);
}

async function readStream(db: Db, collection: string, stream: string): Promise<OpenStream> {
  const ledger = db.collection(ledgerOf(collection));
  const last = await ledger.findOne({ stream }, { ...READ, sort: { from: -1, _id: -1 }, projection: { entry: 1 } });
  const entry = readEntry(String(last?.['entry']));
  const covered = entry !== undefined && 'count' in entry ? entry.from + entry.count : 0;
  const trail = db.collection<{ _id: string; at?: unknown }>(collection);
  // "/" follows "." in every encoding: the range holds the events of this stream and no others.
  const ofStream = { _id: { $gte: `${stream}.`, $lt: `${stream}/` } };
  const newest = await trail.findOne(ofStream, { ...READ, sort: { _id: -1 }, projection: { at: 1 } });
  const next = (readEventId(newest?._id)?.sequence ?? -1) + 1;
  const unsealed = Math.max(0, next - covered);
  const at = newest?.at instanceof Date ? newest.at.toISOString() : null;
  return { stream, sealedAt: entry?.at ?? '', unsealed, newestUnsealedAt: unsealed > 0 ? at : null };
}

async function findUnknownStream(db: Db, collection: string): Promise<string | null> {
  const trail = db.collection<{ _id: unknown }>(collection);
  const newest = await trail.findOne({}, { ...MAX_TIME, sort: { at: -1, _id: -1 }, projection: { _id: 1 } });
  const stream = readEventId(newest?._id)?.stream;
  if (stream === undefined) return null;
  const known = await db.collection(ledgerOf(collection)).findOne({ stream }, { ...READ, projection: { _id: 1 } });
  return known === null ? stream : null;
}
